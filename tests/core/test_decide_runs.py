"""What becomes of runs: results, failures, concurrency, requests by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from clustertrigger.api.run import Baseline, CentralDocument, ClusterBrief, RunResult
from clustertrigger.api.status import LastResult
from clustertrigger.core.decide import decide
from clustertrigger.core.decision import EndJob
from clustertrigger.shell.kube.status_patch import status_patch
from tests.core.builders import HOURLY, World, at, observed, run, spec, trigger


def condition(world: World, kind: str) -> tuple[str, str]:
    found = next(c for c in world.trigger.status.conditions if c.type == kind)
    return found.status, found.reason


def effective(world: World) -> str | None:
    return world.trigger.status.status


def fire(world: World, hour: int) -> None:
    world.step(at(hours=hour))


def fail(world: World, hour: int, error: str = "no such column") -> None:
    fire(world, hour)
    world.end("failed", error=error)
    world.step(at(hours=hour, seconds=30))


def test_a_completed_run_is_counted_and_shown() -> None:
    world = World()
    fire(world, 1)
    assert condition(world, "Running") == ("True", "RunActive")
    baseline = Baseline(
        uri="/results/b.npz", sha256="0" * 64, run="r", documents=3000, dimensions=384, captured_at=at(hours=1)
    )
    result = RunResult(status="completed", num_clusters=5, num_documents=3000, baseline=baseline)
    world.end("completed", execution_time_ms=12_000, result=result)
    status = world.step(at(hours=1, seconds=12)).status
    newest = status.history[0]
    assert (status.execution_count, status.failure_count, status.last_execution_status) == (1, 0, "completed")
    assert (newest.num_clusters, newest.num_documents, newest.execution_time_ms) == (5, 3000, 12_000)
    assert status.baseline_snapshot is not None
    assert status.baseline_snapshot["documents"] == 3000
    assert world.events[-1].endswith("completed after 12 s: 5 clusters of 3000 documents")
    assert condition(world, "Running") == ("False", "NoActiveRun")


def test_clusters_of_the_last_successful_run_are_kept_in_brief() -> None:
    world = World()
    clusters = [ClusterBrief(cluster_id=0, name="rust", num_documents=9, central_documents=[_document("librust-dev")])]
    fire(world, 1)
    world.end("completed", result=RunResult(status="completed", num_noise=3, clusters=clusters))
    job = world.step(at(hours=1, seconds=12)).status.history[0].job_id
    fail(world, 2)
    assert world.trigger.status.last_result == LastResult(job_id=job, num_noise=3, clusters=clusters)


def _document(document_id: str) -> CentralDocument:
    return CentralDocument(document_id=document_id, text="library for Rust")


def test_a_run_costs_two_status_writes() -> None:
    world = World()
    world.step(at(1))
    writes = world.writes
    fire(world, 1)
    world.end("running", running_since=at(hours=1, seconds=1))
    world.step(at(hours=1, seconds=2))
    world.end("completed")
    world.step(at(hours=1, seconds=4))
    world.step(at(hours=1, seconds=9))
    assert world.writes - writes == 2


def test_a_long_run_is_shown_as_running() -> None:
    world = World()
    fire(world, 1)
    world.end("running", running_since=at(hours=1, seconds=1))
    decision = world.step(at(hours=1, seconds=2))
    assert decision.status.last_execution_status == "pending"
    assert decision.wake_at == at(hours=1, seconds=6)
    assert world.step(at(hours=1, seconds=6)).status.last_execution_status == "running"


def test_failures_in_a_row_stop_the_trigger_and_an_edit_starts_it_afresh() -> None:
    world = World(spec(run={"max_consecutive_failures": 2}))
    fail(world, 1)
    assert condition(world, "Ready") == ("True", "Scheduled")
    fail(world, 2)
    assert effective(world) == "failed"
    assert condition(world, "Ready") == ("False", "TooManyFailures")
    assert condition(world, "Stalled") == ("True", "TooManyFailures")
    assert sum(event.startswith("TooManyFailures") for event in world.events) == 1
    fire(world, 3)
    assert len(world.created) == 2
    world.edit(spec(run={"max_consecutive_failures": 2}, description="mended"), at(hours=3, minutes=30))
    world.step(at(hours=3, minutes=30))
    assert effective(world) == "active"
    assert len(world.created) == 2, "the slot at 15:00 is past"
    fire(world, 4)
    assert len(world.created) == 3


def test_a_reset_starts_a_failed_trigger_afresh_once() -> None:
    world = World(spec(run={"max_consecutive_failures": 1}))
    fail(world, 1)
    assert effective(world) == "failed"
    world.request(reset="now")
    world.step(at(hours=2, minutes=1))
    status = world.trigger.status
    assert (status.status, status.consecutive_failures, status.last_reset_requested) == ("active", 0, "now")
    assert len(world.created) == 1, "the slot at 14:00 is past"
    fail(world, 3)
    assert effective(world) == "failed", "the same token acts once"


def test_a_success_ends_the_row() -> None:
    world = World(spec(run={"max_consecutive_failures": 2}))
    fail(world, 1)
    fire(world, 2)
    world.end("completed")
    world.step(at(hours=2, seconds=9))
    fail(world, 3)
    status = world.trigger.status
    assert (status.status, status.consecutive_failures, status.failure_count) == ("active", 1, 2)


@pytest.mark.parametrize(
    ("policy", "created", "active", "event"),
    [
        ("Forbid", 1, 1, "SlotSkipped: Skipped the slot 2026-03-02T14:00:00Z: run products-"),
        ("Allow", 2, 2, "RunCreated: Created Job products-"),
        ("Replace", 2, 1, "RunCreated: Created Job products-"),
    ],
)
def test_concurrency(policy: str, created: int, active: int, event: str) -> None:
    world = World(spec(run={"concurrency_policy": policy}))
    fire(world, 1)
    world.step(at(hours=2))
    world.step(at(hours=2, seconds=5))
    assert len(world.created) == created
    assert sum(entry.status == "pending" for entry in world.trigger.status.history) == active
    assert any(said.startswith(event) for said in world.events)


def test_a_replaced_run_is_not_a_failure_in_a_row() -> None:
    world = World(spec(run={"concurrency_policy": "Replace"}))
    fire(world, 1)
    fire(world, 2)
    world.step(at(hours=2, seconds=5))
    status = world.trigger.status
    assert (status.failure_count, status.consecutive_failures) == (1, 0)
    assert status.history[1].error == f"replaced by {status.history[0].job_id} (run.concurrency_policy: Replace)"


def test_a_run_held_in_a_queue_counts_as_active_and_may_wait() -> None:
    world = World(spec(run={"queue_name": "team", "pending_timeout_seconds": 60}))
    fire(world, 1)
    world.end("pending", suspended=True, pending_since=at(hours=1))
    fire(world, 2)
    assert len(world.created) == 1
    assert world.runs[next(iter(world.runs))].phase == "pending"


def test_a_run_that_cannot_start_is_ended_with_the_pods_reason() -> None:
    stuck = run(at(hours=1), pending_since=at(hours=1), obstacle="ImagePullBackOff: no such image")
    world = World(spec(run={"pending_timeout_seconds": 60}))
    world.step(at(1))
    world.runs[stuck.job] = stuck
    assert world.step(at(hours=1, seconds=59)).wake_at == at(hours=1, seconds=60)
    world.step(at(hours=1, seconds=60))
    status = world.trigger.status
    assert status.last_execution_status == "failed"
    assert status.last_execution_error == (
        "did not start within 60 s (run.pending_timeout_seconds): ImagePullBackOff: no such image"
    )


def test_a_run_that_kubernetes_does_not_end_in_time_is_ended() -> None:
    """A Job has been seen to outlive its activeDeadlineSeconds on Kubernetes 1.20."""
    slow = run(at(hours=1), "running", started_at=at(hours=1), timeout_seconds=60, running_since=at(hours=1))
    world = World()
    world.step(at(1))
    world.runs[slow.job] = slow
    assert world.step(at(hours=1, seconds=65)).wake_at == at(hours=1, seconds=70)
    world.step(at(hours=1, seconds=70))
    status = world.trigger.status
    assert status.last_execution_status == "failed"
    assert status.last_execution_error == "timed out after 60 s: raise run.timeout_seconds or give the run less to do"


def test_a_run_is_ended_once() -> None:
    entry = {"job_id": run(at(hours=1)).job, "slot": "s", "triggered_at": at(hours=1).isoformat(), "status": "pending"}
    ended = run(at(hours=1), pending_since=at(hours=1), ended_by_operator=True)
    decision = decide(trigger(status={"history": [entry]}), observed([ended]), at(hours=1, minutes=30))
    assert not any(isinstance(action, EndJob) for action in decision.actions)


def test_an_unexplained_end_is_looked_up_before_it_is_judged() -> None:
    world = World()
    fire(world, 1)
    world.end("failed", explained=False, error="the Job failed and left no reason")
    undecided = decide(world.trigger, observed(world.runs.values()), at(hours=1, seconds=9))
    assert [type(action).__name__ for action in undecided.actions] == ["LookUpJob"]
    assert world.step(at(hours=1, seconds=9)).status.last_execution_status == "failed"


def test_a_job_that_the_watch_does_not_show_is_looked_up_before_it_is_called_gone() -> None:
    """keda #5537: an outage was read as "0 running"."""
    world = World()
    fire(world, 1)
    undecided = decide(world.trigger, observed(), at(hours=2))
    assert [type(action).__name__ for action in undecided.actions] == ["LookUpJob"]


