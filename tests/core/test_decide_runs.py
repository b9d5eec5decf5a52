"""What becomes of runs: results, failures, concurrency, requests by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from clustercontract.baseline import Baseline
from clustercontract.brief import CentralDocument, ClusterBrief
from clustercontract.run import RunResult
from clustertrigger.api.conditions import Reason
from clustertrigger.api.status import LastResult, RunRequest
from clustertrigger.core.decide import decide
from clustertrigger.core.decision import EndJob
from clustertrigger.core.jobs.workload import LeavingPod, Remains
from clustertrigger.core.resources.catalog import Unresolved
from clustertrigger.core.status_patch import status_patch
from tests.core.builders import HOURLY, World, at, observed, run, spec, trigger


def condition(world: World, kind: str) -> tuple[str, str]:
    found = next(c for c in world.trigger.status.conditions if c.type == kind)
    return found.status, found.reason


def message(world: World, kind: str) -> str:
    return next(c for c in world.trigger.status.conditions if c.type == kind).message


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


def started(world: World, phase: Any, **fields: Any) -> str:
    """Fires the first slot of an hourly trigger; its run is in a phase at once."""
    fire(world, 1)
    world.end(phase, **fields)
    (name,) = world.runs
    return name


def test_a_run_that_its_queue_has_let_go_is_not_ended_before_its_clock_starts() -> None:
    """Kueue 0.19 on Kubernetes 1.36: between release and status.startTime, one of three was ended at once."""
    world = World(spec(run={"queue_name": "team", "pending_timeout_seconds": 60, "timeout_seconds": 90}))
    name = started(world, "pending", suspended=True, queue="team", timeout_seconds=90)
    world.step(at(hours=4))
    world.runs[name] = replace(world.runs[name], suspended=False)
    world.step(at(hours=4, seconds=1))
    assert world.ended == {}
    world.end("pending", pending_since=at(hours=4, seconds=2), started_at=at(hours=4, seconds=2))
    assert world.step(at(hours=4, seconds=3)).wake_at == at(hours=4, seconds=32)
    assert world.step(at(hours=4, seconds=32)).wake_at == at(hours=4, seconds=62)
    world.step(at(hours=4, seconds=62))
    assert list(world.ended) == [name]


def test_a_run_that_waits_in_a_queue_says_so_and_again_when_it_is_preempted() -> None:
    world = World(spec(run={"queue_name": "team"}))
    name = started(world, "pending", suspended=True, queue="team")
    world.step(at(hours=1, seconds=1))
    assert message(world, "Running") == f"Active: {name} (queued in LocalQueue team)"
    world.end("running", suspended=False, running_since=at(hours=1, seconds=5))
    assert world.step(at(hours=1, seconds=10)).status.last_execution_status == "running"
    assert message(world, "Running") == f"Active: {name}"
    world.end("pending", suspended=True)
    assert world.step(at(hours=1, seconds=20)).status.last_execution_status == "pending"
    assert message(world, "Running") == f"Active: {name} (queued in LocalQueue team)"


def test_the_time_in_a_queue_is_in_the_history() -> None:
    world = World(spec(run={"queue_name": "team"}))
    started(world, "completed", queue_time_ms=7_000, execution_time_ms=3_000)
    entry = world.step(at(hours=1, seconds=10)).status.history[0]
    assert (entry.queue_time_ms, entry.execution_time_ms) == (7_000, 3_000)


@pytest.mark.parametrize(
    ("obstacle", "is_vague", "warning", "said"),
    [
        ("Unschedulable: Insufficient cpu", False, None, "Unschedulable: Insufficient cpu"),
        ("ContainerCreating", True, 'Multi-Attach error for volume "pvc-1"', 'Multi-Attach error for volume "pvc-1"'),
        ("ContainerCreating", True, None, "ContainerCreating"),
    ],
)
def test_a_run_that_does_not_start_says_why_after_half_a_minute(
    obstacle: str, is_vague: bool, warning: str | None, said: str
) -> None:
    world = World(spec())
    begin = at(hours=1, seconds=1)
    name = started(world, "pending", pending_since=begin, obstacle=obstacle, is_vague=is_vague)
    assert world.step(at(hours=1, seconds=5)).wake_at == begin + timedelta(seconds=30)
    assert message(world, "Running") == f"Active: {name}"
    if warning:
        world.warnings[name] = warning
    looked_up_before = len(world.looked_up)
    world.step(begin + timedelta(seconds=30))
    assert message(world, "Running") == f"Active: {name} (does not start: {said})"
    assert len(world.looked_up) - looked_up_before == (1 if is_vague else 0)
    world.step(begin + timedelta(seconds=31))
    # What events have said once is known.
    assert len(world.looked_up) - looked_up_before == (0 if not is_vague else 1 if warning else 2)
    world.end("running", running_since=begin + timedelta(seconds=40))
    world.step(begin + timedelta(seconds=41))
    assert message(world, "Running") == f"Active: {name}"


def test_the_pause_before_another_attempt_is_not_time_without_a_start() -> None:
    world = World(spec(run={"pending_timeout_seconds": 2}))
    failed_at = at(hours=1, seconds=5)
    name = started(world, "pending", pending_since=failed_at, retry_pause=timedelta(seconds=10))
    world.step(failed_at + timedelta(seconds=11))
    assert world.ended == {}
    world.step(failed_at + timedelta(seconds=12))
    assert list(world.ended) == [name]


SIDECAR = Remains(at(hours=1, seconds=9), ("istio-proxy",))


def test_what_goes_on_after_a_worker_that_has_completed_is_ended_once_the_result_is_stored() -> None:
    world = World()
    result = RunResult(status="completed", num_clusters=5, num_documents=3000, notes=["reduced"])
    name = started(world, "completed", result=result, remains=SIDECAR)
    status = world.step(at(hours=1, seconds=10)).status
    assert (status.last_execution_status, status.history[0].num_clusters) == ("completed", 5)
    assert condition(world, "Running") == ("False", "NoActiveRun")
    said = (
        "container istio-proxy went on after the worker had completed, so the Job is ended: make it a native sidecar, "
        "or keep it out of the Pod"
    )
    assert status.history[0].notes == ["reduced", said]
    assert world.events[-1] == f"WorkerOutlived: Run {name}: {said}"
    assert world.ended == {}, "many a sidecar sees that the worker has ended, and ends too"
    assert world.step(at(hours=1, seconds=13)).wake_at == at(hours=1, seconds=14)
    world.step(at(hours=1, seconds=14))
    assert world.ended == {name: "container istio-proxy went on after the worker had completed"}
    writes = world.writes
    world.end("completed", remains=None)
    status = world.step(at(hours=1, seconds=20)).status
    assert (status.execution_count, status.failure_count, status.consecutive_failures) == (1, 0, 0)
    assert (world.writes, len(world.events)) == (writes, 3)


def test_the_result_is_stored_before_what_goes_on_is_ended() -> None:
    """Ending a Job deletes its Pod, and with it the result."""
    world = World()
    name = started(world, "completed", remains=SIDECAR)
    late = decide(world.trigger, observed(world.runs.values()), at(hours=1, minutes=5))
    assert (late.actions, late.wake_at) == ((), at(hours=1, minutes=5))
    world.step(at(hours=1, minutes=5))
    world.step(at(hours=1, minutes=5))
    assert list(world.ended) == [name]


def test_a_pod_that_failed_by_its_sidecar_is_not_tried_again() -> None:
    world = World()
    name = started(world, "completed", remains=Remains(at(hours=1, seconds=9), ()))
    world.step(at(hours=1, seconds=10))
    world.step(at(hours=1, seconds=10))
    assert list(world.ended) == [name]
    assert world.trigger.status.last_execution_status == "completed"


def test_a_worker_that_failed_beside_a_container_that_goes_on() -> None:
    world = World()
    name = started(world, "running", error="no column 'x'", remains=SIDECAR)
    world.step(at(hours=1, seconds=12))
    assert world.ended == {}
    world.step(at(hours=1, seconds=14))
    status = world.trigger.status
    assert list(world.ended) == [name]
    assert (status.last_execution_status, status.consecutive_failures) == ("failed", 1)
    assert status.last_execution_error == (
        "no column 'x' (container istio-proxy went on, so Kubernetes would make no other attempt)"
    )


REFUSED = 'Error creating: pods "products-" is forbidden: exceeded quota: small, requested: pods=1'


def test_a_run_without_a_pod_fails_in_the_words_of_who_refused_it() -> None:
    world = World(spec(run={"pending_timeout_seconds": 60}))
    name = started(world, "pending", pending_since=at(hours=1), obstacle="no Pod has been created", is_vague=True)
    world.warnings[name] = REFUSED
    world.step(at(hours=1, seconds=60))
    assert world.trigger.status.last_execution_error == (
        f"did not start within 60 s (run.pending_timeout_seconds): {REFUSED}"
    )


def test_a_run_that_never_had_a_pod_until_its_deadline_fails_in_the_same_words() -> None:
    world = World()
    name = started(world, "failed", error="timed out after 5 s", is_vague=True, explained=False)
    world.warnings[name] = REFUSED
    world.step(at(hours=1, seconds=6))
    assert world.trigger.status.last_execution_error == f"no Pod has been created: {REFUSED}"


def test_a_run_whose_pod_waits_with_a_reason_is_not_looked_up() -> None:
    world = World(spec(run={"pending_timeout_seconds": 60}))
    name = started(world, "pending", pending_since=at(hours=1), obstacle="ImagePullBackOff: no such image")
    world.warnings[name] = REFUSED
    world.step(at(hours=1, seconds=60))
    assert "no such image" in str(world.trigger.status.last_execution_error)


def test_a_pod_on_a_dead_node_does_not_block_without_a_word() -> None:
    world = World()
    leaving = LeavingPod("products-x", "node-7", at(hours=1, minutes=5))
    name = started(world, "running", running_since=at(hours=1), leaving=leaving)
    decision = world.step(at(hours=1, minutes=5))
    assert decision.wake_at == at(hours=1, minutes=5, seconds=30)
    assert message(world, "Running") == f"Active: {name}"
    world.step(at(hours=1, minutes=5, seconds=30))
    waits = (
        "waits for Pod products-x on node node-7, which should have ended at 2026-03-02T13:05:00Z: if the node is "
        "down, delete the node, or the Pod with --force"
    )
    assert message(world, "Running") == f"Active: {name} ({waits})"
    fire(world, 2)
    assert world.events[-1] == (
        f"SlotSkipped: Skipped the slot 2026-03-02T14:00:00Z: run {name} is still active, {waits} "
        "(run.concurrency_policy: Forbid)"
    )


MISSING = Unresolved(Reason.COLLECTION_NOT_FOUND, "collection col_a is in no Collection")


def test_a_request_by_hand_whose_reference_is_missing_expires_like_a_slot() -> None:
    world = World(spec(run={"starting_deadline_seconds": 120}))
    world.step(at(1))
    world.work = MISSING
    world.request(run="one")
    assert world.step(at(2)).wake_at == at(122)
    assert world.step(at(60)).wake_at == at(122), "its deadline is computed once"
    world.step(at(122))
    assert world.events[-1] == (
        "RequestIgnored: The run requested by 'one' was given up: older than run.starting_deadline_seconds (120 s), "
        "and until then: collection col_a is in no Collection"
    )
    world.work = None
    world.step(at(130))
    status = world.trigger.status
    assert (world.created, status.last_run_requested, status.waiting_request) == ([], "one", None)


def test_a_request_by_hand_whose_reference_appears_in_time_fires() -> None:
    world = World(spec(run={"starting_deadline_seconds": 120}))
    world.step(at(1))
    world.work = MISSING
    world.request(run="one")
    world.step(at(2))
    assert world.trigger.status.waiting_request == RunRequest(token="one", since=at(2))
    world.request(run="two")
    world.step(at(100))
    world.work = None
    world.step(at(150))
    status = world.trigger.status
    assert (world.created, status.last_run_requested, status.waiting_request) == (["manual/two"], "two", None)


def test_a_request_by_hand_that_is_taken_back_is_forgotten() -> None:
    world = World()
    world.step(at(1))
    world.work = MISSING
    world.request(run="one")
    world.step(at(2))
    world.trigger = replace(world.trigger, run_requested=None)
    assert world.step(at(3)).status.waiting_request is None


def test_a_refused_request_by_hand_expires_also_for_an_operator_that_is_started_anew() -> None:
    world = World(spec(run={"starting_deadline_seconds": 120}))
    world.step(at(1))
    world.refuse = True
    world.request(run="one")
    world.step(at(2))
    world.refusals.clear()
    world.step(at(100))
    world.step(at(122))
    assert world.events[-1].startswith("RequestIgnored: The run requested by 'one' was given up: older than run.")
    assert "quota exceeded" in world.events[-1]


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


def skew(world: World, seconds: float) -> None:
    """The newest Job bears the time of an API server whose clock is behind."""
    name = list(world.runs)[-1]
    world.runs[name] = replace(world.runs[name], created_at=world.runs[name].created_at - timedelta(seconds=seconds))


@pytest.mark.parametrize("ended", [False, True], ids=["still going on", "already ended"])
@pytest.mark.parametrize("behind", [1, 7200, 86_400])
def test_a_job_that_is_dated_before_the_last_recorded_one_is_recorded(behind: float, ended: bool) -> None:
    world = World(spec(run={"concurrency_policy": "Allow"}))
    fire(world, 1)
    first = world.trigger.status
    world.end("completed")
    # Created by a process that was killed before it wrote the status.
    status = world.trigger
    world.step(at(hours=2))
    world.trigger = status
    skew(world, 3600 + behind)
    if ended:
        name = list(world.runs)[-1]
        world.runs[name] = replace(world.runs[name], phase="completed")
    after = world.step(at(hours=2, seconds=30)).status
    assert len(after.history) == 2
    assert after.history[0].slot == "2026-03-02T14:00:00Z"
    assert len(world.created) == 2, "a slot fires once"
    assert first.last_triggered_at is not None
    assert after.last_triggered_at is not None
    assert after.last_triggered_at >= first.last_triggered_at, "what was recorded before must not look new"
    assert after.execution_count == 1 + ended


def test_a_job_that_the_history_limit_has_dropped_is_not_recorded_again() -> None:
    world = World(spec(run={"history_limit": 1}))
    for hour in (1, 2, 3):
        fire(world, hour)
        world.end("completed")
        world.step(at(hours=hour, seconds=30))
    assert len(world.runs) == 3
    assert len(world.trigger.status.history) == 1
    status = world.step(at(hours=3, seconds=60)).status
    assert (len(status.history), status.execution_count) == (1, 3)
