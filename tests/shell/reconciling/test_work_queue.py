"""Tests of the order in which keys are worked on."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.reconciling.agenda import Agenda
from clustertrigger.shell.reconciling.work_queue import Limits, Rank, WorkQueue
from tests.core.builders import at

REST = 0.5
"""Seconds: much longer than needed to see that no key waits."""

LIMITS = Limits(at_once=6, not_due=3, slow=9, slow_of_a_group=2)
NEVER_SLOW = 60.0
SLOW = 0.5
"""Seconds after which a key is slow, in tests of slow keys: much longer than it takes to take keys."""


@pytest.fixture
def depths() -> list[int]:
    return []


@pytest.fixture
def queue(depths: list[int]) -> WorkQueue[str]:
    return queue_of(depths, LIMITS, NEVER_SLOW)


@pytest.fixture
def slow_queue(depths: list[int]) -> WorkQueue[str]:
    return queue_of(depths, LIMITS, SLOW)


def queue_of(depths: list[int], limits: Limits, slow: float) -> WorkQueue[str]:
    """Returns a queue whose groups are what precedes a slash."""
    return WorkQueue(depths.append, limits, group=lambda item: item.partition("/")[0], rest=REST, slow=slow)


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


async def taken_and_kept(queue: WorkQueue[str]) -> list[str]:
    """Returns all keys that can be taken now, in order; each is still handled."""
    found: list[str] = []
    while True:
        try:
            async with asyncio.timeout(0.01):
                found.append(await queue.take())
        except TimeoutError:
            return found


async def test_only_a_part_of_the_workers_handles_keys_that_are_not_due(queue: WorkQueue[str]) -> None:
    for number in range(6):
        queue.add(f"changed-{number}")
    queue.add("begun", Rank.BEGUN)
    assert await taken_and_kept(queue) == ["begun", "changed-0", "changed-1"]
    queue.add("due-0", Rank.DUE)
    queue.add("due-1", Rank.DUE)
    assert await taken_and_kept(queue) == ["due-0", "due-1"]
    queue.done("due-0")
    assert await taken_and_kept(queue) == [], "the other three are still handled"
    queue.add("begun-later", Rank.BEGUN)
    queue.done("begun")
    queue.done("changed-0")
    assert await taken_and_kept(queue) == ["begun-later", "changed-2"]


async def test_a_key_that_becomes_due_does_not_wait_for_the_others(queue: WorkQueue[str], depths: list[int]) -> None:
    for number in range(6):
        queue.add(f"changed-{number}")
    first = await taken_and_kept(queue)
    queue.add("changed-5", Rank.DUE)
    assert await taken_and_kept(queue) == ["changed-5"]
    for item in (*first, "changed-5"):
        queue.done(item)
    assert await taken_and_kept(queue) == ["changed-3", "changed-4"]
    assert depths[-1] == 0


async def test_held_keys_that_rest_or_were_taken_leave_room_for_others(queue: WorkQueue[str]) -> None:
    for number in range(8):
        queue.add(f"changed-{number}")
    first = await taken_and_kept(queue)
    for item in ("changed-3", "changed-4", "changed-5"):
        queue.add_after_rest(item)
    for item in first:
        queue.done(item)
    assert await taken_and_kept(queue) == ["changed-6", "changed-7"]


async def test_slow_keys_leave_their_places_to_other_groups(slow_queue: WorkQueue[str], depths: list[int]) -> None:
    queue = slow_queue
    for number in range(8):
        queue.add(f"hangs/{number}", Rank.DUE if number < 4 else Rank.CHANGED)
    hanging = await taken_and_kept(queue)
    assert hanging == [f"hangs/{number}" for number in range(6)]
    for number in range(4):
        queue.add(f"other/{number}")
    queue.add("other/due", Rank.DUE)
    assert await taken_and_kept(queue) == [], "all places are taken"
    await asyncio.sleep(SLOW)
    assert await taken_and_kept(queue) == ["other/due", "other/0", "other/1", "other/2"]
    for number in range(3):
        queue.done(f"other/{number}")
    assert await taken_and_kept(queue) == ["other/3"], "the slow group waits"
    for item in hanging[:5]:
        queue.done(item)
    assert await taken_and_kept(queue) == ["hangs/6", "hangs/7"], "it continues where it stopped"
    assert depths[-1] == 0


async def test_slow_keys_leave_the_other_places_to_their_own_group(slow_queue: WorkQueue[str]) -> None:
    for number in range(4):
        slow_queue.add(f"a/{number}", Rank.DUE)
    assert len(await taken_and_kept(slow_queue)) == 4
    await asyncio.sleep(SLOW)
    slow_queue.add("a/due", Rank.DUE)
    assert await taken_and_kept(slow_queue) == ["a/due"], "no other group is slow"


async def test_a_slow_group_gets_no_more_keys_than_end(slow_queue: WorkQueue[str]) -> None:
    for number in range(6):
        slow_queue.add(f"a/{number}", Rank.DUE)
    slow_queue.add("b/0", Rank.DUE)
    await taken_and_kept(slow_queue)
    await asyncio.sleep(SLOW)
    assert await taken_and_kept(slow_queue) == ["b/0"]
    await asyncio.sleep(SLOW)
    for number in range(6, 12):
        slow_queue.add(f"a/{number}", Rank.DUE)
    for number in range(4):
        slow_queue.done(f"a/{number}")
    assert await taken_and_kept(slow_queue) == [], "two are still slow"
    slow_queue.done("a/4")
    assert await taken_and_kept(slow_queue) == ["a/6"]


async def test_many_slow_groups_have_one_key_each(slow_queue: WorkQueue[str]) -> None:
    for group, number in (("a", 5), ("b", 4)):
        for each in range(number):
            slow_queue.add(f"{group}/{each}", Rank.DUE)
        assert len(await taken_and_kept(slow_queue)) == number
        await asyncio.sleep(SLOW)
    for item in ("c/0", "c/1", "d/0", "a/5"):
        slow_queue.add(item, Rank.DUE)
    assert await taken_and_kept(slow_queue) == ["c/0", "d/0"]
    slow_queue.done("c/0")
    assert await taken_and_kept(slow_queue) == ["c/1"]


@pytest.mark.parametrize(("concurrency", "hanging"), [(32, 30), (2, 15), (1, 30)])
async def test_a_namespace_is_served_while_others_hang(depths: list[int], concurrency: int, hanging: int) -> None:
    limits = Agenda(lambda: at(hours=1), Metrics(), concurrency).limits
    queue = queue_of(depths, limits, slow=0.02)
    served, in_flight = asyncio.Event(), Counter[str]()

    async def work() -> None:
        while True:
            item = await queue.take()
            if item.startswith("healthy"):
                queue.done(item)
                served.set()
                continue
            in_flight[item.partition("/")[0]] += 1
            await asyncio.get_running_loop().create_future()

    for group in range(hanging):
        for number in range(40):
            queue.add(f"hangs-{group}/{number}", Rank.DUE)
    workers = [asyncio.create_task(work()) for _ in range(limits.workers)]
    async with asyncio.timeout(10):
        queue.add("healthy/0", Rank.DUE)
        await served.wait()
        while len(in_flight) < hanging:  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.01)
    assert max(in_flight.values()) <= limits.at_once
    for worker in workers:
        worker.cancel()


async def test_a_worker_that_is_cancelled_takes_nothing_along(queue: WorkQueue[str]) -> None:
    workers = [asyncio.create_task(queue.take()) for _ in range(2)]
    await asyncio.sleep(0)
    queue.add("a")
    workers[0].cancel()
    async with asyncio.timeout(5):
        assert await workers[1] == "a"
