"""Keeps due times in one heap, with one sleeping task."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from clustertrigger.shell.clock import Clock

Item = TypeVar("Item")

_LONGEST_NAP = 5.0
"""Maximum sleep in seconds, and therefore how long a changed clock goes unnoticed."""
_SHORTEST_NAP = 0.001
_SET_BACK = timedelta(minutes=1)
"""By how much the clock must go back for due times to be computed again. They can be years ahead if it was wrong."""


class DueHeap(Generic[Item]):
    """Holds at most one due time for each item, and passes the item on when it is due."""

    def __init__(self, clock: Clock, hand_over: Callable[[Item], None]) -> None:
        self._clock = clock
        self._hand_over = hand_over
        self._heap: list[tuple[datetime, int, Item]] = []
        self._due: dict[Item, datetime] = {}
        self._order = itertools.count()
        self._changed = asyncio.Event()
        self._last_look: datetime | None = None

    def __len__(self) -> int:
        return len(self._due)

    def due(self, item: Item) -> datetime | None:
        """Returns when the item is due; None if it has no due time."""
        return self._due.get(item)

    def put(self, item: Item, due: datetime | None) -> None:
        """Sets the item's due time, which replaces any other; None removes it."""
        if due is None:
            self._due.pop(item, None)
        elif self._due.get(item) != due:
            self._due[item] = due
            heapq.heappush(self._heap, (due, next(self._order), item))
            if self._heap[0][2] == item:
                self._changed.set()
        if len(self._heap) > 2 * len(self._due) + 64:
            self._sweep()

    def clear(self) -> None:
        """Drops all due times."""
        self._heap.clear()
        self._due.clear()

    async def run(self) -> None:
        """Passes items on when they become due, and all of them when the clock is set back, in an endless loop."""
        while True:
            # This comes first, because a clock that is set back is noticed only after a first look.
            self._hand_over_due()
            self._changed.clear()
            try:
                async with asyncio.timeout(self._until_next()):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def _until_next(self) -> float:
        if not self._heap:
            return _LONGEST_NAP
        wait = (self._heap[0][0] - self._clock()).total_seconds()
        return min(max(wait, _SHORTEST_NAP), _LONGEST_NAP)

    def _hand_over_due(self) -> None:
        last, now = self._last_look, self._clock()
        self._last_look = now
        if last is not None and now < last - _SET_BACK:
            items = list(self._due)
            self.clear()
            for item in items:
                self._hand_over(item)
        while self._heap and self._heap[0][0] <= now:
            due, _, item = heapq.heappop(self._heap)
            if self._due.get(item) == due:
                del self._due[item]
                self._hand_over(item)

    def _sweep(self) -> None:
        """Drops times that were replaced."""
        self._heap = [entry for entry in self._heap if self._due.get(entry[2]) == entry[0]]
        heapq.heapify(self._heap)
