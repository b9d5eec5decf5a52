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

_REST = 0.5
"""Seconds. By then the Jobs of others that are due in the same second are created, and the watches have told what
became of this one's Job and Pod: one decision for all of it, at a time when nobody waits for the API server."""
_FORESIGHT = timedelta(seconds=1.3)
"""Time for a thousand decisions. Slots being whole seconds, it begins when what fired in one of them has rested."""


class Agenda:
    """The queue of keys to look at now, fed by the heap of due times."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self.queue: WorkQueue[Key] = WorkQueue(metrics.queue_depth.set)
        self._heap: DueHeap[Key] = DueHeap(clock, lambda key: self.queue.add(key, Rank.DUE))
        self._soon: asyncio.Queue[Key] = asyncio.Queue()
        self._ahead: DueHeap[Key] = DueHeap(clock, self._soon.put_nowait)
        self._rested: set[Key] = set()
        """Triggers that have fired since their status was written."""

    def now(self, key: Key) -> None:
        """Look at the trigger as soon as a worker is free."""
        self.queue.add(key)

    def again(self, key: Key) -> None:
        """Look at the trigger again after a rest, behind those that are due and ahead of all news."""
        self.queue.add_after_rest(key, Rank.BEGUN, _REST)

    def rest(self, key: Key) -> bool:
        """What has fired rests before its status and events are written: the Jobs of others that are due come first.

        Once, until `at` tells that the status is written: of what fires again and again it never would be.

        Returns:
            Whether the trigger rests now.
        """
        if key in self._rested:
            return False
        self._rested.add(key)
        self.again(key)
        return True

    def forget(self, key: Key) -> None:
        """The trigger is gone."""
        self.at(key, None)
        self.queue.forget_failures(key)

    def at(self, key: Key, due: datetime | None) -> None:
        """All is written: look at the trigger then, in place of any other time; None: only when something changes."""
        self._rested.discard(key)
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
        """Moves keys from the heaps to the queues as their times come, for ever."""
        async with asyncio.TaskGroup() as heaps:
            heaps.create_task(self._heap.run())
            heaps.create_task(self._ahead.run())
