"""What becomes of checks: which slots are checked, what fires, what is told."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustercontract.baseline import Baseline
from clustercontract.check import CHECK_SPEC_VARIABLE, CheckResult, CheckSpec
from clustercontract.run import RunResult
from clustertrigger.core.decide import decide
from clustertrigger.core.decision import CreateJob
from clustertrigger.core.instants import format_instant
from clustertrigger.core.jobs.jobs import collections_digest
from clustertrigger.core.jobs.slot import CheckSlot
from tests.core.builders import HOURLY, HOURLY_CHECK, UID, World, at, observed, run, spec, trigger
from tests.core.drift.test_drift_rule import measured

BASELINE = Baseline(
    uri="/results/b.npz", sha256="0" * 64, run="r", documents=6000, dimensions=384, captured_at=at(minutes=1)
)
COLLECTIONS = collections_digest(observed().work)  # type: ignore[arg-type]
SUMMARY = "cosine_drift {} 0.3 (floor 0.002, 6000 → 3000 documents, assignment_js 0.32)"
QUIET, DRIFTED = SUMMARY.format("0.084 ≤"), SUMMARY.format("0.42 >")


def conditional(**changes: Any) -> dict[str, Any]:
    """A conditional trigger's spec; keywords change its schedule, `run` and `status` the spec itself."""
    top = {name: changes.pop(name) for name in ("run", "status") if name in changes}
    return spec(HOURLY_CHECK, schedule_config={**HOURLY_CHECK["schedule_config"], **changes}, **top)  # type: ignore[dict-item]


def world(**changes: Any) -> World:
    """A conditional trigger with a baseline, seen at its creation."""
    snapshot = {**BASELINE.model_dump(mode="json"), "collections": COLLECTIONS}
    made = World(conditional(**changes), status={"baseline_snapshot": snapshot})
    made.step(at(1))
    return made


def check(it: World, hour: float, result: CheckResult | None = None, phase: str = "completed", **fields: Any) -> None:
    """The slot at this hour is checked, and the check ends half a minute later."""
    it.step(at(hours=hour))
    it.end(phase, check=result, **fields)
    it.step(at(hours=hour, seconds=30))


def found(value: float, **fields: Any) -> CheckResult:
    """A check that measured."""
    return CheckResult(status="completed", measurement=measured(value, **fields))


def in_the_way(obstacle: Any, error: str) -> CheckResult:
    """A check that could not compare."""
    return CheckResult(status="completed", obstacle=obstacle, error=error)


def condition(it: World, kind: str) -> tuple[str, str]:
    known = next(c for c in it.trigger.status.conditions if c.type == kind)
    return known.status, known.reason


def reasons(it: World) -> list[str]:
    return [event.split(":")[0] for event in it.events]


def test_without_a_baseline_the_first_slot_runs() -> None:
    it = World(HOURLY_CHECK)
    it.step(at(1))
    assert it.created == []
    ready = it.trigger.status.conditions[0]
    assert ready.message == (
        "The schedule is live: cosine_drift > 0.3 every 1h; the next slot runs: there is no baseline yet"
    )
    it.step(at(hours=1))
    assert it.created == ["2026-03-02T13:00:00Z"]
    result = RunResult(status="completed", num_clusters=3, num_documents=6000, baseline=BASELINE)
    it.end("completed", result=result, collections=COLLECTIONS)
    it.step(at(hours=1, seconds=30))
    assert it.trigger.status.baseline_snapshot == {**BASELINE.model_dump(mode="json"), "collections": COLLECTIONS}
    it.step(at(hours=2))
    assert it.created[1:] == ["check/2026-03-02T14:00:00Z"]


def test_a_baseline_that_cannot_be_read_is_none() -> None:
    it = World(conditional(), status={"baseline_snapshot": {**BASELINE.model_dump(mode="json"), "documents": "many"}})
    it.step(at(1))
    it.step(at(hours=1))
    assert it.created == ["2026-03-02T13:00:00Z"]


