"""Tests of the rate and the order in which Kubernetes events are written."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import Configuration

from clustertrigger.api.conditions import EventReason
from clustertrigger.core.decision import Event
from clustertrigger.core.resources.trigger import Key
from clustertrigger.shell.kube.api_server import ApiServer
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.status.recorder import Recorder
from tests.core.builders import trigger

LATENCY = 0.02
TRIGGERS, EACH = 40, 3


async def written() -> tuple[dict[str, list[str]], int]:
    """The messages of each trigger, in the order in which a slow API server got them, and the most at a time."""
    got: dict[str, list[str]] = defaultdict(list)
    at_a_time: Counter[str] = Counter()

    async def take(request: web.Request) -> web.Response:
        body = await request.json()
        got[body["involvedObject"]["uid"]].append(body["message"])
        at_a_time["now"] += 1
        at_a_time["most"] = max(at_a_time["most"], at_a_time["now"])
        await asyncio.sleep(LATENCY)
        at_a_time["now"] -= 1
        return web.json_response(body, status=201)

    app = web.Application()
    app.router.add_post("/api/v1/namespaces/{namespace}/events", take)
    async with TestServer(app) as server:
        configuration = Configuration(host=str(server.make_url("/")).rstrip("/"))
        async with ApiServer(configuration, Metrics(), connections=64) as api:
            recorder = Recorder(api, lambda: datetime.now(UTC), Metrics(), "test")
            for n in range(EACH):
                for owner in range(TRIGGERS):
                    recorder.record(
                        replace(trigger(), uid=f"uid-{owner}"), Event("Normal", EventReason.RUN_CREATED, f"message {n}")
                    )
            running = asyncio.create_task(recorder.run())
            async with asyncio.timeout(60):
                while sum(map(len, got.values())) < TRIGGERS * EACH:  # noqa: ASYNC110 - told by the server
                    await asyncio.sleep(0.005)
            running.cancel()
            return got, at_a_time["most"]


class Cancels(ApiServer):
    """An API server in whose first request something is cancelled."""

    def __init__(self) -> None:
        self.got: list[str] = []

    async def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self.got.append(body["message"])
        if len(self.got) == 1:
            raise asyncio.CancelledError
        return {}


async def test_a_write_that_is_cancelled_does_not_end_those_of_its_trigger() -> None:
    api = Cancels()
    recorder = Recorder(api, lambda: datetime.now(UTC), Metrics(), "test")
    running = asyncio.create_task(recorder.run())
    for message in ("cancelled", "next"):
        recorder.record(trigger(), Event("Normal", EventReason.RUN_CREATED, message))
        await asyncio.sleep(0.05)
    assert api.got == ["cancelled", "next"]
    assert recorder._number.of(trigger().key.namespace) == 0
    running.cancel()


def test_events_of_a_trigger_are_written_in_order_and_several_at_a_time() -> None:
    got, at_a_time = asyncio.run(written())
    assert set(got) == {f"uid-{owner}" for owner in range(TRIGGERS)}
    assert all(messages == [f"message {n}" for n in range(EACH)] for messages in got.values())
    assert at_a_time > 1, "one after another"


async def test_namespaces_without_responses_delay_no_events_of_others() -> None:
    got: list[str] = []
    over = asyncio.Event()

    async def take(request: web.Request) -> web.Response:
        namespace = request.match_info["namespace"]
        if namespace.startswith("hangs"):
            await over.wait()
        got.append(namespace)
        return web.json_response(await request.json(), status=201)

    app = web.Application()
    app.router.add_post("/api/v1/namespaces/{namespace}/events", take)
    async with TestServer(app) as server:
        configuration = Configuration(host=str(server.make_url("/")).rstrip("/"))
        async with ApiServer(configuration, Metrics(), connections=64) as api:
            metrics = Metrics()
            recorder = Recorder(api, lambda: datetime.now(UTC), metrics, "test")
            running = asyncio.create_task(recorder.run())
            said = Event("Normal", EventReason.RUN_CREATED, "message")
            for number in range(100):
                key = Key(f"hangs-{number % 4}", f"slow-{number}")
                recorder.record(replace(trigger(), uid=f"uid-{number}", key=key), said)
            await asyncio.sleep(0.1)
            recorder.record(trigger(), said)
            async with asyncio.timeout(5):
                while not got:  # noqa: ASYNC110 - told by the server
                    await asyncio.sleep(0.005)
            assert got == ["search"]
            over.set()
            async with asyncio.timeout(60):
                while len(got) < 101:  # noqa: ASYNC110 - told by the server
                    await asyncio.sleep(0.005)
            assert metrics.events_dropped._value.get() == 0
            running.cancel()


async def test_namespaces_whose_events_wait_drop_none_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clustertrigger.shell.status.recorder._MOST_WAITING", 8)
    metrics = Metrics()
    async with ApiServer(Configuration(host="http://127.0.0.1:1"), metrics, connections=4) as api:
        recorder = Recorder(api, lambda: datetime.now(UTC), metrics, "test")
        said = Event("Normal", EventReason.RUN_CREATED, "message")
        for namespace in ("hangs", "hangs-too"):
            for _ in range(8):
                recorder.record(replace(trigger(), key=Key(namespace, "products")), said)
        assert metrics.events_dropped._value.get() == 4 + 6
        recorder.record(trigger(), said)
        assert metrics.events_dropped._value.get() == 4 + 6


async def test_events_that_wait_for_too_long_a_queue_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clustertrigger.shell.status.recorder._MOST_WAITING", 6)
    metrics = Metrics()
    async with ApiServer(Configuration(host="http://127.0.0.1:1"), metrics, connections=4) as api:
        recorder = Recorder(api, lambda: datetime.now(UTC), metrics, "test")
        for number in range(5):
            recorder.record(trigger(), Event("Normal", EventReason.RUN_CREATED, f"message {number}"))
        assert metrics.events_dropped._value.get() == 2
        running = asyncio.create_task(recorder.run())
        async with asyncio.timeout(60):
            while metrics.events_dropped._value.get() < 5:  # noqa: ASYNC110 - nothing tells when
                await asyncio.sleep(0.005)
        recorder.record(trigger(), Event("Normal", EventReason.RUN_CREATED, "later"))
        async with asyncio.timeout(60):
            while metrics.events_dropped._value.get() < 6:  # noqa: ASYNC110 - nothing tells when
                await asyncio.sleep(0.005)
        running.cancel()
