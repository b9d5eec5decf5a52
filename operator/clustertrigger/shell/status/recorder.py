"""Records Kubernetes events on triggers.

A repeated event, or one of the same series, increases the count, as kubectl expects.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from typing import Any
from zlib import crc32

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

logger = logging.getLogger(__name__)

_WRITERS = 4
"""Number of concurrent writers. One alone is limited by the API server's latency, which is 40 ms on a busy server."""
_BACKLOG = 5_000
"""Maximum number of events that each writer queues."""
_REMEMBERED = 4_096
_LONGEST_MESSAGE = 1024
_Backlog = asyncio.Queue[tuple[str, dict[str, Any]]]


class Recorder:
    """Writes events in the background, those of a trigger in order. They are not essential, and can be lost."""

    def __init__(self, api: ApiServer, clock: Clock, metrics: Metrics, identity: str) -> None:
        self._api = api
        self._clock = clock
        self._metrics = metrics
        self._identity = identity
        self._backlogs: list[_Backlog] = [asyncio.Queue(_BACKLOG) for _ in range(_WRITERS)]
        self._counts: OrderedDict[str, int] = OrderedDict()

    def record(self, trigger: Trigger, event: Event) -> None:
        """Queues an event."""
        body = self._body(trigger, event)
        try:
            self._backlogs[crc32(trigger.uid.encode()) % _WRITERS].put_nowait((trigger.key.namespace, body))
        except asyncio.QueueFull:
            self._metrics.events_dropped.inc()

    async def run(self) -> None:
        """Writes events in an endless loop."""
        async with asyncio.TaskGroup() as writers:
            for backlog in self._backlogs:
                writers.create_task(self._work(backlog))

    async def _work(self, backlog: _Backlog) -> None:
        while True:
            namespace, body = await backlog.get()
            try:
                await self._write(namespace, body)
            except ApiError as error:
                self._metrics.events_dropped.inc()
                logger.debug("Writing the Kubernetes event %s failed: %s", body["metadata"]["name"], error)
            except Exception:
                # An error with one event must not stop the writer for all others.
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
