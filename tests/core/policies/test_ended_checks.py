"""Tests that measurements are stored and reported, drift fires once, and failures are reported."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustercontract.check import CheckResult
from clustertrigger.core.instants import format_instant
from clustertrigger.core.jobs.slot import CheckSlot
from tests.core.builders import (
    HOURLY,
    World,
    at,
    condition,
)
from tests.core.checked import (
    DRIFTED,
    QUIET,
    check,
    conditional,
    found,
    reasons,
    world,
)
from tests.core.drift.test_drift_rule import measured


def test_a_check_without_drift_is_stored_and_reported() -> None:
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


def test_events_of_one_kind_are_aggregated() -> None:
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
    del it.runs[status.history[0].job_id]  # deleted by a user
    it.step(at(hours=1, seconds=50))
    assert len(it.created) == 2


def counted(now: int) -> CheckResult:
    """A check that counted documents, when the baseline had 6,000."""
    volume = {"metric": "document_count", "noise_floor": 0.0, "assignment_js": None}
    return found(abs(now - 6000) / 6000, current_documents=now, **volume)


VOLUME = {"condition_type": "volume", "metric": "document_count", "threshold": 0.2}


def test_a_change_of_volume_fires_for_the_slot_of_the_check() -> None:
    it = world(**VOLUME)
    check(it, 1, counted(6600))
    quiet = "document_count 0.1 ≤ 0.2 (6000 → 6600 documents)"
    status = it.trigger.status
    assert it.created == ["check/2026-03-02T13:00:00Z"]
    assert it.events == [f"NoVolumeChange: {quiet}"]
    assert status.last_drift_measurement is None
    assert status.last_volume_measurement == {
        "summary": quiet,
        "fires": False,
        "check": status.checks[0].job_id,
        "metric": "document_count",
        "value": 0.1,
        "threshold": 0.3,
        "noise_floor": 0.0,
        "min_documents": 1,
        "baseline_documents": 6000,
        "current_documents": 6600,
        "baseline_run": "r",
        "checked_at": "2026-03-02T00:00:00Z",
    }
    assert status.last_condition_check_at == measured(0).checked_at
    check(it, 2, counted(4500))
    assert it.created[1:] == ["check/2026-03-02T14:00:00Z", "2026-03-02T14:00:00Z"]
    assert it.events[1] == "VolumeChanged: document_count 0.25 > 0.2 (6000 → 4500 documents)"
    assert it.trigger.status.history[0].slot == "2026-03-02T14:00:00Z"


def test_an_emptied_collection_fires_nothing() -> None:
    """A run would find no documents, and fail."""
    it = world(**VOLUME)
    check(it, 1, counted(0))
    assert it.created == ["check/2026-03-02T13:00:00Z"]
    assert it.events == [
        "NoVolumeChange: document_count 1 > 0.2 (6000 → 0 documents): does not fire because "
        "the smaller number of documents, 0, is below min_documents (1)"
    ]


def measured_metrics(it: World) -> list[str | None]:
    """The last measurements of drift and of volume, as in the status."""
    status = it.trigger.status
    stored = (status.last_drift_measurement, status.last_volume_measurement)
    return [None if one is None else one["metric"] for one in stored]


def test_only_the_last_measurement_is_in_the_status() -> None:
    it = world()
    check(it, 1, found(0.084))
    it.edit(conditional(**VOLUME), at(hours=1, minutes=30))
    check(it, 2.5, counted(6600))
    assert measured_metrics(it) == [None, "document_count"]
    it.edit(conditional(), at(hours=3))
    check(it, 4, found(0.084))
    assert measured_metrics(it) == ["cosine_drift", None]


@pytest.mark.parametrize("killed_after", ["check", "run"])
def test_killed_between_a_job_and_the_status(killed_after: str) -> None:
    """The decision was carried out, but its status was not written."""
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
        "NoDrift: cosine_drift 0.5 > 0.3 (floor 0.4, 20 → 20 documents, assignment_js 0.32): does not fire because "
        "the smaller number of documents, 20, is below min_documents (200)"
    ]


def test_failed_checks_do_not_count_as_failed_runs() -> None:
    it = world(run={"max_consecutive_failures": 2})
    check(it, 1, phase="failed", error="S3 does not answer")
    status = it.trigger.status
    assert (status.failure_count, status.consecutive_failures, status.last_execution_status) == (0, 0, None)
    assert (status.consecutive_check_failures, status.last_check_error) == (1, "S3 does not answer")
    assert it.events == ["CheckFailed: The check failed, and the next slot repeats it: S3 does not answer"]
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
    assert it.trigger.status.last_check_error == "the check wrote no result: see its Pod's log"


def test_a_check_whose_job_was_deleted_is_not_repeated() -> None:
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


def test_a_check_that_ends_while_paused_does_not_fire_then_or_later() -> None:
    it = world()
    it.step(at(hours=1))
    it.edit(conditional(status="paused"), at(hours=1, seconds=5))
    it.end("completed", check=found(0.42))
    it.step(at(hours=1, seconds=30))
    assert it.events[-1] == f"NoDrift: {DRIFTED}: does not fire because the trigger is not active"
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
    assert it.events[-1].endswith("does not fire because the schedule was edited since")


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


STEPS = st.lists(
    st.tuples(
        st.integers(1, 5_000),
        st.sampled_from([("completed", 0.1), ("completed", 0.42), ("failed", None), ("pending", None)]),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


@given(STEPS)
def test_a_kill_at_any_time_doubles_nothing_and_loses_no_drift(
    steps: list[tuple[int, tuple[str, float | None], bool]],
) -> None:
    """Each step: time passes, the newest Job may end, a decision is carried out, and its status may be lost."""
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
