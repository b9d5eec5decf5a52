"""What is to be reconciled: now, soon, and when.

Design record: docs/design/due-times.md.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from clustertrigger.core.resources.trigger import Key
from clustertrigger.shell.clock import Clock
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.reconciling.due_heap import DueHeap
from clustertrigger.shell.reconciling.work_queue import Rank, WorkQueue

_FORESIGHT = timedelta(seconds=1.3)
"""Time for a thousand decisions. Slots being whole seconds, it begins when what fired in one of them has rested."""


class Agenda:
    """The queue of keys to look at now, fed by the heap of due times."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self.queue: WorkQueue[Key] = WorkQueue(metrics.queue_depth.set)
        self._heap: DueHeap[Key] = DueHeap(clock, lambda key: self.queue.add(key, Rank.DUE))
        self._soon: asyncio.Queue[Key] = asyncio.Queue()
        self._ahead: DueHeap[Key] = DueHeap(clock, self._soon.put_nowait)

    def now(self, key: Key) -> None:
        """Look at the trigger as soon as a worker is free."""
        self.queue.add(key)

    def forget(self, key: Key) -> None:
        """The trigger is gone."""
        self.at(key, None)
        self.queue.forget_failures(key)

    def at(self, key: Key, due: datetime | None) -> None:
        """The status is written: look at the trigger then, and at no other time; None: only when something changes."""
        self.queue.finish(key)
        self._heap.put(key, due)
        self._ahead.put(key, due and due - _FORESIGHT)

    async def soon(self) -> tuple[Key, datetime]:
        """The next trigger that will be due shortly, and when."""
        while True:
            key = await self._soon.get()
            if due := self._heap.due(key):
                return key, due

    def clear_times(self) -> None:
        """Forgets all due times."""
        self._heap.clear()
        self._ahead.clear()

    async def run(self) -> None:
        """Moves keys from the heaps to the queues when they are due, in an endless loop."""
        async with asyncio.TaskGroup() as heaps:
            heaps.create_task(self._heap.run())
            heaps.create_task(self._ahead.run())
