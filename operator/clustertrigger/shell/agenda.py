"""What is to be reconciled: now, and when."""

from __future__ import annotations

from datetime import datetime

from clustertrigger.core.trigger import Key
from clustertrigger.shell.clock import Clock
from clustertrigger.shell.due_heap import DueHeap
from clustertrigger.shell.metrics import Metrics
from clustertrigger.shell.work_queue import Rank, WorkQueue

_REST = 0.5
"""Seconds. By then the Jobs of others that are due in the same second are created, and the watches have told what became
of this one's Job and Pod: one decision for all of it, at a time when nobody waits for the API server."""


class Agenda:
    """The queue of keys to look at now, fed by the heap of due times."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self.queue: WorkQueue[Key] = WorkQueue(metrics.queue_depth.set)
        self._heap: DueHeap[Key] = DueHeap(clock, lambda key: self.queue.add(key, Rank.DUE))

    def now(self, key: Key) -> None:
        """Look at the trigger as soon as a worker is free."""
        self.queue.add(key)

    def again(self, key: Key) -> None:
        """Look at the trigger again after a rest, behind those that are due and ahead of all news."""
        self.queue.add_after_rest(key, Rank.BEGUN, _REST)

    def at(self, key: Key, due: datetime | None) -> None:
        """Look at the trigger then, in place of any other time; None: only when something changes."""
        self._heap.put(key, due)

    def clear_times(self) -> None:
        """Forgets all due times."""
        self._heap.clear()

    async def run(self) -> None:
        """Moves keys from the heap to the queue as they become due, for ever."""
        await self._heap.run()
