"""Schedules reconciliations: at once, after a rest, or at a time. Design record: docs/design/due-times.md."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

from clustertrigger.core.resources.trigger import Key
from clustertrigger.net.endless import start_endless
from clustertrigger.shell.clock import Clock
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.reconciling.due_heap import DueHeap
from clustertrigger.shell.reconciling.work_queue import Limits, Rank, WorkQueue

_FORESIGHT = timedelta(seconds=1.3)
"""Seconds before the due time; enough for a thousand decisions. It starts after the triggers that fired in the previous
second have rested, because slots are whole seconds.
"""


_NOT_DUE_SHARE = 4
"""One worker in four may handle a trigger that is not due. At the beginning of a second, the API server would otherwise
be busy with the statuses of the previous second, and create the Jobs of this one later.
"""
_SLOW_SHARE, _FEWEST_SLOW = 3, 32
"""Slow triggers for each trigger that is handled at the same time, and for small values of concurrency at least that
many: from there, each namespace gets one trigger at a time.
"""
_SLOW_SHARE_OF_A_NAMESPACE = 0.5
"""The same, of one namespace while there are slow triggers of others."""


class Agenda:
    """The queue of keys to reconcile now, which the heap of due times feeds.

    Args:
        clock: Determines what is due.
        metrics: Receives the length of the queue.
        concurrency: Maximum number of keys that are handled at the same time, without slow ones.
    """

    def __init__(self, clock: Clock, metrics: Metrics, concurrency: int) -> None:
        self.limits = Limits(
            at_once=concurrency,
            not_due=max(1, concurrency // _NOT_DUE_SHARE),
            slow=max(concurrency * _SLOW_SHARE, _FEWEST_SLOW),
            slow_of_a_group=max(1, int(concurrency * _SLOW_SHARE_OF_A_NAMESPACE)),
        )
        self.queue: WorkQueue[Key] = WorkQueue(metrics.queue_depth.set, self.limits, lambda key: key.namespace)
        self._heap: DueHeap[Key] = DueHeap(clock, lambda key: self.queue.add(key, Rank.DUE))
        self._soon: asyncio.Queue[Key] = asyncio.Queue()
        self._ahead: DueHeap[Key] = DueHeap(clock, self._soon.put_nowait)

    def now(self, key: Key) -> None:
        """Reconciles the trigger as soon as a worker is free."""
        self.queue.add(key)

    def forget(self, key: Key) -> None:
        """Removes a trigger that was deleted."""
        self.at(key, None)
        self.queue.forget_failures(key)

    def at(self, key: Key, due: datetime | None) -> None:
        """Sets when to reconcile a trigger next, after its status was written; None: only when something changes."""
        self.queue.finish(key)
        self._heap.put(key, due)
        self._ahead.put(key, due and due - _FORESIGHT)

    async def soon(self) -> tuple[Key, datetime]:
        """Returns the next trigger that is due shortly, and its time."""
        while True:
            key = await self._soon.get()
            if due := self._heap.due(key):
                return key, due

    def begin(self, known: Mapping[Key, datetime | None]) -> None:
        """Starts over: reconciles all triggers, first those that are due.

        Until the first decision about a trigger, the slot in its status is its due time. Otherwise, a trigger that
        became due while there was no leader would wait for all others, and for everything that becomes due meanwhile.

        Args:
            known: The next slot of each trigger according to its status, which can be outdated.
        """
        self._heap.clear()
        self._ahead.clear()
        for key, slot in known.items():
            self.now(key)
            self._heap.put(key, slot)

    async def run(self) -> None:
        """Moves keys from the heaps to the queues when they are due, in an endless loop."""
        async with asyncio.TaskGroup() as heaps:
            start_endless(heaps, self._heap.run)
            start_endless(heaps, self._ahead.run)
