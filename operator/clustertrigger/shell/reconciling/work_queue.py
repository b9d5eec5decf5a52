"""Keys that wait to be reconciled: each at most once in the queue, and by one worker at a time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from enum import IntEnum
from typing import Generic, TypeVar

Item = TypeVar("Item")

_FIRST_DELAY = 0.5
_LONGEST_DELAY = 60.0
_REST = 0.5
"""Seconds. By then the Jobs of the other triggers that are due in the same second have been created. The watches have
shown this trigger's Job and Pod, so that one decision covers all of it, while the API server is idle."""


class Rank(IntEnum):
    """Why an item is added; what comes first is worked on first."""

    DUE = 0
    """Its time has come."""
    BEGUN = 1
    """Its work is only partly done. When it is due again is unknown until the rest is done."""
    CHANGED = 2
    """There is news of it, and there may be any amount of such."""


class WorkQueue(Generic[Item]):
    """An item that is added while it is worked on comes again afterwards.

    Args:
        on_depth: called with the number of waiting items when it changes.
        rest: seconds that an item rests.
    """

    def __init__(self, on_depth: Callable[[int], None], rest: float = _REST) -> None:
        self._on_depth = on_depth
        self._rest = rest
        self._queue: asyncio.PriorityQueue[tuple[int, int, Item]] = asyncio.PriorityQueue()
        self._order = itertools.count()
        self._waiting: dict[Item, Rank] = {}
        self._resting: dict[Item, asyncio.TimerHandle] = {}
        self._rested: set[Item] = set()
        """Items that have rested and are not finished yet."""
        self._working: set[Item] = set()
        self._failures: dict[Item, int] = {}

    def add(self, item: Item, rank: Rank = Rank.CHANGED) -> None:
        """Adds an item; one that waits already is moved ahead where this rank comes before its own."""
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
        """Adds an item after a rest, as begun. News of it waits as long; an item that is due does not rest."""
        if item in self._resting or self._waiting.get(item) == Rank.DUE:
            return
        self._waiting.pop(item, None)
        self._resting[item] = asyncio.get_running_loop().call_later(self._rest, self._end_rest, item)
        self._on_depth(len(self._waiting))

    def rest_once(self, item: Item) -> bool:
        """Lets an item rest that has not rested since it was last finished, so that other due items come first.

        It rests once only: the status of a trigger that fires again and again would never be written otherwise.

        Returns:
            Whether the item is to be left alone now.
        """
        if item in self._rested:
            return False
        self._rested.add(item)
        self.add_after_rest(item)
        return True

    def finish(self, item: Item) -> None:
        """All work on the item is done: it may rest again the next time."""
        self._rested.discard(item)

    def add_after_failure(self, item: Item) -> float:
        """Adds an item again after a pause that doubles with each failure in a row; returns the pause in seconds."""
        failures = self._failures.get(item, 0)
        self._failures[item] = failures + 1
        delay = min(_FIRST_DELAY * 2.0 ** min(failures, 16), _LONGEST_DELAY)
        asyncio.get_running_loop().call_later(delay, self.add, item)
        return delay

    def forget_failures(self, item: Item) -> None:
        """The next pause of this item is the first again."""
        self._failures.pop(item, None)

    async def take(self) -> Item:
        """The next item; `done` must follow."""
        while True:
            _, _, item = await self._queue.get()
            # One that was moved to the front, or rests, is still in its old place.
            if item in self._waiting and item not in self._working:
                break
        del self._waiting[item]
        self._working.add(item)
        self._on_depth(len(self._waiting))
        return item

    def done(self, item: Item) -> None:
        """The item is no longer being worked on."""
        self._working.discard(item)
        if item in self._waiting:
            self._queue.put_nowait((self._waiting[item], next(self._order), item))

    def _end_rest(self, item: Item) -> None:
        del self._resting[item]
        self.add(item, Rank.BEGUN)
