"""Tests of the rate and the order in which Kubernetes events are written."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime

from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import Configuration

from clustertrigger.api.conditions import EventReason
from clustertrigger.core.decision import Event
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


def test_events_of_a_trigger_are_written_in_order_and_several_at_a_time() -> None:
    got, at_a_time = asyncio.run(written())
    assert set(got) == {f"uid-{owner}" for owner in range(TRIGGERS)}
    assert all(messages == [f"message {n}" for n in range(EACH)] for messages in got.values())
    assert at_a_time > 1, "one after another"
