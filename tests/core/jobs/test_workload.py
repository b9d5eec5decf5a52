"""Tests of the state of a Job and its Pods, and of the reasons that Kubernetes gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clustercontract.check import CheckResult
from clustercontract.run import RunResult
from clustertrigger.core.jobs.workload import LeavingPod
from tests.core.jobs.raw import QUEUED, clock, condition, failed, job, observe, pod, terminated


@pytest.mark.parametrize(
    ("case", "raw_job", "pods", "error"),
    [
        (
            "the worker says why",
            job(failed()),
            [pod(terminated(message=RunResult(status="failed", error="no column 'x'").to_message()))],
            "no column 'x'",
        ),
        (
            "killed by its memory limit",
            job(failed()),
            [pod(terminated(reason="OOMKilled", exitCode=137))],
            "OOMKilled: the worker needed more than its memory limit of 512Mi: raise run.resources.limits.memory",
        ),
        (
            "out of time",
            job(failed("DeadlineExceeded")),
            [],
            "timed out after 600 s: raise run.timeout_seconds or reduce the amount of data",
        ),
        (
            "ended by the operator",
            job(
                failed("DeadlineExceeded"),
                annotations={**job()["metadata"]["annotations"], "clustertrigger.dev/failure": "stuck"},
            ),
            [],
            "stuck",
        ),
        (
            "the worker died without a word",
            job(failed()),
            [pod(terminated(exitCode=139, message="Segmentation\n fault\n"))],
            "the worker ended with exit code 139: Segmentation fault",
        ),
        (
            "evicted",
            job(failed()),
            [pod(None, phase="Failed", reason="Evicted", message="The node was low on resource: memory.")],
            "The node was low on resource: memory.",
        ),
        ("nobody knows", job(failed()), [], "Job has reached the specified backoff limit"),
        (
            "the last attempt counts",
            job(failed()),
            [pod(terminated(exitCode=7), created="2026-03-02T13:00:30Z"), pod(terminated(exitCode=6))],
            "the worker ended with exit code 7: Error",
        ),
    ],
)
def test_why_a_run_failed(case: str, raw_job: dict[str, Any], pods: list[dict[str, Any]], error: str) -> None:
    run = observe(raw_job, *pods)
    assert (run.phase, run.error) == ("failed", error), case
    assert run.execution_time_ms == 60_000


def test_a_completed_run_carries_the_workers_result() -> None:
    complete = [{"type": "Complete", "status": "True", "lastTransitionTime": "2026-03-02T13:01:01Z"}]
    message = RunResult(status="completed", num_clusters=5, num_documents=3000).to_message()
    run = observe(
        job(complete, {"completionTime": "2026-03-02T13:00:31Z"}), pod(terminated(exitCode=0, message=message))
    )
    assert (run.phase, run.result.num_clusters, run.execution_time_ms, run.explained) == ("completed", 5, 30_000, True)


def test_a_completed_run_without_its_pod_is_not_explained() -> None:
    complete = [{"type": "Complete", "status": "True", "lastTransitionTime": "2026-03-02T13:01:01Z"}]
    assert observe(job(complete)).explained is False


def test_time_between_attempts_is_not_time_without_a_start() -> None:
    run = observe(job(), pod(terminated()))
    assert run.pending_since == datetime(2026, 3, 2, 13, 1, tzinfo=UTC)


def test_the_duration_of_a_queued_run_is_counted_from_its_admission() -> None:
    run = observe(
        job([condition("Complete")], {"completionTime": "2026-03-02T13:01:00Z"}, **QUEUED),
        pod(terminated(exitCode=0)),
    )
    assert (run.execution_time_ms, run.queue_time_ms) == (59_000, 4 * 3_600_000 + 1_000)
    assert observe(job([condition("Complete")], {"completionTime": "2026-03-02T13:01:00Z"})).queue_time_ms is None


def test_the_clock_of_a_node_that_is_behind_does_not_shorten_a_run_to_nothing() -> None:
    complete = [condition("Complete")], {"completionTime": "2026-03-02T13:01:00Z"}
    behind = pod(terminated(exitCode=0, finishedAt="2026-03-02T12:40:00Z"))
    assert observe(job(*complete), behind).execution_time_ms == 59_000
    assert observe(job(), behind).execution_time_ms is None, "unknown, because the Job has not ended"


def test_different_clocks_cause_no_negative_time_in_a_queue() -> None:
    """The API server that set the creation time was ahead of the Job controller, which set the start time."""
    raw = job(**QUEUED)
    raw["metadata"]["creationTimestamp"] = "2026-03-02T13:00:03Z"
    assert observe(raw).queue_time_ms == 0


def test_a_worker_runs_from_the_start_of_its_container() -> None:
    run = observe(job(), pod({"running": {"startedAt": "2026-03-02T13:09:00Z"}}))
    assert (run.phase, clock(run.running_since)) == ("running", "13:09:00")


def test_a_pod_of_a_suspended_job_does_not_count_as_running() -> None:
    run = observe(job(spec={"suspend": True}, **QUEUED), pod({"running": {"startedAt": "2026-03-02T13:00:05Z"}}))
    assert (run.phase, run.suspended) == ("pending", True)


DONE = RunResult(status="completed", num_clusters=5, num_documents=3000).to_message()
GOES_ON = {"name": "istio-proxy", "state": {"running": {"startedAt": "2026-03-02T13:00:03Z"}}}


def with_sidecar(state: dict[str, Any], sidecar: dict[str, Any] = GOES_ON, **status: Any) -> dict[str, Any]:
    """A Pod whose worker is in a given state, beside an injected container."""
    raw = pod(state, **{"phase": "Running", **status})
    raw["status"]["containerStatuses"].append(sidecar)
    return raw


@pytest.mark.parametrize(
    ("case", "raw_pod", "containers"),
    [
        ("an injected container goes on", with_sidecar(terminated(exitCode=0, message=DONE)), ("istio-proxy",)),
        (
            "one that has not even started",
            with_sidecar(
                terminated(exitCode=0, message=DONE),
                {"name": "sql-proxy", "state": {"waiting": {"reason": "ImagePullBackOff"}}},
            ),
            ("sql-proxy",),
        ),
        (
            "a native sidecar, which the kubelet ends",
            pod(terminated(exitCode=0, message=DONE), phase="Running", initContainerStatuses=[GOES_ON]),
            None,
        ),
        ("the Pod is about to be called Succeeded", pod(terminated(exitCode=0, message=DONE), phase="Running"), None),
        ("it has failed by its sidecar", with_sidecar(terminated(exitCode=0, message=DONE), phase="Failed"), ()),
    ],
)
def test_a_run_ends_with_its_worker(case: str, raw_pod: dict[str, Any], containers: tuple[str, ...] | None) -> None:
    run = observe(job(), raw_pod)
    assert (run.phase, run.result.num_clusters, run.execution_time_ms) == ("completed", 5, 59_000), case
    assert (run.remains.containers if run.remains else None) == containers, case


@pytest.mark.parametrize("suspended", [False, True])
@pytest.mark.parametrize(
    ("case", "raw_pod", "remains"),
    [
        ("beside a container that goes on", with_sidecar(terminated(exitCode=0, message=DONE)), True),
        ("alone, and not called Succeeded yet", pod(terminated(exitCode=0, message=DONE), phase="Running"), True),
        ("its sidecar was killed", with_sidecar(terminated(exitCode=0, message=DONE), phase="Failed"), True),
        ("the Job controller counts it", pod(terminated(exitCode=0, message=DONE), phase="Succeeded"), False),
    ],
)
def test_a_completed_worker_in_a_pod_that_is_being_deleted_can_run_again(
    case: str, raw_pod: dict[str, Any], remains: bool, suspended: bool
) -> None:
    raw_pod = {**raw_pod, "metadata": {**raw_pod["metadata"], "deletionTimestamp": "2026-03-02T13:01:30Z"}}
    run = observe(job(spec={"suspend": suspended}), raw_pod)
    assert (run.phase, run.unfinished, run.may_start_again) == ("completed", True, True), case
    assert (run.remains is not None and run.remains.deleted) is remains, case
    assert observe(job([condition("Complete")]), raw_pod).may_start_again is False


def test_a_job_with_the_operators_mark_is_recorded() -> None:
    annotations = {**job()["metadata"]["annotations"], "clustertrigger.dev/completed": "its Pod was deleted"}
    run = observe(job(annotations=annotations), pod(RUNS))
    assert (run.phase, run.recorded, run.may_start_again) == ("running", True, False)


def test_a_check_ends_with_its_worker() -> None:
    annotations = {"clustertrigger.dev/slot": "check/2026-03-02T13:00:00Z"}
    message = CheckResult(status="completed", obstacle="baseline_missing", error="gone").to_message()
    run = observe(job(annotations=annotations), with_sidecar(terminated(exitCode=0, message=message)))
    assert (run.phase, run.check.obstacle, run.remains.containers) == (
        "completed",
        "baseline_missing",
        ("istio-proxy",),
    )


def test_a_job_whose_sidecar_failed_has_completed() -> None:
    run = observe(job(failed()), with_sidecar(terminated(exitCode=0, message=DONE), phase="Failed"))
    assert (run.phase, run.error, run.result.num_clusters, run.remains) == ("completed", None, 5, None)


def test_kubernetes_does_not_retry_a_worker_that_failed_beside_a_sidecar() -> None:
    message = RunResult(status="failed", error="no column 'x'").to_message()
    run = observe(job(), with_sidecar(terminated(message=message)))
    assert (run.phase, run.error, run.remains.containers) == ("running", "no column 'x'", ("istio-proxy",))
    native = pod(terminated(message=message), phase="Running", initContainerStatuses=[GOES_ON])
    assert (observe(job(), native).phase, observe(job(), native).remains) == ("pending", None), "Kubernetes tries again"


def test_a_worker_killed_by_a_drain_is_retried() -> None:
    drained = with_sidecar(terminated(exitCode=143))
    drained["metadata"]["deletionTimestamp"] = "2026-03-02T13:01:30Z"
    run = observe(job(), drained)
    assert (run.phase, run.remains) == ("pending", None)


def stopped(status: dict[str, Any] | None = None) -> dict[str, Any]:
    """A Job that the operator has ended."""
    annotations = {**job()["metadata"]["annotations"], "clustertrigger.dev/failure": "stuck"}
    return job(failed("DeadlineExceeded"), status, annotations=annotations)


DISRUPTED = [
    {"type": "Ready", "status": "True"},
    {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "PreemptionByScheduler",
        "message": "default-scheduler: …",
    },
]


@pytest.mark.parametrize("suspended", [False, True])
@pytest.mark.parametrize(
    ("conditions", "disruption"),
    [(DISRUPTED, "PreemptionByScheduler"), ([{**DISRUPTED[1], "status": "False"}], ""), ([], "")],
)
def test_a_pod_that_is_being_deleted_has_a_deadline_and_a_reason(
    suspended: bool, conditions: list[dict[str, str]], disruption: str
) -> None:
    leaving = pod({"running": {"startedAt": "2026-03-02T13:00:03Z"}}, conditions=conditions)
    leaving["metadata"]["deletionTimestamp"] = "2026-03-02T13:10:31Z"
    leaving["spec"]["nodeName"] = "node-7"
    raw = job()
    raw["spec"]["suspend"] = suspended
    run = observe(raw, leaving)
    assert (run.phase, run.suspended) == ("pending" if suspended else "running", suspended)
    gone_at = datetime(2026, 3, 2, 13, 10, 31, tzinfo=UTC)
    assert run.leaving == LeavingPod(leaving["metadata"]["name"], "node-7", gone_at, disruption)


def test_a_pod_that_has_ended_is_not_waited_for() -> None:
    gone = pod(terminated(exitCode=143))
    gone["metadata"]["deletionTimestamp"] = "2026-03-02T13:10:31Z"
    raw = job()
    raw["spec"]["suspend"] = True
    assert observe(raw, gone).leaving is None


@pytest.mark.parametrize(
    ("kind", "phase"), [("SuccessCriteriaMet", "completed"), ("FailureTarget", "failed"), ("Failed", "failed")]
)
def test_the_first_terminal_condition_ends_a_run(kind: str, phase: str) -> None:
    said = condition(kind, reason="BackoffLimitExceeded", message="Job has reached the specified backoff limit")
    run = observe(job([said]), pod(terminated(exitCode=0 if phase == "completed" else 3, message="")))
    assert (run.phase, run.explained) == (phase, True)
    later = observe(job([said, condition("Complete" if phase == "completed" else "Failed", at="2026-03-02T13:09:00Z")]))
    assert later.phase == phase


def test_a_run_that_runs_out_of_time_on_a_dead_node_has_ended() -> None:
    """The Pod is never deleted, so FailureTarget is the only information from Kubernetes. One look-up finds no more."""
    said = condition("FailureTarget", reason="DeadlineExceeded", message="Job was active longer than its deadline")
    stuck = pod({"running": {"startedAt": "2026-03-02T13:00:03Z"}})
    stuck["metadata"]["deletionTimestamp"] = "2026-03-02T13:10:31Z"
    run = observe(job([said], {"terminating": 1}), stuck)
    assert (run.phase, run.error, run.explained) == ("failed", observe(job(failed("DeadlineExceeded"))).error, False)


@pytest.mark.parametrize(
    ("case", "pods"),
    [
        ("its news come later", []),
        ("only the first attempt is known", [pod(terminated(exitCode=1, message='{"status": "failed"}'))]),
        ("the second attempt still runs, as far as is known", [pod(terminated(exitCode=1)), pod({"running": {}})]),
        ("its worker's state is not known", [pod(None, phase="Succeeded")]),
    ],
)
def test_a_job_that_is_complete_needs_the_pod_that_succeeded(case: str, pods: list[dict[str, Any]]) -> None:
    run = observe(job([condition("Complete")], {"succeeded": 1}), *pods)
    assert (run.phase, run.explained, run.result, run.error) == ("completed", False, None, None), case


def test_a_complete_job_has_the_result_of_the_successful_attempt() -> None:
    first = pod(terminated(exitCode=1, message=RunResult(status="failed", error="no").to_message()))
    second = pod(terminated(exitCode=0, message=DONE), created="2026-03-02T13:00:30Z")
    for pods in ([first, second], [second, first]):
        assert observe(job([condition("Complete")]), *pods).result.num_clusters == 5


def test_a_failed_job_has_the_error_of_its_last_attempt() -> None:
    first = pod(terminated(exitCode=7))
    assert observe(job(failed(), {"failed": 2}), first).explained is False
    second = pod(terminated(exitCode=8), created="2026-03-02T13:00:30Z")
    run = observe(job(failed(), {"failed": 2}), first, second)
    assert (run.explained, run.error) == (True, "the worker ended with exit code 8: Error")


IGNORES: dict[str, Any] = {
    "podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]}
}
LIMIT = "Job has reached the specified backoff limit"
TIMED_OUT = "timed out after 600 s: raise run.timeout_seconds or reduce the amount of data"


def attempt(number: int, state: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    """The Pod of an attempt, with the uid "attempt-<number>"."""
    raw = pod(state, created=f"2026-03-02T13:00:{10 * number:02}Z", **status)
    raw["metadata"]["uid"] = f"attempt-{number}"
    return raw


def ended(number: int, **fields: Any) -> dict[str, Any]:
    """An attempt that has ended with the exit code 6 and its number."""
    return attempt(number, terminated(exitCode=60 + number, message=f"attempt {number}"), phase="Failed", **fields)


def target(reason: str = "BackoffLimitExceeded") -> list[dict[str, Any]]:
    """From Kubernetes 1.31 on, this is set before the last Pod is counted."""
    return [condition("FailureTarget", reason=reason, message=LIMIT)]


def uncounted(**ended: list[str]) -> dict[str, Any]:
    return {"failed": 1, "uncountedTerminatedPods": ended}


RUNS = {"running": {"startedAt": "2026-03-02T13:00:22Z"}}
EVICTED: dict[str, Any] = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}


@pytest.mark.parametrize(
    ("case", "raw_job", "pods", "explained", "error"),
    [
        (
            "the last attempt still runs, as far as is known",
            job(target(), uncounted(failed=["attempt-2"])),
            [ended(1), attempt(2, RUNS)],
            False,
            "exit code 61",
        ),
        (
            "the same, and it is counted already",
            job(failed(), {"failed": 1}),
            [ended(1), attempt(2, RUNS)],
            False,
            "exit code 61",
        ),
        (
            "the last attempt is unknown, and not counted yet",
            job(target(), uncounted(failed=["attempt-2"])),
            [ended(1)],
            False,
            "exit code 61",
        ),
        (
            "an attempt that completed is unknown, and not counted yet",
            job(target(), uncounted(succeeded=["attempt-2"])),
            [ended(1)],
            False,
            "exit code 61",
        ),
        (
            "the last attempt is known, and not counted yet",
            job(target(), uncounted(failed=["attempt-2"])),
            [ended(1), ended(2)],
            True,
            "exit code 62",
        ),
        (
            "the eviction is known, and the failed attempt is not",
            job(failed(), {"failed": 1}, IGNORES),
            [attempt(1, **EVICTED, conditions=DISRUPTED)],
            False,
            LIMIT,
        ),
        (
            "both are known",
            job(failed(), {"failed": 1}, IGNORES),
            [attempt(1, **EVICTED, conditions=DISRUPTED), ended(2)],
            True,
            "exit code 62",
        ),
        (
            "a drain killed the first attempt",
            job(failed(), {"failed": 1}, IGNORES),
            [ended(1, conditions=DISRUPTED)],
            False,
            LIMIT,
        ),
        (
            "Kubernetes before 1.26 counts evictions",
            job(failed(), {"failed": 1}),
            [attempt(1, **EVICTED, conditions=DISRUPTED)],
            True,
            "The node was low on resource",
        ),
        (
            "the first rule of the policy: no other attempt can succeed",
            job(failed("PodFailurePolicy"), {"failed": 1}, IGNORES),
            [attempt(1, terminated(exitCode=2), phase="Failed", conditions=DISRUPTED)],
            True,
            "exit code 2",
        ),
        (
            "out of time while it runs, as far as is known",
            job(target("DeadlineExceeded"), {"terminating": 1}),
            [attempt(1, RUNS)],
            False,
            TIMED_OUT,
        ),
        ("out of time, and its Pod is deleted", job(failed("DeadlineExceeded"), {"failed": 1}), [], False, TIMED_OUT),
        (
            "out of time between two attempts",
            job(failed("DeadlineExceeded"), {"failed": 1}),
            [ended(1)],
            True,
            TIMED_OUT,
        ),
        ("ended by the operator while it runs", stopped({"terminating": 1}), [attempt(1, RUNS)], False, "stuck"),
        ("ended by the operator, and its Pod is deleted", stopped({"failed": 1}), [], False, "stuck"),
        ("ended by the operator before it had a Pod", stopped(), [], True, "stuck"),
    ],
)
def test_a_failed_job_is_explained_by_all_of_its_pods(
    case: str, raw_job: dict[str, Any], pods: list[dict[str, Any]], explained: bool, error: str
) -> None:
    run = observe(raw_job, *pods)
    assert (run.phase, run.explained) == ("failed", explained), case
    assert error in run.error, case


@pytest.mark.parametrize(
    ("case", "status", "pods", "explained"),
    [
        ("its Pod is leaving", {"terminating": 1}, [attempt(1, RUNS)], False),
        ("its Pod has ended", {"failed": 1}, [ended(1)], True),
        ("it had no Pod", {}, [], True),
    ],
)
def test_a_job_that_is_suspended_before_the_operators_deadline_has_failed(
    case: str, status: dict[str, Any], pods: list[dict[str, Any]], explained: bool
) -> None:
    raw = job(status=status, spec={"suspend": True}, annotations=stopped()["metadata"]["annotations"])
    run = observe(raw, *pods)
    assert (run.phase, run.error, run.unfinished, run.explained) == ("failed", "stuck", True, explained), case
    completed = observe(raw, attempt(1, terminated(exitCode=0, message=DONE), phase="Succeeded"))
    assert (completed.phase, completed.result.num_clusters) == ("completed", 5)


def test_a_worker_that_completed_as_its_time_was_up_is_found() -> None:
    done = with_sidecar(terminated(exitCode=0, message=DONE))
    done["metadata"]["deletionTimestamp"] = "2026-03-02T13:01:30Z"
    for raw in (job(target("DeadlineExceeded"), {"terminating": 1}), stopped({"terminating": 1})):
        assert observe(raw, attempt(1, RUNS)).explained is False
        assert (observe(raw, done).phase, observe(raw, done).result.num_clusters) == ("completed", 5)


def test_a_run_that_was_ended_after_its_worker_had_completed_has_not_failed() -> None:
    raw = job(failed("DeadlineExceeded"))
    raw["metadata"]["annotations"] = {**raw["metadata"]["annotations"], "clustertrigger.dev/completed": "istio-proxy"}
    run = observe(raw)
    assert (run.phase, run.error, run.ended_by_operator, run.explained) == ("completed", None, True, True)


@pytest.mark.parametrize(
    ("evictions", "minutes"), [(1, 1 / 6), (2, 1 / 3), (7, 10), (44, 10), (60, 10), (2000, 10)], ids=str
)
def test_a_run_can_be_evicted_any_number_of_times(evictions: int, minutes: float) -> None:
    """Kubernetes keeps the Pods, and creates another one, because evictions do not count as failed attempts."""
    run = observe(job(), *[pod(None, phase="Failed", reason="Evicted")] * evictions)
    assert (run.phase, run.retry_pause) == ("pending", timedelta(minutes=minutes))


@pytest.mark.parametrize("annotation", ["failure", "completed"])
def test_a_run_that_the_operator_ends_has_not_waited_in_a_queue(annotation: str) -> None:
    """Ending a Job changes its spec once, and so its generation."""
    annotations = {**job()["metadata"]["annotations"], f"clustertrigger.dev/{annotation}": "reason"}
    ended = failed("DeadlineExceeded")
    assert observe(job(ended, annotations=annotations, generation=2)).queue_time_ms is None
    assert observe(job(ended, annotations=annotations, generation=4)).queue_time_ms == 1_000


def test_pods_of_an_earlier_job_of_the_same_name_do_not_count() -> None:
    """A request was repeated after its Job was deleted, whose Pod had just completed."""
    earlier = pod(terminated(exitCode=0))
    earlier["metadata"]["ownerReferences"] = [{"kind": "Job", "name": "products-1", "uid": "earlier"}]
    run = observe(job(), earlier)
    assert (run.phase, run.obstacle, run.retry_pause) == ("pending", "no Pod has been created", timedelta(0))
    earlier["metadata"]["ownerReferences"][0]["uid"] = job()["metadata"]["uid"]
    assert observe(job(), earlier).phase == "completed"