def test_a_deleted_job_is_recorded_and_not_a_failure_in_a_row() -> None:
    world = World()
    fire(world, 1)
    world.runs.clear()
    status = world.step(at(hours=1, seconds=5)).status
    assert status.history[0].error == "the Job was deleted before it ended"
    assert (status.last_execution_status, status.consecutive_failures) == ("failed", 0)


def test_a_refused_create_is_tried_until_the_deadline_and_is_not_a_failed_run() -> None:
    world = World(spec(run={"starting_deadline_seconds": 120}))
    world.step(at(1))
    world.refuse = True
    decision = world.step(at(hours=1))
    assert condition(world, "Running") == ("False", "CreateRefused")
    assert decision.wake_at == at(hours=1, seconds=30)
    assert sum(event.startswith("CreateRefused") for event in world.events) == 1
    writes = world.writes
    world.step(at(hours=1, seconds=30))
    world.step(at(hours=1, seconds=60))
    assert world.writes == writes, "a repeated refusal is no news"
    world.refuse = False
    world.step(at(hours=1, seconds=90))
    assert world.created == ["2026-03-02T13:00:00Z"]
    assert world.trigger.status.failure_count == 0


def test_a_create_that_is_refused_to_the_end_is_a_missed_slot() -> None:
    world = World(spec(run={"starting_deadline_seconds": 60}))
    world.step(at(1))
    world.refuse = True
    world.step(at(hours=1))
    world.step(at(hours=1, seconds=30))
    world.step(at(hours=1, seconds=60))
    assert world.events[-1] == (
        "SlotsMissed: Missed the slot 2026-03-02T13:00:00Z: older than run.starting_deadline_seconds (60 s), "
        "and until then: quota exceeded"
    )
    assert condition(world, "Running") == ("False", "NoActiveRun")
    assert (world.trigger.status.failure_count, world.trigger.status.history) == (0, [])


