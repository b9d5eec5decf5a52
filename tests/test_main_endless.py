"""Tests that the end of any background task of the operator, for any reason, ends the operator and frees the Lease."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from kubernetes.aio.client import Configuration

from clustertrigger import main
from clustertrigger.kopf_loop import Watcher
from clustertrigger.main import Operator
from clustertrigger.net import endless
from clustertrigger.net.endless import Work
from clustertrigger.rest.cache import Cache
from clustertrigger.shell.kube.api_server import ApiServer
from clustertrigger.shell.kube.credentials import Credentials
from clustertrigger.shell.observed.census import Census
from clustertrigger.shell.settings import Settings
from tests.net.test_endless import ENDS

SETTINGS = Settings(worker_image="worker:1", leader_election=False, webhook_port=1)


class NoApi(ApiServer):
    """An API server that nothing is asked of."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.credentials = Credentials(Configuration())

    async def __aexit__(self, *_: Any) -> None:
        pass


@asynccontextmanager
async def serve_nothing(*_: Any, **__: Any) -> AsyncIterator[int]:
    yield 0


async def does_nothing(*_: Any, **__: Any) -> None:
    pass


async def waits(*_: Any, **__: Any) -> None:
    await asyncio.get_running_loop().create_future()


@pytest.fixture
def endings(monkeypatch: pytest.MonkeyPatch) -> dict[str, Work]:
    """What endless tasks do instead of their work, by name; and which were started."""
    instead: dict[str, Work] = {}
    start = endless.start_endless

    def start_instead(group: asyncio.TaskGroup, work: Work, **how: Any) -> None:
        started = instead.setdefault(work.__qualname__, work)
        start(group, started, **how)

    for module in ("main", "shell.reconciling.agenda", "rest.cache"):
        monkeypatch.setattr(f"clustertrigger.{module}.start_endless", start_instead)
    monkeypatch.setattr(main, "ApiServer", NoApi)
    monkeypatch.setattr(main, "serve_endpoints", serve_nothing)
    monkeypatch.setattr(main, "serve_events", serve_nothing)
    monkeypatch.setattr(Census, "reachable", does_nothing)
    monkeypatch.setattr(Census, "take", does_nothing)
    monkeypatch.setattr(Watcher, "run", waits)
    monkeypatch.setattr(Operator, "_cluster_id", does_nothing)
    return instead


LEADS = [
    "Admissions.run",
    "Agenda.run",
    "Courier.run",
    "DueHeap.run",
    "Queues.run",
    "Reconciler.answer",
    "Reconciler.look_ahead",
    "Reconciler.work",
    "Recorder.run",
]
ALL = [*LEADS, "Census.run", "Creators.run", "waits"]
"""`waits` stands for Watcher.run."""


async def test_all_are_tested(endings: dict[str, Work]) -> None:
    """Add a new task to the list above."""
    operator = asyncio.create_task(Operator(SETTINGS, Configuration()).run())
    await asyncio.sleep(0.2)
    assert not operator.done()
    operator.cancel()
    with pytest.raises(asyncio.CancelledError):
        await operator
    assert sorted(endings) == sorted(ALL)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("name", ALL)
async def test_the_end_of_one_ends_the_operator(endings: dict[str, Work], name: str, end: Work) -> None:
    endings[name] = end
    operator = Operator(SETTINGS, Configuration())
    async with asyncio.timeout(60):
        with pytest.raises(BaseExceptionGroup):
            await operator.run()
    assert operator.failed.is_set()


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("name", LEADS)
async def test_the_end_of_one_ends_the_leaders_work(
    endings: dict[str, Work], name: str, end: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The election then releases the Lease."""
    ended: list[BaseException] = []

    async def lead_when_elected(settings: Settings, api: ApiServer, metrics: Any, lead: Work) -> None:
        try:
            await lead()
        except BaseException as error:
            ended.append(error)
            raise

    monkeypatch.setattr(main, "lead_when_elected", lead_when_elected)
    endings[name] = end
    async with asyncio.timeout(60):
        with pytest.raises(BaseExceptionGroup):
            await Operator(SETTINGS, Configuration()).run()
    assert isinstance(ended[0], BaseExceptionGroup)


@pytest.mark.parametrize("end", ENDS)
async def test_the_end_of_a_follower_ends_the_cache(endings: dict[str, Work], end: Work) -> None:
    """The HTTP API then reports it, and reads from the API server."""
    endings["Follower.follow"] = end
    async with asyncio.timeout(60):
        with pytest.raises(BaseExceptionGroup):
            await Cache(NoApi(), ()).follow()  # type: ignore[arg-type]
