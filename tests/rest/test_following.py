"""Tests of watches of the API: no error ends them, and objects of a restored cluster are read again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest

from clustertrigger.rest.api_server import ApiServer, WatchEndedError
from clustertrigger.rest.cache import Cache
from clustertrigger.rest.errors import RefusedError
from clustertrigger.rest.index import Entry
from harness.control_plane.kube import Object
from harness.control_plane.manifests import rarely


def trigger(name: str, version: int, description: str = "") -> Object:
    metadata = {
        "namespace": "search",
        "name": name,
        "uid": f"uid of {name}",
        "resourceVersion": str(version),
        "creationTimestamp": "2026-03-02T12:00:00Z",
        "generation": 1,
    }
    return {"metadata": metadata, "spec": {**rarely(), "description": description}}


class Played(ApiServer):
    """An API server's triggers, and a watch that ends when the test requests it."""

    def __init__(self) -> None:
        self.triggers: list[Object] = []
        self.at = 100
        self.lists = 0
        self.watches: list[str] = []
        self._news: asyncio.Queue[tuple[str, Object] | Exception | None] = asyncio.Queue()

    def reports(self, what: tuple[str, Object] | Exception | None) -> None:
        """The watch of triggers reports a change, fails, or ends normally (None)."""
        self._news.put_nowait(what)

    async def version(self, path: str) -> str:
        return str(self.at)

    async def pages(self, path: str) -> AsyncIterator[tuple[list[Object], str]]:
        its_own = "clustertriggers" in path
        self.lists += its_own
        yield (list(self.triggers) if its_own else []), str(self.at)

    async def watch(self, path: str, version: str) -> AsyncIterator[tuple[str, Object]]:
        yield "OPENED", {}
        if "clustertriggers" not in path:
            await asyncio.get_running_loop().create_future()
        self.watches.append(version)
        while (news := await self._news.get()) is not None:
            if isinstance(news, Exception):
                raise news
            yield news


class Stage:
    """A cache that follows such an API server."""

    def __init__(self) -> None:
        self.server = Played()
        self.cache = Cache(self.server)

    def known(self) -> dict[str, str]:
        """Names and descriptions of the known triggers; None while the cache is not current."""
        found = self.cache.triggers("search")
        return {entry.name: entry.raw["spec"]["description"] for entry in found or ()}

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not holds():  # noqa: ASYNC110 - a test may poll
                await asyncio.sleep(0.001)


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setattr("clustertrigger.rest.following._PAUSES", (0.001,))
    stage = Stage()
    stage.server.triggers = [trigger("a", 90, "first"), trigger("b", 95)]
    following = asyncio.create_task(stage.cache.follow())
    await stage.until(lambda: stage.known() == {"a": "first", "b": ""})
    yield stage
    assert not following.done()
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following


async def test_a_watch_that_ended_normally_continues(stage: Stage) -> None:
    stage.server.at = 120
    stage.server.reports(("MODIFIED", trigger("a", 120, "second")))
    await stage.until(lambda: stage.known()["a"] == "second")
    stage.server.reports(None)
    await stage.until(lambda: stage.server.watches == ["100", "120"])
    assert stage.server.lists == 1


@pytest.mark.parametrize(
    "odd", [("ADDED", {"metadata": {"resourceVersion": "130"}}), ZeroDivisionError()], ids=["object", "error"]
)
async def test_no_error_ends_the_watch(stage: Stage, odd: Any) -> None:
    stage.server.reports(odd)
    await stage.until(lambda: stage.server.lists == 2 and stage.known())
    stage.server.reports(("MODIFIED", trigger("a", 140, "later")))
    await stage.until(lambda: stage.known().get("a") == "later")


@pytest.mark.parametrize(
    "end", [None, RefusedError(503, "restarting"), WatchEndedError()], ids=["in order", "broken", "too old"]
)
async def test_a_cluster_that_was_restored_is_read_again(stage: Stage, end: Exception | None) -> None:
    stage.server.reports(("MODIFIED", trigger("a", 150, "lost in the backup")))
    stage.server.reports(("ADDED", trigger("c", 151)))
    await stage.until(lambda: stage.known() == {"a": "lost in the backup", "b": "", "c": ""})
    stage.server.at, stage.server.triggers = 97, [trigger("a", 90, "first"), trigger("b", 95), trigger("d", 96)]
    stage.server.reports(end)
    await stage.until(lambda: stage.known() == {"a": "first", "b": "", "d": ""})
    stage.server.reports(("MODIFIED", trigger("a", 98, "again")))
    await stage.until(lambda: stage.known()["a"] == "again")


@pytest.mark.parametrize("at", [153, 1_000_000_100], ids=["some writes later", "bumped"])
@pytest.mark.parametrize("end", [RefusedError(503, "restarting"), WatchEndedError()], ids=["broken", "too old"])
async def test_a_cluster_that_was_restored_to_higher_versions_is_read_again(
    stage: Stage, end: Exception, at: int
) -> None:
    """etcdutl's --bump-revision raises versions above all that were seen, and so do writes after the restore."""
    again = trigger("d", 152, "another")
    again["metadata"]["uid"] = "another uid"
    stage.cache.saw(Entry(trigger("d", 96, "first")))
    stage.server.reports(("MODIFIED", trigger("a", 150, "lost in the backup")))
    stage.server.reports(("DELETED", trigger("b", 151)))
    stage.server.reports(("ADDED", again))
    await stage.until(lambda: stage.known() == {"a": "lost in the backup", "d": "another"})
    stage.server.triggers = [trigger("a", 90, "first"), trigger("b", 95), trigger("d", 96, "first")]
    stage.server.at = at
    stage.server.reports(end)
    await stage.until(lambda: stage.known() == {"a": "first", "b": "", "d": "first"})
    stage.server.reports(("MODIFIED", trigger("b", at + 1, "again")))
    await stage.until(lambda: stage.known()["b"] == "again")


async def test_changes_by_this_process_are_undone_by_a_restore(stage: Stage) -> None:
    """Their versions can be higher than those of the watch, and a deletion has none."""
    stage.cache.saw(Entry(trigger("a", 105, "lost in the backup")))
    stage.cache.lost("search", "b", "uid of b")
    assert stage.known() == {"a": "lost in the backup"}
    stage.server.at = 103
    stage.server.reports(WatchEndedError())
    await stage.until(lambda: stage.known() == {"a": "first", "b": ""})


async def test_an_overloaded_api_server_is_not_asked_for_a_list(stage: Stage) -> None:
    stage.server.reports(RefusedError(429, "too many requests"))
    await stage.until(lambda: len(stage.server.watches) == 2)
    assert stage.server.lists == 1