@pytest.mark.parametrize(
    ("case", "raw_spec", "fired", "event"),
    [
        ("active", HOURLY, ["manual/one"], "RunCreated: Created Job products-"),
        (
            "paused",
            spec(status="paused"),
            [],
            "RequestIgnored: The run requested by 'one' was not started: the trigger",
        ),
        (
            "disabled",
            spec(status="disabled"),
            [],
            "RequestIgnored: The run requested by 'one' was not started: the trigger",
        ),
    ],
)
def test_a_request_by_hand_acts_once(case: str, raw_spec: dict[str, Any], fired: list[str], event: str) -> None:
    world = World(raw_spec)
    world.step(at(1))
    world.request(run="one")
    world.step(at(2))
    world.step(at(3))
    assert world.created == fired, case
    assert world.trigger.status.last_run_requested == "one"
    assert sum(said.startswith(event) for said in world.events) == 1


def test_a_request_by_hand_moves_no_schedule() -> None:
    world = World()
    before = world.step(at(1)).status.next_scheduled_at
    world.request(run="one")
    assert world.step(at(2)).status.next_scheduled_at == before
    world.end("completed")
    world.step(at(10))
    fire(world, 1)
    assert world.created == ["manual/one", "2026-03-02T13:00:00Z"]


def test_a_request_by_hand_obeys_the_concurrency_policy() -> None:
    world = World()
    fire(world, 1)
    world.request(run="one")
    world.step(at(hours=1, seconds=5))
    assert len(world.created) == 1
    assert "is still active" in world.events[-1]


