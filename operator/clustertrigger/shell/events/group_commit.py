"""Group commit: the events of all senders within a short window become one status write for each trigger.

Design record: docs/design/events.md.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from clustertrigger.api.status import EventState
from clustertrigger.core.events.event_counting import Arrival, Counted, count_events
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.resources.trigger import Key, Trigger
from clustertrigger.core.status_patch import status_patch
from clustertrigger.shell.clock import Clock
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.observed.intake import Triggers
from clustertrigger.shell.serving.fair_turns import FairTurns
from clustertrigger.shell.status.status_writer import Outcome, StatusWriter

logger = logging.getLogger(__name__)

Verdicts = tuple[bool, ...] | None
"""For each arrival whether it counts; None if the trigger no longer counts events."""

_GATHER = 0.005
"""Seconds a lone event waits for company."""
_BETWEEN_WRITES = 0.21
"""Seconds at least from one write of a trigger to the next: fewer than 5 a second."""
_BYTES_PER_SECOND = 200_000
"""Of a trigger's memory: etcd keeps every version of an object for minutes, so a large one is written less often."""
_SHARE = 0.1
"""Of the pause, by which replicas that count for the same trigger get out of each other's step."""
_PATIENCE = 8.0
"""Seconds for which a refused write is retried before the senders get an error."""
_PAUSE = 0.1
_WRITES_AT_ONCE = 16
MOST_WAITING = 100_000
"""Events that may wait for a write, of all namespaces; of one alone half of it."""


class BacklogError(Exception):
    """So much waits to be stored that more is to come back."""


class NotStoredError(Exception):
    """The cluster could not be written: the events may be sent again."""


@dataclass
class _Request:
    arrivals: Sequence[Arrival]
    verdicts: asyncio.Future[Verdicts]


@dataclass
class _Lane:
    """What waits to be counted for one trigger."""

    waiting: list[_Request] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


