"""Tests of which slots are checked, and by which Job."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from clustercontract.check import CHECK_SPEC_VARIABLE, CheckSpec
from clustertrigger.core.decide import decide
from clustertrigger.core.decision import CreateJob
from clustertrigger.core.jobs.slot import CheckSlot
from tests.core.builders import (
    UID,
    at,
    observed,
    run,
    trigger,
)
from tests.core.checked import (
    BASELINE,
    check,
    conditional,
    found,
    world,
)


def test_an_active_check_skips_the_next_slot() -> None:
    it = world()
    it.step(at(hours=1))
    it.step(at(hours=2))
    assert len(it.created) == 1
    assert it.events == [f"SlotSkipped: Skipped a check: check {it.trigger.status.checks[0].job_id} is still active"]
    it.end("completed", check=found(0.42))
    it.step(at(hours=2, minutes=1))
    assert it.created[1:] == ["2026-03-02T13:00:00Z"]


@pytest.mark.parametrize("policy", ["Forbid", "Allow", "Replace"])
def test_an_active_run_skips_the_slot(policy: str) -> None:
    it = world(run={"concurrency_policy": policy})
    it.request(run="now")
    it.step(at(minutes=59))
    it.step(at(hours=1))
    assert it.created == ["manual/now"]
    assert it.events[-1].startswith("SlotSkipped: Skipped a check: run products-")


def test_a_run_replaces_an_active_check() -> None:
    it = world()
    it.step(at(hours=1))
    it.request(run="now")
    it.step(at(hours=1, seconds=5))
    assert it.created == ["check/2026-03-02T13:00:00Z", "manual/now"]
    assert [str(job.slot) for job in it.runs.values()] == ["manual/now"], "the check's Job is deleted"
    it.step(at(hours=1, seconds=6))
    (entry,) = it.trigger.status.checks
    assert entry.error == f"was deleted in favour of the run {it.trigger.status.history[0].job_id}"


def test_an_api_server_whose_clock_is_behind_dates_the_run_before_the_check() -> None:
    it = world()
    it.step(at(hours=1))
    it.request(run="now")
    it.step(at(hours=1, seconds=5))
    it.runs = {name: replace(run, created_at=at(minutes=59)) for name, run in it.runs.items()}
    it.step(at(hours=1, seconds=6))
    (entry,) = it.trigger.status.checks
    assert entry.error == f"was deleted in favour of the run {it.trigger.status.history[0].job_id}"


@pytest.mark.parametrize("status", ["paused", "disabled"])
def test_nothing_is_checked_while_paused(status: str) -> None:
    it = world()
    it.edit(conditional(status=status), at(minutes=30))
    decision = it.step(at(hours=1))
    assert it.created == []
    assert (decision.status.next_scheduled_at, decision.wake_at) == (None, None)


def test_after_downtime_only_the_latest_slot_is_checked_without_an_event() -> None:
    it = world()
    it.step(at(hours=500, minutes=10))
    assert it.created == [str(CheckSlot(at(hours=500)))]
    assert it.events == []


def test_a_slot_past_its_deadline_is_reported() -> None:
    it = world(check_interval_seconds=86_400)
    it.step(at(days=3, hours=5))
    assert it.created == []
    (event,) = it.events
    assert event.startswith("SlotsMissed: Missed 3 slots from 2026-03-03T12:00:00Z to 2026-03-05T12:00:00Z: older than")


def test_the_history_of_checks_keeps_its_limit() -> None:
    it = world(run={"history_limit": 3})
    for hour in range(1, 9):
        check(it, hour, found(hour / 100))
    assert [entry.value for entry in it.trigger.status.checks] == [0.08, 0.07, 0.06]
    it.step(at(hours=8, minutes=5))
    assert len(it.created) == 8, "an old check's Job is no new one"


def test_the_job_of_a_check() -> None:
    snapshot = BASELINE.model_dump(mode="json")
    raw = conditional(run={"check": {"timeout_seconds": 90}, "queue_name": "small", "retries": 2})
    it = trigger(raw, {"baseline_snapshot": snapshot})
    known = decide(it, observed(), at(1)).status
    (action,) = decide(replace(it, status=known), observed(), at(hours=1)).actions
    assert isinstance(action, CreateJob)
    assert str(action.slot) == "check/2026-03-02T13:00:00Z"
    assert action.name.endswith("-c20260302130000")
    job = action.manifest
    assert job["metadata"]["labels"]["clustertrigger.dev/role"] == "check"
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "small"
    assert job["metadata"]["ownerReferences"][0]["uid"] == UID
    assert (job["spec"]["activeDeadlineSeconds"], job["spec"]["backoffLimit"]) == (90, 2)
    assert job["spec"]["ttlSecondsAfterFinished"] == 7200
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"] == ["check"]
    assert container["resources"]["requests"] == {"cpu": "500m", "memory": "512Mi"}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/tmp", "/collections/data", "/results"}
    (variable,) = container["env"]
    assert variable["name"] == CHECK_SPEC_VARIABLE
    said = CheckSpec.model_validate(json.loads(variable["value"]))
    assert (said.check, said.slot, said.metric, said.threshold) == (
        action.name, "2026-03-02T13:00:00Z", "cosine_drift", 0.3,
    )  # fmt: skip
    assert said.baseline == BASELINE
    assert said.results.uri == "/results"
    again = decide(replace(it, status=known), observed([run(str(action.slot))]), at(hours=1, seconds=1))
    assert not again.actions


def test_a_check_whose_job_may_start_again_is_kept_and_not_recorded_again() -> None:
    it = world(run={"history_limit": 1})
    check(it, 1, found(0.1), unfinished=True)
    (first,) = it.runs
    check(it, 2, found(0.1))
    check(it, 3, found(0.1))
    assert [entry.job_id for entry in it.trigger.status.checks][-1] == first
    it.runs[first] = replace(it.runs[first], phase="running")
    it.step(at(hours=3, minutes=1))
    assert list(it.ended) == [first]
    it.runs[first] = replace(it.runs[first], recorded=True)
    for minute in (2, 3):
        status = it.step(at(hours=3, minutes=minute)).status
        assert (len(status.checks), status.checks[0].job_id != first) == (1, True)
    assert [event.partition(":")[0] for event in it.events] == ["NoDrift"] * 3