def test_a_request_at_the_same_instant_as_a_slot_does_not_pass_the_policy() -> None:
    world = World()
    world.step(at(1))
    world.request(run="one")
    fire(world, 1)
    assert world.created == ["2026-03-02T13:00:00Z"]
    assert world.trigger.status.last_run_requested == "one"


def test_an_invalid_spec_needs_a_person() -> None:
    world = World({**HOURLY, "trigger_type": "cron", "schedule_config": {"cron_expression": "61 * * * *"}})
    decision = world.step(at(1))
    assert condition(world, "Ready") == ("False", "InvalidSpec")
    assert condition(world, "Stalled") == ("True", "InvalidSpec")
    assert decision.wake_at is None
    assert sum(event.startswith("InvalidSpec") for event in world.events) == 1
    world.step(at(2))
    assert len(world.events) == 1
    world.edit(HOURLY, at(minutes=90))
    world.step(at(minutes=90))
    assert condition(world, "Ready") == ("True", "Scheduled")
    assert world.created == [], "13:00 was past when the spec was mended"


@pytest.mark.parametrize(
    ("raw_spec", "ready", "stalled"),
    [
        (HOURLY, ("True", "Scheduled"), "False"),
        (spec(status="paused"), ("True", "Paused"), "False"),
        (spec(status="disabled"), ("True", "Disabled"), "False"),
        (spec(status="failed"), ("False", "MarkedFailed"), "True"),
        (
            spec(
                trigger_type="conditional",
                schedule_config={
                    "condition_type": "drift",
                    "threshold": 0.3,
                    "metric": "cosine_drift",
                    "check_interval_seconds": 60,
                },
            ),
            ("True", "Scheduled"),
            "False",
        ),
    ],
)
def test_conditions(raw_spec: dict[str, Any], ready: tuple[str, str], stalled: str) -> None:
    world = World(raw_spec)
    world.step(at(1))
    assert condition(world, "Ready") == ready
    assert condition(world, "Stalled")[0] == stalled


def test_conditions_keep_the_time_of_their_last_change() -> None:
    world = World()
    world.step(at(1))
    fire(world, 1)
    times = {c.type: c.lastTransitionTime for c in world.trigger.status.conditions}
    assert times["Ready"] == at(1)
    assert times["Running"] == at(hours=1)


def test_an_unknown_cluster_id_is_absent_not_empty() -> None:
    known = trigger()
    decision = decide(known, replace(observed(), cluster_id=""), at(1))
    assert "internal_id" not in status_patch(known.raw_status, decision.status)
