"""Tests that the operator ends runs that Kubernetes would not end in time, and gives a reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from clustercontract.run import RunResult
from clustertrigger.core.decide import decide
from clustertrigger.core.decision import EndJob
from clustertrigger.core.jobs.workload import LeavingPod, Remains
from tests.core import checked
from tests.core.builders import World, at, condition, fire, message, observed, run, spec, started, trigger


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


@pytest.mark.parametrize("seconds", [10**10, 10**12, 2**63 - 1])
def test_a_job_with_any_deadline_does_not_stop_its_trigger(seconds: int) -> None:
    """Users can change the activeDeadlineSeconds of a Job."""
    world = World(spec(run={"concurrency_policy": "Allow"}))
    fire(world, 1)
    world.end("running", started_at=at(hours=1), timeout_seconds=seconds, running_since=at(hours=1))
    fire(world, 2)
    assert len(world.created) == 2


def test_a_run_that_kubernetes_does_not_end_in_time_is_ended() -> None:
    """On Kubernetes 1.20, a Job outlived its activeDeadlineSeconds."""
    slow = run(at(hours=1), "running", started_at=at(hours=1), timeout_seconds=60, running_since=at(hours=1))
    world = World()
    world.step(at(1))
    world.runs[slow.job] = slow
    assert world.step(at(hours=1, seconds=65)).wake_at == at(hours=1, seconds=70)
    world.step(at(hours=1, seconds=70))
    status = world.trigger.status
    assert status.last_execution_status == "failed"
    assert status.last_execution_error == "timed out after 60 s: raise run.timeout_seconds or reduce the amount of data"


def test_an_admitted_run_is_not_ended_before_its_start_time() -> None:
    """Kueue 0.19 on Kubernetes 1.36: one of three Jobs was ended between its release and status.startTime."""
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


def test_why_a_run_cannot_get_into_its_queue_is_said() -> None:
    world = World(spec(run={"queue_name": "team"}))
    name = started(world, "pending", suspended=True, queue="team", queue_obstacle="Kueue is missing")
    status = world.step(at(hours=4)).status
    (running,) = (one for one in status.conditions if one.type == "Running")
    assert running.message == f"Active: {name} (queued in LocalQueue team: Kueue is missing)"


@pytest.mark.parametrize("phase", ["pending", "running"])
def test_a_started_run_says_that_its_queue_counts_it_only_in_part(phase: str) -> None:
    world = World(spec(run={"queue_name": "team"}))
    name = started(world, phase, queue="team", queue_obstacle="Kueue counts only one Pod")
    status = world.step(at(hours=4)).status
    (running,) = (one for one in status.conditions if one.type == "Running")
    assert running.message == f"Active: {name} (Kueue counts only one Pod)"


BEHIND, AHEAD = timedelta(minutes=-25), timedelta(hours=2)
"""The Job controller's clock, compared with the API server's."""


@pytest.mark.parametrize(
    ("phase", "fields"),
    [
        ("running", {"running_since": at(hours=1, seconds=3)}),
        ("pending", {"obstacle": "the Pod has not started", "retry_pause": timedelta(seconds=10)}),
    ],
)
@pytest.mark.parametrize("skew", [BEHIND, AHEAD, timedelta(0), timedelta(minutes=30), timedelta(seconds=-12)])
def test_the_job_controllers_clock_does_not_end_a_run_early(
    skew: timedelta, phase: Any, fields: dict[str, Any]
) -> None:
    for is_check in (False, True):
        world = checked.world() if is_check else World()
        start = at(hours=1, seconds=1) + skew
        name = started(world, phase, started_at=start, pending_since=start, timeout_seconds=600, **fields)
        for seconds in (5, 590):
            world.step(at(hours=1, seconds=seconds))
            assert world.ended == {}
        world.step(at(hours=1, minutes=45))
        assert list(world.ended) == [name]


@pytest.mark.parametrize("phase", ["pending", "running"])
@pytest.mark.parametrize("skew", [BEHIND, AHEAD, timedelta(0)])
@pytest.mark.parametrize("is_check", [False, True])
def test_a_run_that_was_queued_counts_from_its_release(skew: timedelta, phase: Any, is_check: bool) -> None:
    world = checked.world() if is_check else World(spec(run={"queue_name": "team"}))
    name = started(world, "pending", suspended=True, queue="team", timeout_seconds=1200)
    world.step(at(hours=4))
    start = at(hours=4) + skew
    admitted = {"phase": phase, "suspended": False, "started_at": start, "pending_since": start}
    world.runs[name] = replace(world.runs[name], **admitted, not_before=at(hours=4), obstacle="ImagePullBackOff")
    for seconds in (1, 590):
        world.step(at(hours=4, seconds=seconds))
        assert world.ended == {}
    world.step(at(hours=4, minutes=21))
    assert list(world.ended) == [name]


@pytest.mark.parametrize("phase", ["pending", "running"])
def test_a_released_run_of_an_unknown_time_is_left_to_kubernetes(phase: Any) -> None:
    """The Job controller applies the deadline by its own clock, which is two hours ahead."""
    world = World(spec(run={"queue_name": "team"}))
    name = started(world, "pending", suspended=True, queue="team", timeout_seconds=1200)
    world.step(at(hours=4))
    admitted = {"phase": phase, "suspended": False, "started_at": at(hours=6), "pending_since": at(hours=6)}
    world.runs[name] = replace(world.runs[name], **admitted)
    world.step(at(hours=4, seconds=1))
    assert world.ended == {}


def test_the_delay_before_a_retry_does_not_count_as_pending() -> None:
    world = World(spec(run={"pending_timeout_seconds": 2}))
    failed_at = at(hours=1, seconds=5)
    name = started(world, "pending", pending_since=failed_at, retry_pause=timedelta(seconds=10))
    world.step(failed_at + timedelta(seconds=11))
    assert world.ended == {}
    world.step(failed_at + timedelta(seconds=12))
    assert list(world.ended) == [name]


SIDECAR = Remains(at(hours=1, seconds=9), ("istio-proxy",))


def test_a_remaining_sidecar_is_ended_after_the_result_is_stored() -> None:
    world = World()
    result = RunResult(status="completed", num_clusters=5, num_documents=3000, notes=["reduced"])
    name = started(world, "completed", result=result, remains=SIDECAR)
    status = world.step(at(hours=1, seconds=10)).status
    assert (status.last_execution_status, status.history[0].num_clusters) == ("completed", 5)
    assert condition(world, "Running") == ("False", "NoActiveRun")
    said = (
        "container istio-proxy was still running after the worker had completed, so the operator ended the Job: make "
        "it a native sidecar, or exclude it from the Pod"
    )
    assert status.history[0].notes == ["reduced", said]
    assert world.events[-1] == f"WorkerOutlived: Run {name}: {said}"
    assert world.ended == {}, "many a sidecar sees that the worker has ended, and ends too"
    assert world.step(at(hours=1, seconds=13)).wake_at == at(hours=1, seconds=14)
    world.step(at(hours=1, seconds=14))
    assert world.ended == {name: "container istio-proxy was still running after the worker had completed"}
    writes = world.writes
    world.end("completed", remains=None)
    status = world.step(at(hours=1, seconds=20)).status
    assert (status.execution_count, status.failure_count, status.consecutive_failures) == (1, 0, 0)
    assert (world.writes, len(world.events)) == (writes, 3)


def test_the_result_is_stored_before_a_sidecar_is_ended() -> None:
    """Ending a Job deletes its Pod, and with it the result."""
    world = World()
    name = started(world, "completed", remains=SIDECAR)
    late = decide(world.trigger, observed(world.runs.values()), at(hours=1, minutes=5))
    assert (late.actions, late.wake_at) == ((), at(hours=1, minutes=5))
    world.step(at(hours=1, minutes=5))
    world.step(at(hours=1, minutes=5))
    assert list(world.ended) == [name]


def test_a_pod_whose_sidecar_failed_is_not_retried() -> None:
    world = World()
    name = started(world, "completed", remains=Remains(at(hours=1, seconds=9), ()))
    world.step(at(hours=1, seconds=10))
    world.step(at(hours=1, seconds=10))
    assert list(world.ended) == [name]
    assert world.trigger.status.last_execution_status == "completed"


AGAIN = "its Pod was deleted after the worker had completed"


@pytest.mark.parametrize(
    ("case", "fields", "ended"),
    [
        ("its Pod is being deleted", {"remains": Remains(at(hours=1, seconds=9), (), deleted=True)}, AGAIN),
        ("its Pod is gone", {"phase": "pending"}, AGAIN),
        ("another attempt runs", {"phase": "running", "running_since": at(hours=1, seconds=30)}, AGAIN),
        (
            "another attempt failed beside a sidecar",
            {"phase": "running", "error": "no column 'x'", "remains": SIDECAR},
            AGAIN,
        ),
        ("the operator has ended it", {"phase": "running", "ended_by_operator": True}, None),
        ("it is being deleted", {"phase": "running", "deleting": True}, None),
        ("Kubernetes is about to complete it", {"unfinished": True}, None),
    ],
)
@pytest.mark.parametrize("kind", ["run", "check"])
def test_a_completed_worker_does_not_run_again(kind: str, case: str, fields: dict[str, Any], ended: str | None) -> None:
    world = checked.world() if kind == "check" else World()
    name = started(world, "completed", **({"check": checked.found(0.1)} if kind == "check" else {}))
    world.step(at(hours=1, seconds=20))
    world.runs[name] = replace(world.runs[name], **fields)
    status = world.step(at(hours=1, seconds=40)).status
    assert world.ended == ({name: ended} if ended else {}), case
    recorded = status.checks[0].status if kind == "check" else status.history[0].status
    assert (recorded, len(world.created), status.failure_count) == ("completed", 1, 0)


@pytest.mark.parametrize("kind", ["run", "check"])
def test_a_pod_that_is_being_deleted_gets_no_time_for_its_sidecar(kind: str) -> None:
    world = checked.world() if kind == "check" else World()
    remains = Remains(at(hours=1, seconds=1), (), deleted=True)
    name = started(world, "completed", remains=remains, **({"check": checked.found(0.1)} if kind == "check" else {}))
    world.step(at(hours=1, seconds=2))
    assert world.ended == {}, "the result is stored first"
    world.step(at(hours=1, seconds=2))
    assert world.ended == {name: AGAIN}


@pytest.mark.parametrize(
    ("case", "fields"),
    [
        ("its Pod is gone", {"phase": "pending"}),
        ("its Pod is being deleted", {"remains": Remains(at(hours=1, seconds=9), (), deleted=True)}),
        ("it was ended before its queue suspended it", {"phase": "pending", "ended_by_operator": True}),
    ],
)
def test_a_completed_run_that_is_suspended_is_not_resumed(case: str, fields: dict[str, Any]) -> None:
    """The deadline of a suspended Job does not count, and its Pods are deleted."""
    world = World(spec(run={"queue_name": "team"}))
    name = started(world, "completed")
    world.step(at(hours=1, seconds=20))
    world.runs[name] = replace(world.runs[name], suspended=True, queue="team", **fields)
    status = world.step(at(hours=1, seconds=40)).status
    assert (name in world.runs, status.execution_count, status.failure_count) == (False, 1, 0), case
    assert name in world.ended, "a late report of the deleted Job must not look like a new run"


@pytest.mark.parametrize("own_workload", [False, True])
def test_a_run_that_is_suspended_while_the_operator_ends_it_blocks_no_slot(own_workload: bool) -> None:
    """The deadline of a suspended Job does not count. Kueue's own Job waits in its queue until a user resumes it."""
    world = World(spec(run={"queue_name": "team"}))
    suspended = {"suspended": True, "ended_by_operator": True, "unfinished": True, "own_workload": own_workload}
    name = started(world, "failed", error="timed out after 60 s", queue="team", **suspended)
    status = world.step(at(hours=1, seconds=40)).status
    assert (status.last_execution_status, status.last_execution_error) == ("failed", "timed out after 60 s")
    assert name in world.runs, "the failure is stored first"
    world.step(at(hours=1, seconds=40))
    assert (name in world.runs) is own_workload, "the operator resumes a Job with a Workload of its own without Pods"
    fire(world, 2)
    assert (len(world.created), world.trigger.status.failure_count) == (2, 1)


