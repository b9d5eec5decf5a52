"""Records Kubernetes events on triggers.

A repeated event, or one of the same series, increases the count, as kubectl expects.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from typing import Any

from clustertrigger.api import API_VERSION
from clustertrigger.core.decision import Event
from clustertrigger.core.instants import format_instant
from clustertrigger.core.jobs.naming import event_name
from clustertrigger.core.kube import paths
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.resources.trigger import Trigger
from clustertrigger.core.text import cut
from clustertrigger.shell.clock import Clock
from clustertrigger.shell.kube.api_server import ApiServer
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.serving.fair_turns import FairTurns
from clustertrigger.shell.serving.shares import Shares

logger = logging.getLogger(__name__)

_WRITES_AT_ONCE, _WRITES_OF_A_NAMESPACE = 16, 4
"""One write at a time is limited by the latency of the API server, 40 ms on a busy one. An admission webhook that
does not respond for one namespace occupies only a quarter of them, and one for many namespaces leaves one to each.
"""
_MOST_WAITING = 20_000
"""Maximum number of events that wait, in all namespaces; one namespace can use half of it. Further ones are dropped."""
_REMEMBERED = 4_096
_LONGEST_MESSAGE = 1024
_Waiting = deque[dict[str, Any]]


class Recorder:
    """Writes events in the background, those of a trigger in order. They are not essential, and can be lost."""

    def __init__(self, api: ApiServer, clock: Clock, metrics: Metrics, identity: str) -> None:
        self._api = api
        self._clock = clock
        self._metrics = metrics
        self._identity = identity
        self._waiting: dict[str, _Waiting] = {}
        """Events that wait, by the uid of their trigger."""
        self._number = Shares(_MOST_WAITING)
        """Number of events that wait, by namespace."""
        self._begun: asyncio.Queue[str] = asyncio.Queue()
        """Uids of triggers whose events no task writes yet."""
        self._turns = FairTurns(_WRITES_AT_ONCE, _WRITES_OF_A_NAMESPACE, leaves_as_much=True)
        self._counts: OrderedDict[str, int] = OrderedDict()

    def record(self, trigger: Trigger, event: Event) -> None:
        """Queues an event, unless its namespace would have more that wait than it leaves to the others."""
        namespace = trigger.key.namespace
        if not self._number.would_leave_as_much(namespace):
            self._metrics.events_dropped.inc()
            return
        body = self._body(trigger, event)
        self._number.take(namespace)
        if trigger.uid not in self._waiting:
            self._waiting[trigger.uid] = deque()
            self._begun.put_nowait(trigger.uid)
        self._waiting[trigger.uid].append(body)

    async def run(self) -> None:
        """Writes events in an endless loop."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                tasks.create_task(self._work(await self._begun.get()))

    async def _work(self, uid: str) -> None:
        """Writes the events of a trigger in order, until none waits."""
        waiting = self._waiting[uid]
        try:
            while waiting:
                body = waiting[0]
                namespace = body["metadata"]["namespace"]
                async with self._turns.turn(namespace):
                    await self._write_or_drop(namespace, body)
                waiting.popleft()
                self._number.give_back(namespace)
        finally:
            # If this was cancelled, the next event of the trigger must start a task again.
            del self._waiting[uid]
            for body in waiting:
                self._number.give_back(body["metadata"]["namespace"])

    async def _write_or_drop(self, namespace: str, body: dict[str, Any]) -> None:
        try:
            await self._write(namespace, body)
        except ApiError as error:
            self._metrics.events_dropped.inc()
            logger.debug("Writing the Kubernetes event %s failed: %s", body["metadata"]["name"], error)
        except Exception:
            # An error with one event must not stop the others.
            self._metrics.events_dropped.inc()
            logger.exception("Internal error: writing the Kubernetes event %s failed", body["metadata"]["name"])

    async def _write(self, namespace: str, body: dict[str, Any]) -> None:
        path = paths.events(namespace)
        name = body["metadata"]["name"]
        count = self._counts[name] = self._counts.pop(name, 0) + 1
        if len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)
        if count == 1:
            try:
                await self._api.create(path, body)
                return
            except ApiError as error:
                # Another process, or this one earlier, has already recorded this event.
                if not error.is_conflict:
                    raise
        again = {"count": count, "lastTimestamp": body["lastTimestamp"], "message": body["message"]}
        try:
            await self._api.merge_patch(paths.event(namespace, name), again)
        except ApiError as error:
            if not error.is_not_found:  # The event has expired: record it again.
                raise
            self._counts[name] = 1
            await self._api.create(path, body)

    def _body(self, trigger: Trigger, event: Event) -> dict[str, Any]:
        identity = f"{trigger.uid}\0{event.reason}\0{event.series or event.message}"
        at = format_instant(self._clock().replace(microsecond=0))
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"namespace": trigger.key.namespace, "name": event_name(trigger.key.name, identity)},
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": "ClusterTrigger",
                "namespace": trigger.key.namespace,
                "name": trigger.key.name,
                "uid": trigger.uid,
                "resourceVersion": trigger.resource_version,
            },
            "type": event.type,
            "reason": event.reason.value,
            "message": cut(event.message, _LONGEST_MESSAGE),
            "source": {"component": "clustertrigger"},
            "reportingComponent": "clustertrigger",
            "reportingInstance": self._identity,
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
        }
