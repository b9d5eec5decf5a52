"""Tests of turns for a scarce resource."""

from __future__ import annotations

import asyncio

import pytest

from clustertrigger.shell.serving.fair_turns import CrowdedError, FairTurns


class Work:
    """Who has a turn, and when it ends."""

    def __init__(self, turns: FairTurns) -> None:
        self.begun: list[str] = []
        self._turns = turns
        self._over: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def ask(self, *names: str) -> None:
        """Each requests a turn; the first letter is its source, and another one its group."""
        for name in names:
            self._over[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._have(name))
            await asyncio.sleep(0)

    async def end(self, *names: str) -> None:
        for name in names:
            self._over[name].set()
            await self.tasks[name]
            await asyncio.sleep(0)

    async def cancel(self, name: str) -> None:
        self.tasks[name].cancel()
        await asyncio.wait([self.tasks[name]])
        await asyncio.sleep(0)

    async def _have(self, name: str) -> None:
        async with self._turns.turn(name[0], name[1:-1] or None):
            self.begun.append(name)
            await self._over[name].wait()


async def test_sharers_take_turns_and_each_keeps_its_order() -> None:
    work = Work(FairTurns(at_once=1, each=1))
    await work.ask("a1", "a2", "a3", "a4", "b1", "b2", "c1")
    for number in range(7):
        assert len(work.begun) == number + 1
        await work.end(work.begun[number])
    assert work.begun == ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]


async def test_a_sharer_leaves_as_many_turns_as_it_gets() -> None:
    work = Work(FairTurns(at_once=8, each=4, leaves_as_much=True))
    await work.ask(*(f"{sharer}{number}" for sharer in "abcd" for number in range(9)))
    assert work.begun == ["a0", "a1", "a2", "a3", "b0", "b1", "c0", "d0"]
    await work.end("a0")
    assert work.begun[8:] == [], "it is left to the next source"
    await work.ask("e0")
    assert work.begun[8:] == ["e0"]


async def test_groups_of_a_sharer_take_turns_within_its_share() -> None:
    work = Work(FairTurns(at_once=4, each=2, most_waiting=2))
    await work.ask("ax1", "ax2", "ax3", "ax4", "ay1", "ay2", "b1")
    assert work.begun == ["ax1", "ax2", "b1"]
    await work.end("ax1", "ax2")
    assert work.begun[3:] == ["ax3", "ay1"]
    await work.cancel("ay2")
    await work.end("ay1", "ax3", "ax4", "b1")
    assert not work._turns._waiting
    assert not work._turns._taken


async def test_no_sharer_gets_more_than_its_share() -> None:
    work = Work(FairTurns(at_once=4, each=2))
    await work.ask("a1", "a2", "a3", "a4")
    assert work.begun == ["a1", "a2"]
    await work.ask("b1")
    assert work.begun == ["a1", "a2", "b1"]
    await work.end("a1")
    assert work.begun == ["a1", "a2", "b1", "a3"]


async def test_a_cancelled_sharer_releases_its_place_and_turn() -> None:
    work = Work(FairTurns(at_once=1, each=1, most_waiting=2))
    await work.ask("a1", "a2", "b1")
    await work.cancel("a2")
    await work.cancel("a1")
    assert work.begun == ["a1", "b1"]
    await work.ask("a3", "a4")
    await work.end("b1", "a3", "a4")
    assert work.begun == ["a1", "b1", "a3", "a4"]


async def test_a_turn_given_to_a_cancelled_sharer_is_not_lost() -> None:
    work = Work(FairTurns(at_once=1, each=1))
    await work.ask("a1", "b1", "c1")
    work._over["a1"].set()
    await asyncio.sleep(0)
    assert work.tasks["a1"].done()
    # b1 has been given the turn and does not know it yet.
    await work.cancel("b1")
    assert work.begun == ["a1", "c1"]


async def test_only_requests_of_the_excessive_sharer_are_rejected() -> None:
    turns = FairTurns(at_once=1, each=1, most_waiting=2)
    work = Work(turns)
    await work.ask("a1", "a2", "a3")
    with pytest.raises(CrowdedError):
        async with turns.turn("a"):
            pass
    await work.ask("b1")
    await work.end("a1", "a2", "b1", "a3")
    assert sorted(work.begun) == ["a1", "a2", "a3", "b1"]


async def test_a_million_past_sharers_leave_no_memory() -> None:
    turns = FairTurns(at_once=2, each=1, most_waiting=5)
    for number in range(1000):
        async with turns.turn(number):
            pass
    assert not turns._waiting
    assert not turns._taken
