"""Tests of Jobs in a queue: the tests act as Kueue, which suspends, admits and preempts Jobs."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import pytest

from clustertrigger.core.jobs.job_view import read_job
from clustertrigger.core.kube import paths
from harness.control_plane.cluster import Cluster
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Object, eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import rarely
from harness.control_plane.proxy import Answer, Fault, Proxy, Request, Rule
from harness.control_plane.sandbox import Sandbox


def _queued(sandbox: Sandbox, **run: object) -> str:
    """The Job of a run that waits in a queue."""
    sandbox.trigger("queued", rarely(queue_name="team", **run))
    eventually(lambda: sandbox.status("queued"))
    sandbox.request_run("queued", "now")
    (entry,) = eventually(lambda: sandbox.history("queued"))
    if not sandbox.job(entry["job_id"])["spec"].get("suspend"):
        pytest.skip("this Kubernetes suspends no Jobs")
    return str(entry["job_id"])


def _suspend(sandbox: Sandbox, job: str, *, suspend: bool) -> None:
    sandbox.kube.patch(paths.job(sandbox.namespace, job), {"spec": {"suspend": suspend}})


def _says_it_is_queued(sandbox: Sandbox, job: str, position: str = "") -> bool:
    message = sandbox.condition("queued", "Running").get("message")
    return bool(message == f"Active: {job} (queued in LocalQueue team{position})")


def _condition(sandbox: Sandbox, job: str, kind: str) -> Object:
    conditions = sandbox.job(job)["status"].get("conditions") or []
    return next((condition for condition in conditions if condition["type"] == kind), {})


@pytest.mark.parametrize("served", ["v1beta2", "v1beta1"])
def test_a_waiting_run_says_its_position(
    served: str, operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, proxy: Proxy
) -> None:
    """The proxy answers as Kueue's visibility API, of a newer and of an older release."""
    ahead: Object = {"name": "another", "uid": "another"}

    def pending(*jobs: Object) -> Rule:
        items = [
            {"metadata": {"ownerReferences": [{"kind": "Job", **job}]}, "positionInLocalQueue": position}
            for position, job in enumerate(jobs)
        ]

        def rule(request: Request) -> Fault | None:
            if not request.path.endswith(f"/namespaces/{sandbox.namespace}/localqueues/team/pendingworkloads"):
                return None
            if f"/{served}/" not in request.path:
                return Answer(404, "NotFound")
            return Answer(200, text=json.dumps({"kind": "PendingWorkloadsSummary", "items": items}))

        return rule

    proxy.rule = pending()
    operator(through=proxy)
    job = _queued(sandbox)
    ours = {"name": job, "uid": sandbox.job(job)["metadata"]["uid"]}
    proxy.rule = pending(ahead, ours)
    eventually(lambda: _says_it_is_queued(sandbox, job, " (position 2)"))
    proxy.rule = pending(ours)
    eventually(lambda: _says_it_is_queued(sandbox, job, " (position 1)"))
    _suspend(sandbox, job, suspend=False)
    eventually(lambda: sandbox.condition("queued", "Running")["message"], until=lambda said: said == f"Active: {job}")
    kubelet.complete(job)
    eventually(lambda: sandbox.status("queued"), until=lambda status: status["execution_count"] == 1)


def test_a_run_that_is_let_go_has_its_pending_time_before_it(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, cluster: Cluster
) -> None:
    """A Job that was queued longer than pending_timeout_seconds was ended between its release and status.startTime."""
    operator()
    job = _queued(sandbox, pending_timeout_seconds=3)
    eventually(lambda: _says_it_is_queued(sandbox, job))
    eventually(lambda: _condition(sandbox, job, "Suspended"))
    time.sleep(4)
    cluster.plane.stop_controller_manager()
    try:
        _suspend(sandbox, job, suspend=False)
        released = read_job(sandbox.job(job))
        assert released is not None
        assert released.released_at is not None, "the API server dates the release"
        assert released.released_at - released.created_at >= timedelta(seconds=3)
        time.sleep(4)
        assert sandbox.history("queued")[0]["status"] == "pending"
        assert "clustertrigger.dev/failure" not in sandbox.job(job)["metadata"]["annotations"]
    finally:
        cluster.plane.start_controller_manager()
    eventually(lambda: sandbox.job(job)["status"].get("startTime"))
    kubelet.complete(job)
    status = eventually(lambda: sandbox.status("queued"), until=lambda status: status["execution_count"] == 1)
    (entry,) = status["history"]
    assert entry["queue_time_ms"] >= 8_000
    assert entry["execution_time_ms"] < entry["queue_time_ms"]


