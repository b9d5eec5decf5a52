"""Tests of the state of requested Jobs: created, refused for a while, or deleted before a watch reported them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from clustertrigger.api.conditions import EventReason
from clustertrigger.core.decide import decide
from clustertrigger.core.decision import CreateJob, EndJob
from clustertrigger.core.kube import paths
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.observed.kinds import Kind
from clustertrigger.shell.observed.runs import Runs
from clustertrigger.shell.reconciling.job_writer import JobWriter
from harness.control_plane.kube import Object
from tests.core.builders import at, observed, trigger
from tests.shell.reconciling.in_memory import InMemory

TRIGGER = trigger()
QUOTA = "exceeded quota: small"


def due() -> CreateJob:
    """The Job of the first slot."""
    (action,) = decide(TRIGGER, observed(), at(hours=1)).actions
    assert isinstance(action, CreateJob)
    return action


ACTION = due()
PATH = paths.job(TRIGGER.key.namespace, ACTION.name)


class Stage:
    """A writer of Jobs, and the time."""

    def __init__(self) -> None:
        self.now = at(hours=1, seconds=2)
        self.api, self.metrics = InMemory(), Metrics()
        self.runs = Runs(lambda _: None)
        self.writer = JobWriter(self.api, lambda: self.now, self.runs, self.metrics)

    async def create(self) -> None:
        await self.writer.create(TRIGGER, ACTION)

    def knows(self) -> bool:
        return self.runs.has_job(TRIGGER.owner, ACTION.name)

    def fires(self, result: str) -> float:
        labels = {"trigger_type": "interval", "result": result}
        return self.metrics.registry.get_sample_value("clustertrigger_fires_total", labels) or 0.0


@pytest.fixture
def stage() -> Stage:
    return Stage()


def status(reason: str) -> Any:
    """A status whose condition has this reason."""
    (condition,) = [c for c in decide(TRIGGER, observed(), at(1)).status.conditions if c.type == "Running"]
    return replace(TRIGGER.status, conditions=[replace(condition, reason=reason)])


async def test_a_created_job_is_known_before_a_watch_reports_it(stage: Stage) -> None:
    await stage.create()
    assert stage.api.written == [("POST", paths.jobs("search"))]
    assert stage.knows()
    assert stage.fires("created") == 1
    lateness = stage.metrics.registry.get_sample_value("clustertrigger_fire_lateness_seconds_sum")
    assert lateness == 2


async def test_an_existing_job_of_the_trigger_counts_as_created(stage: Stage) -> None:
    """The Job exists because a killed process created it, or because an answer was lost."""
    await stage.create()
    stage.runs.jobs.drop("search", ACTION.name)
    await stage.create()
    assert (stage.fires("created"), stage.fires("existed")) == (1, 1)
    assert stage.knows()
    assert stage.writer.refusals(TRIGGER.key) == {}


async def test_a_job_of_another_owner_is_reported_and_kept(stage: Stage) -> None:
    theirs: Object = {"metadata": {"namespace": "search", "name": ACTION.name, "uid": "theirs"}}
    before = stage.api.put(PATH, theirs)
    await stage.create()
    refusal = stage.writer.refusals(TRIGGER.key)[ACTION.name]
    assert refusal.reason == EventReason.NAME_TAKEN
    assert "does not belong to this trigger: delete it or rename the trigger" in refusal.message
    assert stage.api.objects[PATH] == before
    assert not stage.knows()


async def test_a_refused_job_is_retried_with_doubling_delays(stage: Stage) -> None:
    began, pauses = stage.now, []
    for _ in range(9):
        stage.api.refused = [ApiError(403, "Forbidden", QUOTA)]
        await stage.create()
        refusal = stage.writer.refusals(TRIGGER.key)[ACTION.name]
        assert (refusal.reason, refusal.since) == (EventReason.CREATE_REFUSED, began)
        assert refusal.message.endswith(f"the operator retries until the starting deadline: {QUOTA}")
        pauses.append((refusal.retry_at - stage.now).total_seconds())
        stage.now = refusal.retry_at
    assert pauses == [1, 1, 2, 4, 8, 16, 32, 60, 60]
    assert stage.fires("refused") == 9


async def test_retry_after_of_the_server_is_respected(stage: Stage) -> None:
    stage.api.refused = [ApiError(429, "TooManyRequests", "later", retry_after=7)]
    await stage.create()
    assert stage.writer.refusals(TRIGGER.key)[ACTION.name].retry_at == stage.now + timedelta(seconds=7)


async def test_a_quota_conflict_is_an_ordinary_refusal(stage: Stage) -> None:
    """The API server also answers 409 if two requests increase a quota at the same time."""
    stage.api.refused = [ApiError(409, "Conflict", "the quota has been modified")]
    await stage.create()
    assert stage.writer.refusals(TRIGGER.key)[ACTION.name].reason == EventReason.CREATE_REFUSED


async def test_a_refusal_is_forgotten_after_the_status_reports_none(stage: Stage) -> None:
    stage.api.refused = [ApiError(403, "Forbidden", QUOTA)]
    await stage.create()
    assert not stage.writer.settle(TRIGGER, status("CreateRefused"))
    assert stage.writer.refusals(TRIGGER.key)
    assert not stage.writer.settle(TRIGGER, status("NoActiveRun"))
    assert not stage.writer.refusals(TRIGGER.key)


async def test_a_job_deleted_before_it_is_recorded_has_fired(stage: Stage) -> None:
    await stage.create()
    assert stage.writer.lost(TRIGGER) == {}, "it is there"
    stage.runs.jobs.drop("search", ACTION.name)
    assert list(stage.writer.lost(TRIGGER)) == [ACTION.name]
    assert stage.writer.lost(replace(TRIGGER, uid="another of the name")) == {}
    assert stage.writer.settle(TRIGGER, TRIGGER.status), "its end is still to be decided on"
    assert stage.writer.lost(TRIGGER) == {}, "the status tells of it"


async def test_a_deleted_trigger_leaves_no_memory(stage: Stage) -> None:
    await stage.create()
    stage.runs.jobs.drop("search", ACTION.name)
    stage.api.refused = [ApiError(403, "Forbidden", QUOTA)]
    await stage.create()
    stage.writer.forget(TRIGGER.key)
    assert (stage.writer.lost(TRIGGER), stage.writer.refusals(TRIGGER.key)) == ({}, {})


async def test_a_deleted_job_is_removed_immediately(stage: Stage) -> None:
    await stage.create()
    await stage.writer.delete(TRIGGER, ACTION.name)
    assert not stage.knows()
    assert PATH not in stage.api.objects


async def test_an_ended_run_keeps_its_job(stage: Stage) -> None:
    await stage.create()
    await stage.writer.end(TRIGGER, EndJob(ACTION.name, "did not start"))
    assert stage.api.objects[PATH]["spec"]["activeDeadlineSeconds"] == 1
    assert stage.runs.of(TRIGGER.owner)[ACTION.name].ended_by_operator


async def test_ending_a_deleted_job_does_nothing(stage: Stage) -> None:
    await stage.create()
    del stage.api.objects[PATH]
    await stage.writer.end(TRIGGER, EndJob(ACTION.name, "did not start"))
    assert not stage.knows()


@pytest.mark.parametrize("what", ["end", "look_up"])
async def test_a_failed_request_does_not_change_the_known_job(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    await stage.create()

    async def unanswered(*_: Any) -> Object:
        raise ApiError(0, "ConnectionError", "no answer")

    monkeypatch.setattr(stage.api, "get", unanswered)
    monkeypatch.setattr(stage.api, "merge_patch", unanswered)
    end = partial(stage.writer.end, action=EndJob(ACTION.name, "did not start"))
    look_up = partial(stage.writer.look_up, name=ACTION.name)
    with pytest.raises(ApiError, match="no answer"):
        await (end if what == "end" else look_up)(TRIGGER)
    assert stage.knows()


async def test_a_job_that_a_look_up_does_not_find_is_removed(stage: Stage) -> None:
    await stage.create()
    del stage.api.objects[PATH]
    await stage.writer.look_up(TRIGGER, ACTION.name)
    assert not stage.knows()


async def test_a_look_up_reads_unreported_pods(stage: Stage) -> None:
    await stage.create()
    labels = {"job-name": ACTION.name, "clustertrigger.dev/trigger-uid": TRIGGER.uid}
    metadata = {"namespace": "search", "name": "p", "uid": "p", "labels": labels}
    metadata["creationTimestamp"] = "2026-03-02T13:00:01Z"
    stage.api.put(paths.pod("search", "p"), {"metadata": metadata, "spec": {}, "status": {}})
    await stage.writer.look_up(TRIGGER, ACTION.name)
    assert list(stage.runs.pods.of(TRIGGER.owner)) == ["p"]


@pytest.mark.parametrize("what", ["create", "existed", "end", "change", "look_up"])
async def test_an_answer_does_not_bring_a_deleted_job_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The watch reports the deletion before the answer is handled."""
    kind = Kind("jobs", paths.jobs, stage.runs.jobs)
    if what != "create":
        await stage.create()
    if what == "existed":
        stage.runs.jobs.drop("search", ACTION.name)

    def deleted(raw: Object) -> None:
        kind.saw(raw)
        kind.gone({**raw, "metadata": {**raw["metadata"], "resourceVersion": "1000"}})
        assert not stage.knows()

    def overtaken(method: Any) -> Any:
        async def answer(*arguments: Any) -> Object:
            raw: Object = await method(*arguments)
            deleted(raw)
            return raw

        return answer

    async def pods(*_: Any, **__: Any) -> tuple[list[Object], str]:
        deleted(await InMemory.get(stage.api, PATH))
        return [], "1001"

    name = {"create": "create", "existed": "get", "end": "merge_patch", "change": "merge_patch"}.get(what)
    if name is None:
        monkeypatch.setattr(stage.api, "list", pods)
    else:
        monkeypatch.setattr(stage.api, name, overtaken(getattr(stage.api, name)))
    match what:
        case "create" | "existed":
            await stage.create()
            assert list(stage.writer.lost(TRIGGER)) == [ACTION.name], "it has fired"
        case "end":
            await stage.writer.end(TRIGGER, EndJob(ACTION.name, "did not start"))
        case "change":
            await stage.writer.change("search", ACTION.name, {"spec": {"suspend": True}})
        case _:
            await stage.writer.look_up(TRIGGER, ACTION.name)
    assert not stage.knows()
    stage.runs.jobs.doubt_versions()
    stage.runs.jobs.saw(await InMemory.get(stage.api, PATH))
    assert stage.knows(), "the cluster was restored from a backup"