def test_a_completed_run_with_the_operators_workload_is_ended_in_its_queue() -> None:
    world = World(spec(run={"queue_name": "team"}))
    name = started(world, "completed")
    world.step(at(hours=1, seconds=20))
    suspended = replace(world.runs[name], phase="pending", suspended=True, queue="team", own_workload=True)
    world.runs[name] = suspended
    ended = decide(world.trigger, observed(world.runs.values()), at(hours=1, seconds=40))
    assert ended.actions == (EndJob(name, AGAIN, completed=True, unstarted=True),)
    world.runs[name] = replace(suspended, ended_by_operator=True)
    assert decide(world.trigger, observed(world.runs.values()), at(hours=1, seconds=40)).actions == ()


def test_a_worker_that_failed_beside_a_running_container() -> None:
    world = World()
    name = started(world, "running", error="no column 'x'", remains=SIDECAR)
    world.step(at(hours=1, seconds=12))
    assert world.ended == {}
    world.step(at(hours=1, seconds=14))
    status = world.trigger.status
    assert list(world.ended) == [name]
    assert (status.last_execution_status, status.consecutive_failures) == ("failed", 1)
    assert status.last_execution_error == (
        "no column 'x' (container istio-proxy was still running, so Kubernetes would not retry)"
    )


REFUSED = 'Error creating: pods "products-" is forbidden: exceeded quota: small, requested: pods=1'