def test_a_check_that_finds_nothing_is_stored_and_told() -> None:
    it = world()
    writes = it.writes
    check(it, 1, found(0.084))
    status = it.trigger.status
    assert it.created == ["check/2026-03-02T13:00:00Z"]
    assert status.last_drift_measurement is not None
    assert status.last_drift_measurement["summary"] == QUIET
    assert status.last_drift_measurement["fires"] is False
    assert status.last_drift_measurement["value"] == 0.084
    assert status.last_drift_measurement["check"] == status.checks[0].job_id
    assert status.last_condition_check_at == measured(0).checked_at
    (entry,) = status.checks
    assert (entry.status, entry.value, entry.fires, entry.slot) == ("completed", 0.084, False, at(hours=1))
    assert it.events == [f"NoDrift: {QUIET}"]
    assert it.writes - writes == 2, "one when the check is created, one when it has ended"
    assert status.next_scheduled_at == at(hours=2)
    assert status.check_state is None, "nothing is left to do"
    assert (status.execution_count, status.history, status.last_triggered_at) == (0, [], None)
    assert condition(it, "Ready") == ("True", "Scheduled")


def test_events_of_one_kind_are_one_series() -> None:
    it = world()
    series = []
    for hour, value in ((1, 0.01), (2, 0.02), (3, 0.03)):
        it.step(at(hours=hour))
        it.end("completed", check=found(value))
        series += [event.series for event in it.step(at(hours=hour, seconds=30)).events]
    assert series == ["threshold"] * 3


def test_drift_fires_for_the_slot_of_the_check_once() -> None:
    it = world()
    check(it, 1, found(0.42))
    assert it.created == ["check/2026-03-02T13:00:00Z", "2026-03-02T13:00:00Z"]
    status = it.trigger.status
    assert status.history[0].slot == "2026-03-02T13:00:00Z"
    assert status.checks[0].fires is True
    assert status.last_drift_measurement is not None
    assert status.last_drift_measurement["fires"] is True
    assert it.events[0] == f"DriftDetected: {DRIFTED}"
    assert it.events[1].startswith("RunCreated: ")
    it.step(at(hours=1, seconds=40))
    del it.runs[status.history[0].job_id]  # by hand
    it.step(at(hours=1, seconds=50))
    assert len(it.created) == 2


@pytest.mark.parametrize("killed_after", ["check", "run"])
def test_killed_between_a_job_and_the_status(killed_after: str) -> None:
    """What a decision led to is there, and no status tells of it."""
    it = world()
    if killed_after == "run":
        it.step(at(hours=1))
        it.end("completed", check=found(0.42))
    before = it.trigger
    it.step(at(hours=1, seconds=5))
    created = list(it.created)
    it.trigger = before
    it.step(at(hours=1, seconds=30))
    assert it.created == created
    if killed_after == "check":
        it.end("completed", check=found(0.42))
        it.step(at(hours=1, seconds=40))
    assert it.created == ["check/2026-03-02T13:00:00Z", "2026-03-02T13:00:00Z"]
    assert len(it.trigger.status.history) == len(it.trigger.status.checks) == 1


def test_too_few_documents_do_not_fire() -> None:
    it = world()
    few = {"baseline_documents": 20, "current_documents": 20, "noise_floor": 0.4}
    check(it, 1, found(0.5, **few))
    assert len(it.created) == 1
    assert it.events == [
        "NoDrift: cosine_drift 0.5 > 0.3 (floor 0.4, 20 → 20 documents, assignment_js 0.32): does not fire, "
        "20 documents are fewer than min_documents (200)"
    ]


