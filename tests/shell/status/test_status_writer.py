"""Tests of the result of writing a status, for each answer of the API server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import Configuration

from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.resources.trigger import Key, Trigger
from clustertrigger.shell.kube.api_server import ApiServer
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.observed.triggers import Triggers
from clustertrigger.shell.status.status_writer import Outcome, StatusWriter
from harness.control_plane.kube import Object
from harness.control_plane.manifests import rarely

KEY = Key("search", "products")


def products(version: int, **status: int) -> Object:
    metadata = {
        "namespace": KEY.namespace,
        "name": KEY.name,
        "uid": "first",
        "generation": 1,
        "resourceVersion": str(version),
        "creationTimestamp": "2026-11-22T05:00:00Z",
    }
    return {"kind": "ClusterTrigger", "metadata": metadata, "spec": rarely(), "status": status}


@dataclass
class Stage:
    """An API server that answers a write with `patched`, or not at all, and then a read with `read`."""

    triggers: Triggers
    announced: list[Key]
    bodies: list[Object] = field(default_factory=list)
    patched: Callable[[], web.Response] = lambda: web.json_response(products(2, execution_count=1))
    read: Callable[[], web.Response] = lambda: web.json_response(products(1))
    writer: StatusWriter | None = None

    async def take(self, request: web.Request) -> web.Response:
        if request.method != "PATCH":
            return self.read()
        self.bodies.append(await request.json())
        return self.patched()

    async def write(self) -> Outcome:
        assert self.writer is not None
        return await self.writer.write(self.trigger, {"execution_count": 1})

    @property
    def trigger(self) -> Trigger:
        found = self.triggers.get(KEY)
        assert found is not None
        return found


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    announced: list[Key] = []
    triggers = Triggers(announced.append, Metrics())
    triggers.put(products(1))
    stage = Stage(triggers, announced)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", stage.take)
    async with TestServer(app) as server:
        configuration = Configuration(host=str(server.make_url("/")).rstrip("/"))
        async with ApiServer(configuration, Metrics(), connections=1) as api:
            stage.writer = StatusWriter(api, triggers)
            yield stage


def refused(status: int) -> Callable[[], web.Response]:
    return lambda: web.json_response({"kind": "Status", "code": status, "message": "no"}, status=status)


async def test_a_write_requires_the_version_that_it_was_computed_from(stage: Stage) -> None:
    assert await stage.write() is Outcome.WRITTEN
    assert stage.bodies == [{"metadata": {"resourceVersion": "1"}, "status": {"execution_count": 1}}]
    assert (stage.trigger.resource_version, stage.trigger.status.execution_count) == ("2", 1)


async def test_a_conflict_returns_the_other_version(stage: Stage) -> None:
    stage.patched, stage.read = refused(409), lambda: web.json_response(products(5))
    assert await stage.write() is Outcome.OUTDATED
    assert stage.trigger.resource_version == "5"
    assert stage.announced == [KEY], "a watch that shows this version later is no news any more"


async def test_an_unexplained_conflict_is_an_error(stage: Stage) -> None:
    stage.patched = refused(409)
    with pytest.raises(ApiError) as error:
        await stage.write()
    assert error.value.is_conflict


@pytest.mark.parametrize("conflict", [False, True])
async def test_a_deleted_trigger_is_removed(stage: Stage, conflict: bool) -> None:
    stage.patched, stage.read = refused(409 if conflict else 404), refused(404)
    assert await stage.write() is Outcome.GONE
    assert stage.triggers.get(KEY) is None
    assert stage.announced == [KEY]


@pytest.mark.parametrize(
    "answer",
    [
        lambda: web.Response(status=404, text="404 page not found\n"),
        lambda: web.json_response(
            {"kind": "Status", "code": 404, "message": "the server could not find the requested resource"}, status=404
        ),
    ],
)
async def test_an_api_server_that_does_not_serve_the_kind_yet_removes_no_trigger(
    stage: Stage, answer: Callable[[], web.Response]
) -> None:
    """So answers an API server that has just started."""
    stage.patched = stage.read = answer
    with pytest.raises(ApiError) as error:
        await stage.write()
    assert error.value.is_unknown_kind
    assert stage.triggers.get(KEY) is not None


def lost() -> web.Response:
    return web.Response(text="<html>welcome</html>")


async def test_after_a_lost_answer_the_status_is_read(stage: Stage) -> None:
    stage.patched, stage.read = lost, lambda: web.json_response(products(2, execution_count=1))
    assert await stage.write() is Outcome.WRITTEN
    assert stage.trigger.resource_version == "2"


async def test_a_lost_write_is_an_error(stage: Stage) -> None:
    stage.patched = lost
    with pytest.raises(ApiError) as error:
        await stage.write()
    assert error.value.is_unanswered


@pytest.mark.parametrize("status", [403, 422, 429, 500])
async def test_any_other_refusal_is_an_error(stage: Stage, status: int) -> None:
    stage.patched = refused(status)
    with pytest.raises(ApiError) as error:
        await stage.write()
    assert error.value.status == status
    assert stage.trigger.resource_version == "1"