def test_a_run_without_a_pod_fails_with_the_quoted_refusal() -> None:
    world = World(spec(run={"pending_timeout_seconds": 60}))
    name = started(world, "pending", pending_since=at(hours=1), obstacle="no Pod has been created", is_vague=True)
    world.warnings[name] = REFUSED
    world.step(at(hours=1, seconds=60))
    assert world.trigger.status.last_execution_error == (
        f"did not start within 60 s (run.pending_timeout_seconds): {REFUSED}"
    )


def test_a_run_without_a_pod_until_its_deadline_fails_with_the_refusal() -> None:
    world = World()
    name = started(world, "failed", error="timed out after 5 s", is_vague=True, explained=False)
    world.warnings[name] = REFUSED
    world.step(at(hours=1, seconds=6))
    assert world.trigger.status.last_execution_error == f"no Pod has been created: {REFUSED}"


def test_the_reason_of_a_pending_run_is_read_less_and_less_often() -> None:
    world = World(spec(run={"pending_timeout_seconds": 3600}))
    began = at(hours=1)
    started(world, "pending", pending_since=began, obstacle="no Pod has been created", is_vague=True)
    asked, now = [], began + timedelta(seconds=1)
    while now < began + timedelta(seconds=3600):
        before = len(world.looked_up)
        wake_at = world.step(now).wake_at
        asked += [(now - began).total_seconds()] * (len(world.looked_up) - before)
        assert wake_at is not None
        assert wake_at > now
        now = wake_at
    assert asked == [30, 90, 150, 270, 510, 990, 1950]


