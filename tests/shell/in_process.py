"""The endpoint for events in the test's own process, with an API server whose answers the test sets."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

from aiohttp import web

from clustertrigger.core.kube.answers import ApiError
from clustertrigger.net.sources import Proxies
from clustertrigger.shell.clock import ClusterClock
from clustertrigger.shell.events.endpoint import (
    CONNECTIONS,
    CONNECTIONS_OF_A_SOURCE,
    LARGEST_BODY,
    PATH,
    EventsEndpoint,
)
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.observed.triggers import Triggers
from clustertrigger.shell.serving.http_server import Limits, serve
from harness.control_plane.event_sender import event
from harness.control_plane.kube import Object
from harness.control_plane.merge_patch import merge_patch

GOOD = "good"
"""The token of the sender that is authorized."""
TRIGGER: Object = {
    "kind": "ClusterTrigger",
    "metadata": {
        "namespace": "search",
        "name": "ingest",
        "uid": "u1",
        "generation": 1,
        "resourceVersion": "5",
        "creationTimestamp": "2026-03-02T12:00:00Z",
    },
    "spec": {
        "trigger_type": "event",
        "schedule_config": {
            "event_type": "documents_added",
            "event_threshold": 1_000_000,
            "collection_id": "col_products",
        },
        "execution_config": {"collection_ids": ["col_products"], "config": {"algorithm": "kmeans", "n_clusters": 3}},
    },
}


class FakeApi:
    """Stores one trigger, and answers reviews.

    Attributes:
        delay: Seconds until a review is answered.
        open: Number of reviews that are not yet answered.
        most_open: The highest number so far.
        status: The `status` of all reviews; None for the one that a token deserves.
    """

    def __init__(self) -> None:
        self.delay = 0.0
        self.open = self.most_open = 0
        self.status: Any = None
        self._stored = copy.deepcopy(TRIGGER)

    async def create(self, path: str, body: Object) -> Object:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await asyncio.sleep(self.delay)
        finally:
            self.open -= 1
        if self.status is not None:
            return {"status": self.status}
        if "tokenreviews" not in path:
            return {"status": {"allowed": True}}
        return {"status": {"authenticated": body["spec"]["token"] == GOOD, "user": {"username": "me"}}}

    async def list(self, _: str, **__: object) -> tuple[list[Object], str]:
        return [copy.deepcopy(self._stored)], self._stored["metadata"]["resourceVersion"]

    async def get(self, _: str) -> Object:
        return copy.deepcopy(self._stored)

    async def merge_patch(self, _: str, body: Mapping[str, Any]) -> Object:
        version = self._stored["metadata"]["resourceVersion"]
        if body["metadata"]["resourceVersion"] != version:
            raise ApiError(409, "Conflict", "x")
        self._stored = merge_patch(self._stored, {"status": body["status"]})
        self._stored["metadata"]["resourceVersion"] = str(int(version) + 1)
        return copy.deepcopy(self._stored)


@asynccontextmanager
async def serving_events(api: FakeApi) -> AsyncIterator[int]:
    """Serves while the context lasts; yields the port."""
    metrics = Metrics()
    triggers = Triggers(lambda _: None, metrics)
    triggers.saw(copy.deepcopy(TRIGGER))
    endpoint = EventsEndpoint(
        cast("Any", api), ClusterClock(), triggers, metrics, (), waiting_for=lambda: None, proxies=Proxies(())
    )
    app = web.Application(client_max_size=LARGEST_BODY)
    app.add_routes([web.post(PATH, endpoint.answer)])
    limits = Limits(CONNECTIONS, CONNECTIONS_OF_A_SOURCE)
    async with serve(app, 0, limits, handler_cancellation=True, drain=1) as port:
        yield port


def head(length: int | None, *headers: str, token: str = GOOD) -> bytes:
    """Returns the header of a request with a body of this length; None for chunks."""
    body = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = [
        "POST /v1/namespaces/search/events HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {token}",
        "Content-Type: application/cloudevents+json",
        body,
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def whole(body: bytes, *headers: str, token: str = GOOD) -> bytes:
    """Returns a request."""
    return head(len(body), *headers, token=token) + body


def message(event_id: str = "x", **attributes: Any) -> bytes:
    """Returns an event as a body."""
    return json.dumps(event(event_id, **attributes)).encode()


async def ask(port: int, *parts: bytes, source: str = "127.0.0.1") -> tuple[int, bytes]:
    """Sends a request in parts on a new connection; returns its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    try:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.05)
        async with asyncio.timeout(60):
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            return int(answer.split()[1]), await reader.readexactly(length)
    finally:
        writer.transport.abort()
