"""Keys that wait to be reconciled: each at most once in the queue, and by one worker at a time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")

_DUE, _LATER = 0, 1
_FIRST_DELAY = 0.5
_LONGEST_DELAY = 60.0


class WorkQueue(Generic[Item]):
    """An item that is added while it is worked on comes again afterwards; what is due comes before all else."""

    def __init__(self, on_depth: Callable[[int], None]) -> None:
        self._on_depth = on_depth
        self._queue: asyncio.PriorityQueue[tuple[int, int, Item]] = asyncio.PriorityQueue()
        self._order = itertools.count()
        self._waiting: dict[Item, int] = {}
        self._working: set[Item] = set()
        self._failures: dict[Item, int] = {}

    def add(self, item: Item) -> None:
        """Adds an item, unless it waits already."""
        self._add(item, _LATER)

    def add_first(self, item: Item) -> None:
        """Adds an item before those that are not due, also if it waits among them already."""
        self._add(item, _DUE)

    def _add(self, item: Item, rank: int) -> None:
        if self._waiting.get(item, _LATER + 1) <= rank:
            return
        self._waiting[item] = rank
        if item not in self._working:
            self._queue.put_nowait((rank, next(self._order), item))
        self._on_depth(len(self._waiting))

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
            # One that was moved to the front is still in its old place.
            if item in self._waiting and item not in self._working:
                break
        del self._waiting[item]
        self._working.add(item)
        self._on_depth(len(self._waiting))
        return item

    def done(self, item: Item) -> None:
        """The item is not worked on any more."""
        self._working.discard(item)
        if item in self._waiting:
            self._queue.put_nowait((self._waiting[item], next(self._order), item))