def test_a_run_whose_pod_waits_with_a_reason_is_not_looked_up() -> None:
    world = World(spec(run={"pending_timeout_seconds": 60}))
    name = started(world, "pending", pending_since=at(hours=1), obstacle="ImagePullBackOff: no such image")
    world.warnings[name] = REFUSED
    world.step(at(hours=1, seconds=60))
    assert "no such image" in str(world.trigger.status.last_execution_error)


def test_a_pod_on_a_dead_node_is_reported() -> None:
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


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("PreemptionByScheduler", "preempted by a more urgent Pod"),
        ("EvictionByEvictionAPI", "evicted, for example because its node is drained"),
        ("DeletionByTaintManager", "evicted by a taint of its node"),
        ("TerminationByKubelet", "ended by its node, which is shutting down or short of resources"),
        ("AnotherReason", None),
        ("", None),
    ],
)
def test_a_disruption_is_reported_while_the_pod_ends(reason: str, said: str | None) -> None:
    world = World()
    leaving = LeavingPod("products-x", "node-7", at(hours=1, minutes=5), reason)
    name = started(world, "running", running_since=at(hours=1), leaving=leaving)
    world.step(at(hours=1, minutes=4))
    told = f" ({said}: Pod products-x ends by 2026-03-02T13:05:00Z, and the run starts again)" if said else ""
    assert message(world, "Running") == f"Active: {name}{told}"
    world.step(at(hours=1, minutes=5, seconds=30))
    assert "waits for Pod products-x on node node-7" in message(world, "Running")


def test_a_run_ended_by_the_operator_is_not_retried() -> None:
    world = World()
    leaving = LeavingPod("products-x", "node-7", at(hours=1, minutes=5), "PreemptionByScheduler")
    name = started(world, "running", running_since=at(hours=1), leaving=leaving, ended_by_operator=True)
    world.step(at(hours=1, minutes=4))
    assert message(world, "Running") == f"Active: {name}"


def test_a_run_is_ended_once() -> None:
    entry = {"job_id": run(at(hours=1)).job, "slot": "s", "triggered_at": at(hours=1).isoformat(), "status": "pending"}
    ended = run(at(hours=1), pending_since=at(hours=1), ended_by_operator=True)
    decision = decide(trigger(status={"history": [entry]}), observed([ended]), at(hours=1, minutes=30))
    assert not any(isinstance(action, EndJob) for action in decision.actions)