@pytest.mark.parametrize("obstacle", ["baseline_missing", "baseline_altered"])
def test_a_lost_baseline_is_renewed_by_the_next_slot(obstacle: str) -> None:
    it = world()
    check(it, 1, in_the_way(obstacle, "/results/b.npz: no such file"))
    assert len(it.created) == 1, "it does not fire by itself"
    assert it.events == ["BaselineLost: /results/b.npz: no such file: the next slot runs, to make a new one"]
    status = it.trigger.status
    assert status.last_drift_measurement is not None
    assert status.last_drift_measurement["summary"] == "/results/b.npz: no such file"
    assert condition(it, "Stalled")[0] == "False"
    it.step(at(hours=2))
    assert it.created[1:] == ["2026-03-02T14:00:00Z"]
    renewed = BASELINE.model_copy(update={"run": "newer"})
    it.end("completed", result=RunResult(status="completed", baseline=renewed), collections=COLLECTIONS)
    it.step(at(hours=2, seconds=30))
    it.step(at(hours=3))
    assert it.created[2:] == ["check/2026-03-02T15:00:00Z"]


@pytest.mark.parametrize("obstacle", ["dimensions_changed", "model_changed"])
def test_what_cannot_be_compared_needs_a_person(obstacle: str) -> None:
    it = world()
    check(it, 1, in_the_way(obstacle, "the vectors have 256 dimensions, the baseline's 384"))
    for kind, holds in (("Ready", "False"), ("Stalled", "True")):
        assert condition(it, kind) == (holds, "NotComparable")
    assert it.events[0].startswith("NotComparable: the vectors have 256 dimensions, the baseline's 384: ")
    check(it, 2, in_the_way(obstacle, "the vectors have 256 dimensions, the baseline's 384"))
    assert it.created == ["check/2026-03-02T13:00:00Z", "check/2026-03-02T14:00:00Z"], (
        "it goes on looking, and fires not"
    )
    it.request(run="renew")
    it.step(at(hours=2, minutes=5))
    renewed = BASELINE.model_copy(update={"run": "newer", "dimensions": 256})
    it.end("completed", result=RunResult(status="completed", baseline=renewed), collections=COLLECTIONS)
    it.step(at(hours=2, minutes=6))
    assert condition(it, "Ready") == ("True", "Scheduled")
    assert condition(it, "Stalled")[0] == "False"


def test_other_collections_need_another_baseline() -> None:
    it = world()
    it.work = replace(observed().work, collections=(("col_b", observed().work.collections[0][1]),))  # type: ignore
    it.step(at(hours=1))
    assert it.created == ["2026-03-02T13:00:00Z"]


def test_failed_checks_are_no_failed_runs() -> None:
    it = world(run={"max_consecutive_failures": 2})
    check(it, 1, phase="failed", error="S3 does not answer")
    status = it.trigger.status
    assert (status.failure_count, status.consecutive_failures, status.last_execution_status) == (0, 0, None)
    assert (status.consecutive_check_failures, status.last_check_error) == (1, "S3 does not answer")
    assert it.events == ["CheckFailed: The check failed, the next slot checks again: S3 does not answer"]
    assert condition(it, "Ready") == ("True", "Scheduled")
    check(it, 2, phase="failed", error="S3 does not answer")
    assert condition(it, "Ready") == ("False", "ChecksFailing")
    assert condition(it, "Stalled") == ("True", "ChecksFailing")
    assert reasons(it)[-1] == "ChecksFailing"
    assert it.trigger.status.status == "active"
    check(it, 3, found(0.01))
    assert condition(it, "Ready") == ("True", "Scheduled"), "one that succeeds is enough"
    assert (it.trigger.status.consecutive_check_failures, it.trigger.status.last_check_error) == (0, None)


@pytest.mark.parametrize("act", ["edit", "reset"])
def test_an_edit_or_a_reset_ends_a_row_of_failed_checks(act: str) -> None:
    it = world(run={"max_consecutive_failures": 1})
    check(it, 1, phase="failed", error="S3 does not answer")
    assert condition(it, "Stalled")[0] == "True"
    if act == "edit":
        it.edit(conditional(run={"max_consecutive_failures": 1, "retries": 2}), at(hours=1, minutes=5))
    else:
        it.request(reset="again")
    it.step(at(hours=1, minutes=5))
    assert condition(it, "Stalled")[0] == "False"


