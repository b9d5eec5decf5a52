"""Queues keys to reconcile: each is in the queue at most once, and one worker at a time handles it."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from enum import IntEnum
from typing import Generic, TypeVar

Item = TypeVar("Item")

_FIRST_DELAY = 0.5
_LONGEST_DELAY = 60.0
_REST = 0.5
"""Seconds that an item rests. By then, the Jobs of all triggers that are due in the same second have been created, and
the watches have reported this trigger's Job and Pod. So one decision covers all of it, while the API server is idle.
"""


class Rank(IntEnum):
    """Why an item is added. Lower ranks are handled first."""

    DUE = 0
    """It is due."""
    BEGUN = 1
    """It was handled only in part. When it is due again is unknown until the rest is done."""
    CHANGED = 2
    """It has changed, which can happen any number of times."""


class WorkQueue(Generic[Item]):
    """A queue. If an item is added while it is handled, it is handled again afterwards.

    Args:
        on_depth: Called with the number of waiting items when it changes.
        most_not_due: Maximum number of items that are not due and are handled at the same time.
        rest: Seconds that an item rests.
    """

    def __init__(self, on_depth: Callable[[int], None], most_not_due: int, rest: float = _REST) -> None:
        self._on_depth = on_depth
        self._rest = rest
        self._most_not_due = most_not_due
        self._not_due: set[Item] = set()
        self._held: list[tuple[int, int, Item]] = []
        """A heap of entries that were taken from the queue while too many items that are not due were handled."""
        self._queue: asyncio.PriorityQueue[tuple[int, int, Item]] = asyncio.PriorityQueue()
        self._order = itertools.count()
        self._waiting: dict[Item, Rank] = {}
        self._resting: dict[Item, asyncio.TimerHandle] = {}
        self._rested: set[Item] = set()
        """Items that have rested and are not finished yet."""
        self._working: set[Item] = set()
        self._failures: dict[Item, int] = {}

    def add(self, item: Item, rank: Rank = Rank.CHANGED) -> None:
        """Adds an item. If it already waits with a higher rank, it moves forward."""
        if item in self._resting:
            if rank != Rank.DUE:
                return
            self._resting.pop(item).cancel()
        if item in self._waiting and self._waiting[item] <= rank:
            return
        self._waiting[item] = rank
        if item not in self._working:
            self._queue.put_nowait((rank, next(self._order), item))
        self._on_depth(len(self._waiting))

    def add_after_rest(self, item: Item) -> None:
        """Adds an item after a rest, as partly handled. Changes of it also wait; an item that is due does not."""
        if item in self._resting or self._waiting.get(item) == Rank.DUE:
            return
        self._waiting.pop(item, None)
        self._resting[item] = asyncio.get_running_loop().call_later(self._rest, self._end_rest, item)
        self._on_depth(len(self._waiting))

    def rest_once(self, item: Item) -> bool:
        """Lets an item rest that has not rested since it was last finished, so that other due items come first.

        It rests only once, because otherwise the status of a trigger that fires again and again would never be written.

        Returns:
            Whether the item is to be left alone now.
        """
        if item in self._rested:
            return False
        self._rested.add(item)
        self.add_after_rest(item)
        return True

    def finish(self, item: Item) -> None:
        """Marks an item as finished: it can rest again the next time."""
        self._rested.discard(item)

    def add_after_failure(self, item: Item) -> float:
        """Adds an item again after a pause that doubles with each consecutive failure. Returns the pause in seconds."""
        failures = self._failures.get(item, 0)
        self._failures[item] = failures + 1
        delay = min(_FIRST_DELAY * 2.0 ** min(failures, 16), _LONGEST_DELAY)
        asyncio.get_running_loop().call_later(delay, self.add, item)
        return delay

    def forget_failures(self, item: Item) -> None:
        """Resets the pause of an item."""
        self._failures.pop(item, None)

    async def take(self) -> Item:
        """Returns the next item; `done` must follow."""
        while True:
            entry = await self._queue.get()
            item = entry[2]
            # An item that was moved forward, or rests, is still in its old place.
            stale = item not in self._waiting or item in self._working
            if not stale and (self._waiting[item] is Rank.DUE or self._has_room()):
                break
            if not stale:
                heapq.heappush(self._held, entry)
            self._release()
        if self._waiting.pop(item) is not Rank.DUE:
            self._not_due.add(item)
        self._working.add(item)
        self._release()
        self._on_depth(len(self._waiting))
        return item

    def done(self, item: Item) -> None:
        """Marks an item as no longer being handled."""
        self._working.discard(item)
        self._not_due.discard(item)
        if item in self._waiting:
            self._queue.put_nowait((self._waiting[item], next(self._order), item))
        self._release()

    def _has_room(self) -> bool:
        return len(self._not_due) < self._most_not_due

    def _release(self) -> None:
        """Returns a held entry to the queue if it can be handled now; it then releases the next one."""
        if self._held and self._has_room():
            self._queue.put_nowait(heapq.heappop(self._held))

    def _end_rest(self, item: Item) -> None:
        del self._resting[item]
        self.add(item, Rank.BEGUN)