def test_a_run_that_is_let_go_and_cannot_start_is_ended(operator: StartOperator, sandbox: Sandbox) -> None:
    operator()
    job = _queued(sandbox, pending_timeout_seconds=3)
    _suspend(sandbox, job, suspend=False)
    status = eventually(lambda: sandbox.status("queued"), until=lambda status: status["failure_count"] == 1)
    assert status["last_execution_error"].startswith("did not start within 3 s")


def test_a_run_that_is_suspended_while_it_is_ended_has_failed(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, proxy: Proxy
) -> None:
    """The test suspends the Job in the instant in which the operator has set the deadline that ends it."""
    operator(through=proxy)
    job = _queued(sandbox, pending_timeout_seconds=3)

    def preempted(request: Request) -> Fault | None:
        if request.matches("PATCH", f"/jobs/{job}") and b"clustertrigger.dev/failure" in request.body:
            _suspend(sandbox, job, suspend=True)
        return None

    proxy.rule = preempted
    _suspend(sandbox, job, suspend=False)
    status = eventually(lambda: sandbox.status("queued"), until=lambda status: status.get("failure_count") == 1)
    assert status["last_execution_error"].startswith("did not start within 3 s")
    eventually(lambda: not sandbox.jobs("queued"), what="a Job that cannot be resumed")
    sandbox.request_run("queued", "again")
    eventually(lambda: sandbox.history("queued"), until=lambda history: len(history) == 2)


def test_a_run_that_is_preempted_starts_again_and_has_not_failed(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet
) -> None:
    operator()
    job = _queued(sandbox, pending_timeout_seconds=600)
    _suspend(sandbox, job, suspend=False)
    kubelet.start(job)
    eventually(lambda: sandbox.status("queued").get("last_execution_status") == "running")
    first = kubelet.pod_of(job)["metadata"]["name"]
    _suspend(sandbox, job, suspend=True)
    eventually(lambda: _says_it_is_queued(sandbox, job))
    assert sandbox.status("queued")["last_execution_status"] == "pending"
    eventually(lambda: not sandbox.kube.find(paths.pod(sandbox.namespace, first)))
    _suspend(sandbox, job, suspend=False)
    kubelet.complete(job)
    status = eventually(lambda: sandbox.status("queued"), until=lambda status: status["execution_count"] == 1)
    assert (status["failure_count"], status["last_execution_status"]) == (0, "completed")


def test_a_run_on_a_dead_node_ends_in_time(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    """Only its kubelet ends the Pod: Kubernetes sets FailureTarget, and Failed after the Pod has ended."""
    operator()
    sandbox.trigger("dead", rarely(timeout_seconds=5))
    eventually(lambda: sandbox.status("dead"))
    sandbox.request_run("dead", "one")
    (entry,) = eventually(lambda: sandbox.history("dead"))
    pod = kubelet.pod_of(entry["job_id"])["metadata"]["name"]
    target = {"apiVersion": "v1", "kind": "Node", "name": "dead"}
    sandbox.kube.create(
        f"{paths.pod(sandbox.namespace, pod)}/binding",
        {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod}, "target": target},
    )
    kubelet.start(entry["job_id"])
    status = eventually(lambda: sandbox.status("dead"), until=lambda status: status["failure_count"] == 1)
    assert status["last_execution_error"].startswith("timed out after 5 s")
    assert sandbox.kube.find(paths.pod(sandbox.namespace, pod)), "it is still there"
    sandbox.request_run("dead", "two")
    eventually(lambda: sandbox.history("dead"), until=lambda history: len(history) == 2)
