"""Stores the events of all senders within a short window with one status write for each trigger.

Design record: docs/design/events.md.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
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
from clustertrigger.shell.observed.triggers import Triggers
from clustertrigger.shell.serving.fair_turns import FairTurns
from clustertrigger.shell.serving.shares import Shares
from clustertrigger.shell.status.status_writer import Outcome, StatusWriter

logger = logging.getLogger(__name__)

Verdicts = tuple[bool, ...] | None
"""For each arrival whether it counts; None if the trigger no longer counts events."""

_GATHER = 0.005
"""Seconds that a single event waits for others."""
_BETWEEN_WRITES = 0.21
"""Minimum number of seconds between two writes of a trigger: fewer than 5 writes per second."""
_BYTES_PER_SECOND = 200_000
"""Maximum number of bytes of stored events that a trigger's writes take per second, because etcd keeps every version of
an object for minutes.
"""
_SHARE = 0.1
"""Random share of the pause, so that replicas that count for the same trigger do not write at the same time."""
_PATIENCE = 8.0
"""Seconds for which a refused write is retried before the senders get an error."""
_PAUSE = 0.1
_WRITES_AT_ONCE, _WRITES_OF_A_NAMESPACE = 32, 16
MOST_WAITING = 100_000
"""Maximum number of events that wait for a write, in all namespaces; one namespace can use half of it."""


class BacklogError(Exception):
    """Too many events wait to be stored: the sender must send again later."""


class NotStoredError(Exception):
    """The count could not be stored: the events can be sent again."""


@dataclass
class _Request:
    arrivals: Sequence[Arrival]
    verdicts: asyncio.Future[Verdicts]


@dataclass
class _Lane:
    """The events that wait to be counted for one trigger."""

    waiting: list[_Request] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


class GroupCommit:
    """Counts events, and returns when the count is stored."""

    def __init__(self, statuses: StatusWriter, clock: Clock, triggers: Triggers, metrics: Metrics) -> None:
        self._statuses = statuses
        self._clock = clock
        self._triggers = triggers
        self._metrics = metrics
        self._lanes: dict[Key, _Lane] = {}
        self._writes = FairTurns(_WRITES_AT_ONCE, _WRITES_OF_A_NAMESPACE)
        self._backlog = Shares(MOST_WAITING)
        """Number of events that wait for a write, by namespace. An event that is counted for two triggers counts twice.
        """

    def reserve(self, namespace: str, number: int) -> None:
        """Reserves space for events of a namespace, until `give_back` is called.

        A namespace gets at most as much space as it leaves to the others.

        Raises:
            BacklogError: Too many events are waiting.
        """
        if not self._backlog.would_leave_as_much(namespace, number):
            raise BacklogError(f"{self._backlog.of(namespace)} events are waiting to be stored")
        self._backlog.take(namespace, number)

    def give_back(self, namespace: str, number: int) -> None:
        """Releases the space of events that were counted or rejected."""
        self._backlog.give_back(namespace, number)

    async def count(self, key: Key, arrivals: Sequence[Arrival]) -> Verdicts:
        """Counts events for a trigger, and returns when the count is stored.

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
        """Writes window by window until no request waits."""
        try:
            while lane.waiting:
                await asyncio.sleep(_GATHER)
                await self._turn(key)
                async with self._writes.turn(key.namespace):
                    requests, lane.waiting = lane.waiting, []
                    await self._commit(key, requests)
        finally:
            del self._lanes[key]
            for request in lane.waiting:  # This raises nothing unless there is an internal error.
                if not request.verdicts.done():
                    request.verdicts.set_exception(NotStoredError("counting was interrupted"))

    async def _turn(self, key: Key) -> None:
        """Waits until the trigger can be written again. Another replica may have written it last."""
        last, noticed_at = self._last_write(key), time.monotonic()
        while last is not None:
            # This replica's clock also limits the wait for each write: another replica's clock wrote the time of the
            # last write in the status, and this time can be arbitrarily far in the future.
            waited = time.monotonic() - noticed_at
            pause = self._pause(key) - max((self._clock() - last).total_seconds(), waited)
            if pause <= 0:
                return
            await asyncio.sleep(pause)
            if (now := self._last_write(key)) != last:
                last, noticed_at = now, time.monotonic()

    def _last_write(self, key: Key) -> datetime | None:
        state = self._event_state(key)
        return state.counted_at if state else None

    def _pause(self, key: Key) -> float:
        """Returns the seconds between two writes of the trigger."""
        state = self._event_state(key)
        size = sum(len(group.ids) for group in state.seen) if state else 0
        return max(_BETWEEN_WRITES, size / _BYTES_PER_SECOND) * (1 + _SHARE * random.random())  # noqa: S311 - not a secret

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
        """Writes once, if the trigger still has the version that the count started from.

        If the version changed, counts again.
        """
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
                    # The count may have been stored. Then the ids are known from now on, although this call counted
                    # them.
                    perhaps_stored = fresh
                if not error.is_conflict:
                    logger.info("Retrying to count events for %s: %s", key, error)
                await asyncio.sleep(_PAUSE)
                await self._refresh(trigger, give_up)
            await self._turn(key)

    async def _write(self, trigger: Trigger, counted: Counted) -> Outcome:
        """Stores the count, unless all events were already counted."""
        changes = status_patch(trigger.raw_status, counted.status)
        if not changes:
            return Outcome.WRITTEN
        outcome = await self._statuses.write(trigger, changes)
        if outcome is Outcome.WRITTEN:
            self._metrics.commit_size.observe(len(counted.fresh))
            self._triggers.announce(trigger.key)
        return outcome

    async def _refresh(self, trigger: Trigger, give_up: float) -> None:
        """Reads the trigger, because the response with its new version may have been lost."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self._statuses.refresh(trigger)
                return
            except ApiError:
                if loop.time() >= give_up:
                    raise
                await asyncio.sleep(_PAUSE)
