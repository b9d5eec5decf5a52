"""Tests of the order in which triggers are reconciled after a change of leaders."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from clustertrigger.core.resources.trigger import Key
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.reconciling.agenda import Agenda
from tests.core.builders import at


class Clock:
    now = at(hours=1)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def agenda(clock: Clock) -> AsyncIterator[Agenda]:
    agenda = Agenda(clock, Metrics(), 32)
    running = asyncio.create_task(agenda.run())
    yield agenda
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def taken(agenda: Agenda, number: int) -> list[str]:
    """Takes triggers from the queue, as a worker does."""
    names = []
    async with asyncio.timeout(60):
        for _ in range(number):
            key = await agenda.queue.take()
            agenda.queue.done(key)
            names.append(key.name)
    return names


async def until_due(agenda: Agenda, *names: str) -> None:
    """Waits until the heap has passed these triggers to the queue."""
    async with asyncio.timeout(60):
        while any(agenda._heap.due(Key("search", name)) for name in names):  # noqa: ASYNC110 - a test may poll
            await asyncio.sleep(0.01)


async def test_a_new_leader_begins_with_the_triggers_that_are_due(agenda: Agenda, clock: Clock) -> None:
    slots = {
        "without a slot": None,
        "next hour": clock.now + timedelta(hours=1),
        "missed last": clock.now - timedelta(seconds=5),
        "missed first": clock.now - timedelta(seconds=20),
    }
    agenda.begin({Key("search", name): slot for name, slot in slots.items()})
    await until_due(agenda, "missed first", "missed last")
    assert await taken(agenda, 4) == ["missed first", "missed last", "without a slot", "next hour"]


async def test_a_trigger_that_becomes_due_before_its_first_decision_does_not_wait(agenda: Agenda, clock: Clock) -> None:
    slots = {"one": None, "two": None, "due soon": clock.now + timedelta(seconds=2)}
    agenda.begin({Key("search", name): slot for name, slot in slots.items()})
    assert await taken(agenda, 1) == ["one"]
    clock.now += timedelta(seconds=2)
    agenda.at(Key("search", "one"), clock.now)  # wakes the heap, and is due after it
    await until_due(agenda, "due soon", "one")
    assert await taken(agenda, 3) == ["due soon", "one", "two"]


async def test_a_clock_that_is_set_back_makes_all_triggers_due(agenda: Agenda, clock: Clock) -> None:
    """A trigger that was decided about while the clock was a year ahead would otherwise wait for a year."""
    right = clock.now
    clock.now += timedelta(days=365)
    agenda.at(Key("search", "decided ahead"), clock.now + timedelta(hours=1))
    await asyncio.sleep(0.1)
    assert agenda._heap.due(Key("search", "decided ahead")) is not None
    clock.now = right - timedelta(seconds=1)
    agenda.at(Key("search", "next hour"), right + timedelta(hours=1))  # wakes the heap
    await until_due(agenda, "decided ahead")
    assert "decided ahead" in await taken(agenda, 2)
