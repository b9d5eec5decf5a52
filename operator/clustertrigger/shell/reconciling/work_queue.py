"""Queues keys to reconcile: each is in the queue at most once, and one worker at a time handles it."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable
from enum import IntEnum
from typing import Generic, NamedTuple, TypeVar

Item = TypeVar("Item")

_FIRST_DELAY = 0.5
_LONGEST_DELAY = 60.0
_REST = 0.5
"""Seconds that an item rests. By then, the Jobs of all triggers that are due in the same second have been created, and
the watches have reported this trigger's Job and Pod. So one decision covers all of it, while the API server is idle.
"""
_SLOW = 1.0
"""Seconds after which an item that is still handled counts as slow, because most are handled in milliseconds."""


class Rank(IntEnum):
    """Why an item is added. Lower ranks are handled first."""

    DUE = 0
    """It is due."""
    BEGUN = 1
    """It was handled only in part. When it is due again is unknown until the rest is done."""
    CHANGED = 2
    """It has changed, which can happen any number of times."""


class Limits(NamedTuple):
    """How many items are handled at the same time.

    Slow items cost almost nothing, because they wait for a response. Therefore they leave their place to others. But
    their group waits, so that one webhook that does not respond cannot take all workers.
    """

    at_once: int
    """Maximum number of items, without slow ones."""
    not_due: int
    """The same, of items that are not due."""
    slow: int
    """Number of slow items from which each group gets one item at a time."""
    slow_of_a_group: int
    """Number of items of a group with a slow one from which it gets no other one. If no other group has slow items, it
    is `at_once` instead, so that slow items delay as few of their own group as possible.
    """

    @property
    def workers(self) -> int:
        """How many workers are needed: the last `at_once` items before the limit can all become slow, too."""
        return self.slow + 2 * self.at_once


class WorkQueue(Generic[Item]):
    """A queue. If an item is added while it is handled, it is handled again afterwards.

    Args:
        on_depth: Called with the number of waiting items when it changes.
        limits: How many items are handled at the same time.
        group: Returns the group of an item. A slow group does not delay others.
        rest: Seconds that an item rests.
        slow: Seconds after which an item that is still handled counts as slow.
    """

    def __init__(
        self,
        on_depth: Callable[[int], None],
        limits: Limits,
        group: Callable[[Item], Hashable],
        *,
        rest: float = _REST,
        slow: float = _SLOW,
    ) -> None:
        self._on_depth = on_depth
        self._limits = limits
        self._group = group
        self._rest = rest
        self._slow_after = slow
        self._entries: list[tuple[Rank, int, Item]] = []
        """A heap. An item that was moved forward, or rests, is still in its old place."""
        self._held: defaultdict[Hashable, list[tuple[Rank, int, Item]]] = defaultdict(list)
        """For each slow group, a heap of its entries that cannot be handled yet."""
        self._order = itertools.count()
        self._waiting: dict[Item, Rank] = {}
        self._resting: dict[Item, asyncio.TimerHandle] = {}
        self._rested: set[Item] = set()
        """Items that have rested and are not finished yet."""
        self._working: dict[Item, asyncio.TimerHandle] = {}
        """Items that are handled, each with the timer after which it is slow."""
        self._working_of: Counter[Hashable] = Counter()
        self._not_due: set[Item] = set()
        """Items that are handled, not due and not slow."""
        self._slow: set[Item] = set()
        self._slow_of: Counter[Hashable] = Counter()
        self._takers: deque[asyncio.Future[None]] = deque()
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
            self._put(item)
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
        while (item := self._next()) is None:
            turn = asyncio.get_running_loop().create_future()
            self._takers.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                turn.cancel()
                self._wake()  # Another worker looks instead.
                raise
        self._wake()
        self._on_depth(len(self._waiting))
        return item

    def done(self, item: Item) -> None:
        """Marks an item as no longer being handled."""
        self._working.pop(item).cancel()
        self._not_due.discard(item)
        group = self._group(item)
        _decrease(self._working_of, group)
        if item in self._slow:
            self._slow.remove(item)
            _decrease(self._slow_of, group)
        if item in self._waiting:
            self._put(item)
        for each in list(self._held):
            self._release(each)
        self._wake()

    def _put(self, item: Item) -> None:
        heapq.heappush(self._entries, (self._waiting[item], next(self._order), item))
        self._wake()

    def _next(self) -> Item | None:
        """Takes the next item that can be handled now."""
        while self._entries and self._has_room(self._entries[0][0]):
            entry = heapq.heappop(self._entries)
            rank, _, item = entry
            group = self._group(item)
            if item in self._working or self._waiting.get(item) is not rank:
                self._release(group)
            elif self._must_wait(group):
                heapq.heappush(self._held[group], entry)
            else:
                del self._waiting[item]
                if rank is not Rank.DUE:
                    self._not_due.add(item)
                self._working[item] = asyncio.get_running_loop().call_later(self._slow_after, self._is_slow, item)
                self._working_of[group] += 1
                self._release(group)
                return item
        return None

    def _has_room(self, rank: Rank) -> bool:
        if len(self._working) - len(self._slow) >= self._limits.at_once:
            return False
        return rank is Rank.DUE or len(self._not_due) < self._limits.not_due

    def _must_wait(self, group: Hashable) -> bool:
        # All items of the group count that are handled: any number of them can become slow at the same time.
        if len(self._slow) >= self._limits.slow:
            return self._working_of[group] >= 1
        if group not in self._slow_of:
            return False
        is_only_one = len(self._slow_of) == 1
        return self._working_of[group] >= (self._limits.at_once if is_only_one else self._limits.slow_of_a_group)

    def _is_slow(self, item: Item) -> None:
        self._slow.add(item)
        self._slow_of[self._group(item)] += 1
        self._not_due.discard(item)
        self._wake()

    def _release(self, group: Hashable) -> None:
        """Returns a held entry of a group to the queue if it can be handled now; it then releases the next one."""
        if (held := self._held.get(group)) and not self._must_wait(group):
            heapq.heappush(self._entries, heapq.heappop(held))
            if not held:
                del self._held[group]

    def _wake(self) -> None:
        """Lets a worker look for the next item. If it finds one, it wakes another worker."""
        while self._takers and self._entries and self._has_room(self._entries[0][0]):
            turn = self._takers.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def _end_rest(self, item: Item) -> None:
        del self._resting[item]
        self.add(item, Rank.BEGUN)


def _decrease(counter: Counter[Hashable], group: Hashable) -> None:
    counter[group] -= 1
    if not counter[group]:
        del counter[group]
