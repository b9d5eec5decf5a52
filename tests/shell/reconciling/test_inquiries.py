"""Tests of the reasons why runs do not start: few lists of events, immediate reports, and no memory after the start."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from clustertrigger.core.decide import decide
from clustertrigger.core.decision import CreateJob
from clustertrigger.core.jobs.job_view import read_job
from clustertrigger.core.jobs.pod_view import read_pod
from clustertrigger.core.kube import paths
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.resources.trigger import Key
from clustertrigger.shell.observed.runs import Runs
from clustertrigger.shell.reconciling.inquiries import Inquiries
from harness.control_plane.kube import Object
from tests.core.builders import at, observed, run, trigger
from tests.shell.reconciling.in_memory import InMemory

TRIGGER = trigger()


def due() -> CreateJob:
    """The Job of the first slot."""
    (action,) = decide(TRIGGER, observed(), at(hours=1)).actions
    assert isinstance(action, CreateJob)
    return action


ACTION = due()


class Stage:
    """A created Job, and the time."""

    def __init__(self) -> None:
        self.now = at(hours=1, seconds=2)
        self.api = InMemory()
        self.runs = Runs(lambda _: None)
        self.inquiries = Inquiries(self.api, lambda: self.now, self.runs)

    async def create(self) -> None:
        job = read_job(await self.api.create(paths.jobs("search"), ACTION.manifest))
        assert job is not None
        self.runs.jobs.put(job)

    def pod(self, **status: Any) -> None:
        labels = {"job-name": ACTION.name, "clustertrigger.dev/trigger-uid": TRIGGER.uid}
        metadata = {"namespace": "search", "name": "p", "uid": "p", "labels": labels}
        metadata |= {"creationTimestamp": "2026-03-02T13:00:01Z", "resourceVersion": "1"}
        self.runs.pods.put(read_pod({"metadata": metadata, "spec": {}, "status": status}))

    def warns(self, message: str) -> None:
        """Whether the inquiry concerns a Pod that was created, or a Job without a Pod."""
        for kind, name in (("Job", ACTION.name), ("Pod", "p")):
            about = {"kind": kind, "name": name}
            event = {"metadata": {"name": kind}, "involvedObject": about, "reason": "FailedCreate", "message": message}
            self.api.put(paths.event("search", f"of-{name}"), event)


@pytest.fixture
async def stage() -> Stage:
    stage = Stage()
    await stage.create()
    return stage


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (None, "no Pod for you"),
        ({"containerStatuses": [{"name": "worker", "state": {"waiting": {"reason": "ContainerCreating"}}}]},
         "no Pod for you"),
        ({"containerStatuses": [{"name": "worker", "state": {"running": {"startedAt": "2026-03-02T13:00:02Z"}}}]},
         None),
    ],
    ids=["no Pod", "a Pod that has not started", "a Pod that runs"],
)  # fmt: skip
async def test_warnings_are_read_if_no_worker_has_started(stage: Stage, pod: Object | None, expected: str) -> None:
    stage.warns("no Pod for you")
    if pod is not None:
        stage.pod(**pod)
    await stage.inquiries.ask_now(TRIGGER, ACTION.name)
    assert stage.inquiries.warnings(TRIGGER.key).get(ACTION.name) == expected
    stage.inquiries.settle(TRIGGER.key, TRIGGER.status)
    assert stage.inquiries.warnings(TRIGGER.key) == {}, "they are news"


def pending() -> Any:
    """A status that records the run as pending."""
    decided = decide(TRIGGER, observed([run(str(ACTION.slot), "pending")]), at(hours=1, seconds=3)).status
    assert [(entry.job_id, entry.status) for entry in decided.history] == [(ACTION.name, "pending")]
    return decided


async def test_an_inquiry_is_answered_later_and_kept_while_the_run_is_pending(stage: Stage) -> None:
    stage.warns("no Pod for you")
    stage.inquiries.ask(TRIGGER, ACTION.name)
    stage.inquiries.ask(TRIGGER, ACTION.name)
    assert stage.inquiries.asked_at(TRIGGER.key) == {ACTION.name: stage.now}
    assert stage.inquiries.warnings(TRIGGER.key) == {}
    assert await stage.inquiries.answer() == [TRIGGER.key]
    for _ in range(2):
        assert stage.inquiries.warnings(TRIGGER.key) == {ACTION.name: "no Pod for you"}
        stage.inquiries.settle(TRIGGER.key, pending())
    stage.inquiries.ask(TRIGGER, ACTION.name)
    assert await stage.inquiries.answer() == [], "nothing new"
    stage.inquiries.settle(TRIGGER.key, TRIGGER.status)
    assert stage.inquiries.warnings(TRIGGER.key) == stage.inquiries.asked_at(TRIGGER.key) == {}


async def test_events_are_not_read_again_at_the_deadline(stage: Stage) -> None:
    """A thousand runs can reach their deadlines in the same second."""
    stage.inquiries.ask(TRIGGER, ACTION.name)
    assert await stage.inquiries.answer() == []
    stage.warns("too late")
    await stage.inquiries.ask_now(TRIGGER, ACTION.name)
    assert stage.inquiries.warnings(TRIGGER.key) == {}


async def test_events_are_not_read_for_a_deleted_job(stage: Stage) -> None:
    stage.warns("no Pod for you")
    stage.runs.jobs.drop("search", ACTION.name)
    await stage.inquiries.ask_now(TRIGGER, ACTION.name)
    assert stage.inquiries.warnings(TRIGGER.key) == stage.inquiries.asked_at(TRIGGER.key) == {}


async def test_inquiries_of_a_namespace_share_a_list_and_a_time_budget(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one list for each of a thousand runs that did not start, other triggers fired a minute late."""
    pauses: list[float] = []
    lists: list[str] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def slow(path: str, **_: Any) -> AsyncIterator[tuple[list[Object], str]]:
        lists.append(path)
        clock[0] += 0.5
        event = {"reason": "FailedCreate", "message": "exceeded quota: small"}
        yield [event | {"involvedObject": {"kind": "Job", "name": name}} for name in ("job-3", "job-7", "x")], ""

    clock = [100.0]
    monkeypatch.setattr("clustertrigger.shell.reconciling.inquiries.asyncio.sleep", sleep)
    monkeypatch.setattr("clustertrigger.shell.reconciling.inquiries.time.perf_counter", lambda: clock[0])
    monkeypatch.setattr(stage.api, "pages", slow)
    triggers = [replace(TRIGGER, key=Key("search", f"t{n}")) for n in range(1000)]
    for n, each in enumerate(triggers):
        stage.inquiries.ask(each, f"job-{n}")
    assert await stage.inquiries.answer() == [Key("search", "t3"), Key("search", "t7")]
    assert lists == [paths.events("search")]
    assert pauses == [1.0], "what was found is handed on before the pause"
    for patience in (0, 60):
        clock[0] += patience
        stage.inquiries.ask(triggers[0], "job-0")
        await stage.inquiries.answer()
    assert pauses == [1.0, 4.5, 1.0]


@pytest.mark.parametrize("status", [0, 404])
async def test_a_failed_inquiry_ends_no_task(stage: Stage, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    stage.inquiries.ask(TRIGGER, ACTION.name)

    async def unanswered(*_: Any, **__: Any) -> Object:
        raise ApiError(status, "", "no answer")

    monkeypatch.setattr(stage.api, "list", unanswered)
    assert await stage.inquiries.answer() == []
