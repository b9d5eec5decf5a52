"""Tests of the order in which keys are worked on."""

from __future__ import annotations

import asyncio

import pytest

from clustertrigger.shell.reconciling.work_queue import Rank, WorkQueue

REST = 0.5
"""Seconds: much longer than needed to see that no key waits."""


@pytest.fixture
def depths() -> list[int]:
    return []


@pytest.fixture
def queue(depths: list[int]) -> WorkQueue[str]:
    return WorkQueue(depths.append, rest=REST)


async def taken(queue: WorkQueue[str]) -> list[str]:
    """Returns all waiting keys, in order."""
    found: list[str] = []
    while True:
        try:
            async with asyncio.timeout(0.01):
                item = await queue.take()
        except TimeoutError:
            return found
        found.append(item)
        queue.done(item)


def test_due_keys_come_first_and_changes_last(queue: WorkQueue[str]) -> None:
    for item in ("a", "b", "c"):
        queue.add(item)
    queue.add("begun", Rank.BEGUN)
    queue.add("due", Rank.DUE)
    assert asyncio.run(taken(queue)) == ["due", "begun", "a", "b", "c"]


def test_a_waiting_key_that_becomes_due_moves_to_the_front(queue: WorkQueue[str], depths: list[int]) -> None:
    for item in ("a", "b", "c"):
        queue.add(item)
    queue.add("c", Rank.DUE)
    queue.add("c", Rank.DUE)
    queue.add("c")
    assert asyncio.run(taken(queue)) == ["c", "a", "b"]
    assert (max(depths), depths[-1]) == (3, 0)


def test_a_key_that_becomes_due_during_its_work_returns_immediately(queue: WorkQueue[str]) -> None:
    async def scene() -> list[str]:
        queue.add("a")
        assert await queue.take() == "a"
        queue.add("b")
        queue.add("a")
        queue.add("a", Rank.DUE)
        queue.done("a")
        return await taken(queue)

    assert asyncio.run(scene()) == ["a", "b"]


def test_no_key_is_worked_on_concurrently(queue: WorkQueue[str]) -> None:
    async def scene() -> list[str]:
        queue.add("a")
        queue.add("a", Rank.DUE)
        assert await queue.take() == "a"
        queue.add("a", Rank.DUE)
        during = await taken(queue)
        queue.done("a")
        return during + await taken(queue)

    assert asyncio.run(scene()) == ["a"]


def test_a_resting_key_returns_once_after_any_changes(queue: WorkQueue[str], depths: list[int]) -> None:
    async def scene() -> tuple[list[str], list[str]]:
        queue.add("a", Rank.DUE)
        assert await queue.take() == "a"
        queue.add("a")
        queue.add_after_rest("a")
        queue.done("a")
        queue.add("a")
        during = await taken(queue)
        assert depths[-1] == 0, "no worker would help it"
        await asyncio.sleep(REST)
        queue.add("news")
        return during, await taken(queue)

    assert asyncio.run(scene()) == ([], ["a", "news"])
    assert depths[-1] == 0


def test_a_resting_key_that_becomes_due_returns_once_immediately(queue: WorkQueue[str]) -> None:
    async def scene() -> tuple[list[str], list[str]]:
        queue.add_after_rest("a")
        queue.add("a", Rank.DUE)
        during = await taken(queue)
        await asyncio.sleep(2 * REST)
        return during, await taken(queue)

    assert asyncio.run(scene()) == (["a"], [])


def test_a_due_key_does_not_rest(queue: WorkQueue[str]) -> None:
    async def scene() -> list[str]:
        queue.add("a")
        assert await queue.take() == "a"
        queue.add("a", Rank.DUE)
        queue.add_after_rest("a")
        queue.done("a")
        return await taken(queue)

    assert asyncio.run(scene()) == ["a"]


def test_an_item_rests_once_until_it_is_finished(queue: WorkQueue[str]) -> None:
    async def scene() -> list[bool]:
        rested = [queue.rest_once("a"), queue.rest_once("a")]
        queue.finish("a")
        return [*rested, queue.rest_once("a")]

    assert asyncio.run(scene()) == [True, False, True]