def test_a_check_that_left_no_result_has_failed() -> None:
    it = world()
    check(it, 1)
    assert it.trigger.status.last_check_error == "the check left no result: look at its Pod's log"


def test_a_check_whose_job_was_deleted_is_not_made_again() -> None:
    it = world()
    it.step(at(hours=1))
    it.runs.clear()
    it.step(at(hours=1, seconds=5))
    (entry,) = it.trigger.status.checks
    assert (entry.status, entry.error) == ("failed", "the Job was deleted before it ended")
    assert it.trigger.status.consecutive_check_failures == 0, "somebody's wish"
    it.step(at(hours=1, seconds=9))
    assert len(it.created) == 1
    it.step(at(hours=2))
    assert len(it.created) == 2


def test_an_active_check_lets_the_next_slot_pass() -> None:
    it = world()
    it.step(at(hours=1))
    it.step(at(hours=2))
    assert len(it.created) == 1
    assert it.events == [f"SlotSkipped: Skipped a check: check {it.trigger.status.checks[0].job_id} is still active"]
    it.end("completed", check=found(0.42))
    it.step(at(hours=2, minutes=1))
    assert it.created[1:] == ["2026-03-02T13:00:00Z"]


@pytest.mark.parametrize("policy", ["Forbid", "Allow", "Replace"])
def test_an_active_run_lets_the_slot_pass(policy: str) -> None:
    it = world(run={"concurrency_policy": policy})
    it.request(run="now")
    it.step(at(minutes=59))
    it.step(at(hours=1))
    assert it.created == ["manual/now"]
    assert it.events[-1].startswith("SlotSkipped: Skipped a check: run products-")


def test_an_active_check_gives_way_to_a_run() -> None:
    it = world()
    it.step(at(hours=1))
    it.request(run="now")
    it.step(at(hours=1, seconds=5))
    assert it.created == ["check/2026-03-02T13:00:00Z", "manual/now"]
    assert [str(job.slot) for job in it.runs.values()] == ["manual/now"], "the check's Job is deleted"
    it.step(at(hours=1, seconds=6))
    (entry,) = it.trigger.status.checks
    assert entry.error == f"gave way to the run {it.trigger.status.history[0].job_id}"


@pytest.mark.parametrize("status", ["paused", "disabled"])
def test_nothing_is_checked_while_paused(status: str) -> None:
    it = world()
    it.edit(conditional(status=status), at(minutes=30))
    decision = it.step(at(hours=1))
    assert it.created == []
    assert (decision.status.next_scheduled_at, decision.wake_at) == (None, None)


def test_a_check_that_ends_while_paused_does_not_fire_then_or_later() -> None:
    it = world()
    it.step(at(hours=1))
    it.edit(conditional(status="paused"), at(hours=1, seconds=5))
    it.end("completed", check=found(0.42))
    it.step(at(hours=1, seconds=30))
    assert it.events[-1] == f"NoDrift: {DRIFTED}: does not fire, the trigger is not active"
    it.edit(conditional(), at(hours=1, minutes=5))
    it.step(at(hours=1, minutes=5))
    assert len(it.created) == 1


def test_a_check_of_an_earlier_schedule_does_not_fire() -> None:
    it = world()
    it.step(at(hours=1))
    it.edit(conditional(threshold=0.2), at(hours=1, seconds=5))
    it.end("completed", check=found(0.42))
    it.step(at(hours=1, seconds=30))
    assert len(it.created) == 1
    assert it.events[-1].endswith("does not fire, the schedule was edited since")