class GroupCommit:
    """Counts events; answers once the count is stored."""

    def __init__(self, statuses: StatusWriter, clock: Clock, triggers: Triggers, metrics: Metrics) -> None:
        self._statuses = statuses
        self._clock = clock
        self._triggers = triggers
        self._metrics = metrics
        self._lanes: dict[Key, _Lane] = {}
        self._writes = FairTurns(_WRITES_AT_ONCE, _WRITES_AT_ONCE)
        self._backlog: Counter[str] = Counter()
        """Events that wait for a write, by namespace; one that is counted for two triggers is there twice."""

    def reserve(self, namespace: str, number: int) -> None:
        """Takes room for events of a namespace that are to be counted, until it is given back.

        A namespace gets no more room than it leaves to the others, so that there is always some for the next one.

        Raises:
            BacklogError: There is no room.
        """
        waiting, everywhere = self._backlog[namespace], self._backlog.total()
        if waiting and waiting + number > MOST_WAITING - everywhere:
            raise BacklogError(f"{waiting} events are waiting to be stored")
        self._backlog[namespace] += number

    def give_back(self, namespace: str, number: int) -> None:
        """They are counted, or given up."""
        self._backlog[namespace] -= number
        if not self._backlog[namespace]:
            del self._backlog[namespace]

    async def count(self, key: Key, arrivals: Sequence[Arrival]) -> Verdicts:
        """Counts events for a trigger, and returns once that is stored.

        Raises:
            NotStoredError: it could not be stored.
        """
        lane = self._lanes.setdefault(key, _Lane())
        request = _Request(arrivals, asyncio.get_running_loop().create_future())
        lane.waiting.append(request)
        if lane.task is None:
            lane.task = asyncio.create_task(self._serve(key, lane))
        return await request.verdicts

    async def _serve(self, key: Key, lane: _Lane) -> None:
        """Writes window by window, until no request waits."""
        try:
            while lane.waiting:
                await asyncio.sleep(_GATHER)
                await self._turn(key)
                async with self._writes.turn(key.namespace):
                    requests, lane.waiting = lane.waiting, []
                    await self._commit(key, requests)
        finally:
            del self._lanes[key]
            for request in lane.waiting:  # none, unless something has gone wrong here
                if not request.verdicts.done():
                    request.verdicts.set_exception(NotStoredError("counting was interrupted"))

    async def _turn(self, key: Key) -> None:
        """Waits until the trigger may be written again; the last write may have been another replica's."""
        last, seen = self._last_write(key), time.monotonic()
        while last is not None:
            # This replica's clock also limits the wait for each write: another replica's clock wrote the time of the
            # last write in the status, and this time can be arbitrarily far in the future.
            waited = time.monotonic() - seen
            pause = self._pause(key) - max((self._clock() - last).total_seconds(), waited)
            if pause <= 0:
                return
            await asyncio.sleep(pause)
            if (now := self._last_write(key)) != last:
                last, seen = now, time.monotonic()

    def _last_write(self, key: Key) -> datetime | None:
        state = self._event_state(key)
        return state.counted_at if state else None

    def _pause(self, key: Key) -> float:
        """Seconds from one write of the trigger to the next."""
        state = self._event_state(key)
        size = sum(len(group.ids) for group in state.seen) if state else 0
        return max(_BETWEEN_WRITES, size / _BYTES_PER_SECOND) * (1 + _SHARE * random.random())  # noqa: S311 - no secret

    def _event_state(self, key: Key) -> EventState | None:
        trigger = self._triggers.get(key)
        return trigger.status.event_state if trigger else None

    async def _commit(self, key: Key, requests: list[_Request]) -> None:
        arrivals = [arrival for request in requests for arrival in request.arrivals]
        with self._metrics.commit_duration.time():
            try:
                verdicts = await self._store(key, arrivals)
            except Exception as error:
                if not isinstance(error, ApiError):
                    logger.exception("Internal error: counting the events for %s failed", key)
                for request in requests:
                    if not request.verdicts.done():
                        request.verdicts.set_exception(NotStoredError(str(error)))
                return
        start = 0
        for request in requests:
            end = start + len(request.arrivals)
            if not request.verdicts.done():
                request.verdicts.set_result(verdicts and verdicts[start:end])
            start = end

    async def _store(self, key: Key, arrivals: Sequence[Arrival]) -> Verdicts:
        """Writes once, on top of the version that the count started from; if the version changed, it counts again."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + _PATIENCE
        perhaps_stored = (False,) * len(arrivals)
        while True:
            trigger = self._triggers.get(key)
            if trigger is None or trigger.deleting:
                return None
            counted = count_events(trigger, arrivals, self._clock())
            if counted is None:
                return None
            fresh = tuple(a or b for a, b in zip(counted.fresh, perhaps_stored, strict=True))
            try:
                outcome = await self._write(trigger, counted)
                if outcome is Outcome.WRITTEN:
                    return fresh
            except ApiError as error:
                if loop.time() >= give_up:
                    raise
                if error.is_unanswered:
                    # It may have been stored: then the ids are known from now on, and yet they were ours.
                    perhaps_stored = fresh
                if not error.is_conflict:
                    logger.info("Retrying to count events for %s: %s", key, error)
                await asyncio.sleep(_PAUSE)
                await self._refresh(trigger, give_up)
            await self._turn(key)

    async def _write(self, trigger: Trigger, counted: Counted) -> Outcome:
        """Stores the count, where there is something to store: events may all be known."""
        changes = status_patch(trigger.raw_status, counted.status)
        if not changes:
            return Outcome.WRITTEN
        outcome = await self._statuses.write(trigger, changes)
        if outcome is Outcome.WRITTEN:
            self._metrics.commit_size.observe(len(counted.fresh))
            self._triggers.announce(trigger.key)
        return outcome

    async def _refresh(self, trigger: Trigger, give_up: float) -> None:
        """An answer may have been lost, and the version with it."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self._statuses.refresh(trigger)
                return
            except ApiError:
                if loop.time() >= give_up:
                    raise
                await asyncio.sleep(_PAUSE)
