"""Tests that an answer must have the requested kind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from clustertrigger.core.kube import paths
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.resources.trigger import Key
from clustertrigger.shell.clock import ClusterClock
from clustertrigger.shell.kube.api_server import ApiServer
from clustertrigger.shell.metrics.process import Metrics

Answers = dict[str, Any]


@pytest.fixture
async def answers() -> AsyncIterator[Answers]:
    """The server answers every request with `body`; `api` sends the requests."""
    said: Answers = {}

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(said["body"], headers={"Date": said["date"]} if "date" in said else None)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    configuration = Configuration(host=f"http://127.0.0.1:{runner.addresses[0][1]}")
    async with ApiServer(configuration, Metrics(), 4, hear=ClusterClock().hear) as api:
        said["api"] = api
        yield said
    await runner.cleanup()


async def test_an_unreadable_date_does_not_matter(answers: Answers) -> None:
    answers["body"] = {"kind": "ClusterTrigger", "metadata": {"name": "nightly"}}
    answers["date"] = "Sun, 22 Nov 2026 12:00:00 +9999999999999999"
    assert await answers["api"].get(paths.trigger(Key("search", "nightly"))) == answers["body"]


async def test_a_number_that_is_too_large_is_an_api_server_error(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that ends because of it would end the process."""
    answers["body"] = {}

    def overflow(_: str) -> None:
        raise OverflowError("Python int too large to convert to C int")

    monkeypatch.setattr(answers["api"], "_hear", overflow)
    with pytest.raises(ApiError, match="too large"):
        await answers["api"].get(paths.trigger(Key("search", "nightly")))


@pytest.mark.parametrize("kind", ["Collection", "CollectionList", "Status", "Table", None, 1])
async def test_another_kind_is_rejected(answers: Answers, kind: Any) -> None:
    answers["body"] = {"kind": kind, "metadata": {"name": "nightly", "uid": "1"}, "items": []}
    api: ApiServer = answers["api"]
    trigger = paths.trigger(Key("search", "nightly"))
    for request in (
        api.get(trigger),
        api.merge_patch(trigger + "/status", {}),
        api.list(paths.custom("clustertriggers", "search")),
        api.create(paths.TOKEN_REVIEWS, {}),
        api.get(paths.job("search", "x")),
    ):
        with pytest.raises(ApiError, match="the response is a") as refused:
            await request
        assert (refused.value.status, refused.value.reason) == (0, "WrongKind")


async def test_the_kind_and_its_list_are_accepted(answers: Answers) -> None:
    api: ApiServer = answers["api"]
    answers["body"] = {"kind": "ClusterTrigger", "metadata": {"name": "nightly"}}
    assert await api.get(paths.trigger(Key("search", "nightly"))) == answers["body"]
    answers["body"] = {"kind": "ClusterTriggerList", "metadata": {"resourceVersion": "7"}, "items": None}
    assert await api.list(paths.custom("clustertriggers")) == ([], "7")
    answers["body"]["items"] = [{"metadata": {}}]
    assert await api.list(paths.custom("clustertriggers")) == ([{"metadata": {}}], "7")
    for kind in ("PartialObjectMetadataList", "ClusterTriggerList"):
        answers["body"] = {"kind": kind, "metadata": {"resourceVersion": "7"}, "items": []}
        assert await api.names(paths.custom("clustertriggers"), remembered=True) == ([], "7")
    answers["body"] = {"kind": "Status", "status": "Success"}
    await api.delete(paths.job("search", "x"))


@pytest.mark.parametrize(
    "odd",
    [
        {"metadata": {"resourceVersion": None}},
        {"metadata": {"resourceVersion": 7}},
        {"metadata": {"resourceVersion": "7", "continue": 5}},
        {"metadata": {"resourceVersion": "7", "continue": {"after": 1}}},
        {"metadata": ["resourceVersion"]},
        {"items": 5},
        {"items": {"a": 1}},
        {"items": "text"},
        {"items": [None]},
        {"items": ["text"]},
        {"items": [{}]},
        {"items": [{"metadata": None}]},
        {"items": [{"metadata": ["name"]}]},
    ],
    ids=str,
)
async def test_a_list_with_odd_parts_is_an_api_server_error(answers: Answers, odd: Answers) -> None:
    answers["body"] = {"kind": "ClusterTriggerList", "metadata": {"resourceVersion": "7"}, "items": [], **odd}
    with pytest.raises(ApiError) as refused:
        await answers["api"].list(paths.custom("clustertriggers"))
    assert refused.value.reason == "NotUnderstood"


async def test_a_path_with_other_characters_is_not_requested(answers: Answers) -> None:
    answers["body"] = {"kind": "ClusterTrigger"}
    api: ApiServer = answers["api"]
    for path in (paths.jobs("search") + "/../secrets", paths.jobs("search") + "?x=", "/api/v1/%2e%2e/x"):
        with pytest.raises(ApiError, match="is not a path") as refused:
            await api.get(path)
        assert refused.value.status == 404
        with pytest.raises(ApiError, match="is not a path"):
            await api.names(path, remembered=True)