def test_a_refused_run_is_tried_again_until_its_deadline() -> None:
    it = world(run={"starting_deadline_seconds": 7200})
    it.step(at(hours=1))
    it.end("completed", check=found(0.42))
    it.refuse = True
    decision = it.step(at(hours=1, seconds=30))
    assert decision.status.check_state is not None
    assert decision.status.check_state.due == at(hours=1)
    assert condition(it, "Running") == ("False", "CreateRefused")
    it.step(at(hours=2))
    assert it.events[-1] == "SlotSkipped: Skipped a check: a run is due for the drift that was found"
    it.refuse = False
    it.step(at(hours=2, seconds=30))
    assert it.created[1:] == ["2026-03-02T13:00:00Z"]


def test_a_refused_run_is_given_up_at_its_deadline() -> None:
    it = world()
    it.step(at(hours=1))
    it.end("completed", check=found(0.42))
    it.refuse = True
    it.step(at(hours=1, seconds=30))
    it.step(at(hours=2, seconds=31))
    assert any(
        event.startswith("SlotsMissed: Missed the run for the drift of 2026-03-02T13:00:00Z") for event in it.events
    )
    it.refuse = False
    it.step(at(hours=2, seconds=40))
    assert len(it.created) == 1


def test_after_downtime_only_the_latest_slot_is_checked_and_nothing_is_said() -> None:
    it = world()
    it.step(at(hours=500, minutes=10))
    assert it.created == [str(CheckSlot(at(hours=500)))]
    assert it.events == []


def test_a_slot_past_its_deadline_is_named() -> None:
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


def test_a_check_that_cannot_start_is_ended() -> None:
    it = world(run={"pending_timeout_seconds": 60})
    it.step(at(hours=1))
    (name,) = it.runs
    it.runs[name] = replace(it.runs[name], pending_since=at(hours=1), obstacle="ImagePullBackOff")
    decision = it.step(at(hours=1, seconds=30))
    assert decision.wake_at == at(hours=1, seconds=60)
    it.step(at(hours=1, seconds=60))
    assert it.trigger.status.last_check_error == (
        "did not start within 60 s (run.pending_timeout_seconds): ImagePullBackOff"
    )


def test_a_trigger_that_is_no_longer_conditional_only_records() -> None:
    it = world()
    it.step(at(hours=1))
    it.edit(HOURLY, at(hours=1, seconds=5))
    it.end("completed", check=found(0.42))
    it.step(at(hours=1, seconds=30))
    (entry,) = it.trigger.status.checks
    assert (entry.status, entry.fires) == ("completed", False)
    assert len(it.created) == 1


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


STEPS = st.lists(
    st.tuples(
        st.integers(1, 5_000),
        st.sampled_from([("completed", 0.1), ("completed", 0.42), ("failed", None), ("pending", None)]),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


@settings(deadline=None)
@given(STEPS)
def test_whenever_it_is_killed_nothing_is_doubled_and_no_drift_is_lost(
    steps: list[tuple[int, tuple[str, float | None], bool]],
) -> None:
    """Each step: time passes, the newest Job may end, a decision is carried out, and its status may get lost."""
    it, seconds, drifted = world(run={"max_consecutive_failures": 1000}), 0, set()
    for passed, (phase, value), lost in steps:
        seconds += passed
        if it.runs:
            newest = max(it.runs.values(), key=lambda job: (job.created_at, isinstance(job.slot, CheckSlot)))
            if newest.phase == "pending":
                result = None if value is None else found(value)
                it.runs[newest.job] = replace(newest, phase=phase, check=result)  # type: ignore[arg-type]
                if value == 0.42 and isinstance(newest.slot, CheckSlot):
                    drifted.add(format_instant(newest.slot.instant))
        before = it.trigger
        it.step(at(seconds))
        if lost:
            it.trigger = before
    it.step(at(seconds + 1))
    assert len(set(it.created)) == len(it.created)
    assert {slot for slot in it.created if not slot.startswith("check/")} == drifted
