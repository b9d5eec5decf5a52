"""Tests of Pods whose worker has ended while an injected container continues: the run ends with the worker."""

from __future__ import annotations

from clustercontract.run import RunResult
from clustertrigger.core.kube import paths
from harness.control_plane.checks import QUIET, about_to_check, found, measured, the_check
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Object, eventually
from harness.control_plane.kubelet import COMPLETED, Kubelet
from harness.control_plane.manifests import interval
from harness.control_plane.proxy import Proxy
from harness.control_plane.sandbox import Sandbox


def test_a_run_beside_a_sidecar_completes(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    operator()
    sandbox.trigger("meshed", interval(3600, start_immediately=True))
    (entry,) = eventually(lambda: sandbox.history("meshed"))
    kubelet.complete_beside(entry["job_id"], "istio-proxy")
    status = eventually(lambda: sandbox.status("meshed"), until=lambda status: status["execution_count"] == 1)
    assert (status["last_execution_status"], status["history"][0]["num_clusters"]) == ("completed", 5)
    assert "container istio-proxy was still running" in status["history"][0]["notes"][0]
    (event,) = eventually(lambda: sandbox.events("meshed", "WorkerOutlived"))
    assert "istio-proxy" in event["message"]
    _awaited_end(sandbox, entry["job_id"])
    status = sandbox.status("meshed")
    assert (status["failure_count"], status["consecutive_failures"]) == (0, 0)
    assert sandbox.job(entry["job_id"])["metadata"]["annotations"]["clustertrigger.dev/completed"]


def test_a_check_beside_a_sidecar_measures(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    about_to_check(sandbox, "drifting")
    operator()
    check = the_check(sandbox, "drifting")
    kubelet.complete_beside(check, "linkerd-proxy", found(0.084))
    assert measured(sandbox, "drifting")["summary"] == QUIET
    (event,) = eventually(lambda: sandbox.events("drifting", "WorkerOutlived"))
    assert "linkerd-proxy" in event["message"]
    _awaited_end(sandbox, check)
    status = sandbox.status("drifting")
    assert (status["checks"][0]["status"], status.get("consecutive_check_failures", 0)) == ("completed", 0)


def test_a_run_that_fails_beside_a_sidecar(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    operator()
    sandbox.trigger("meshed", interval(3600, start_immediately=True, retries=2))
    (entry,) = eventually(lambda: sandbox.history("meshed"))
    failed = RunResult(status="failed", error="collection col_products: no column named embedding")
    kubelet.fail_beside(entry["job_id"], "vault-agent", failed.to_message())
    status = eventually(lambda: sandbox.status("meshed"), until=lambda status: status["failure_count"] == 1)
    assert status["last_execution_error"].startswith(f"{failed.error} (container vault-agent was still running")
    _awaited_end(sandbox, entry["job_id"])


def test_killed_before_the_result_is_stored(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, proxy: Proxy
) -> None:
    """The Job is ended after the result is stored, and never before, because its Pod is deleted with it."""
    first = operator(through=proxy)
    sandbox.trigger("meshed", interval(3600, start_immediately=True))
    (entry,) = eventually(lambda: sandbox.history("meshed"))
    proxy.rule = lambda request: "drop" if request.matches("PATCH", "/status") else None
    kubelet.complete_beside(entry["job_id"], "istio-proxy")
    eventually(lambda: len(proxy.writes("/status")) >= 3)
    first.kill()
    assert not _conditions(sandbox, entry["job_id"])
    operator()
    status = eventually(lambda: sandbox.status("meshed"), until=lambda status: status["execution_count"] == 1)
    assert status["history"][0]["num_clusters"] == COMPLETED.num_clusters
    _awaited_end(sandbox, entry["job_id"])


def test_a_completed_run_whose_pod_is_drained_does_not_run_again(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet
) -> None:
    """The operator was killed before it ended the Job, so the Job controller made another attempt."""
    first = operator()
    sandbox.trigger("meshed", interval(3600, start_immediately=True, retries=2))
    (entry,) = eventually(lambda: sandbox.history("meshed"))
    job = entry["job_id"]
    kubelet.complete_beside(job, "istio-proxy")
    eventually(lambda: sandbox.status("meshed"), until=lambda status: status["execution_count"] == 1)
    first.kill()
    assert not _conditions(sandbox, job)
    drained = kubelet.pod_of(job)["metadata"]["name"]
    disrupted = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
    path = paths.pod(sandbox.namespace, drained)
    sandbox.kube.patch(f"{path}/status", {"status": {"phase": "Failed", "conditions": [disrupted]}})
    sandbox.kube.delete(path)
    eventually(lambda: kubelet.pod_of(job)["metadata"]["name"] != drained, 60, what="another attempt")
    operator()
    _awaited_end(sandbox, job)
    status = sandbox.status("meshed")
    assert (status["execution_count"], status["failure_count"], len(status["history"])) == (1, 0, 1)
    assert sandbox.job(job)["metadata"]["annotations"]["clustertrigger.dev/completed"]


def test_a_completed_run_that_is_suspended_does_not_run_again(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet
) -> None:
    """Kueue or a user suspends the Job before the operator ends it, and resumes it later."""
    operator()
    sandbox.trigger("meshed", interval(3600, start_immediately=True))
    (entry,) = eventually(lambda: sandbox.history("meshed"))
    job = entry["job_id"]
    kubelet.complete_beside(job, "istio-proxy")
    eventually(lambda: sandbox.status("meshed"), until=lambda status: status["execution_count"] == 1)
    sandbox.kube.patch(paths.job(sandbox.namespace, job), {"spec": {"suspend": True}})
    eventually(lambda: not sandbox.jobs("meshed"), what="a Job that cannot be resumed")
    status = sandbox.status("meshed")
    assert (status["execution_count"], status["failure_count"], len(status["history"])) == (1, 0, 1)


def _awaited_end(sandbox: Sandbox, job: str) -> None:
    """The Job has ended and is kept; its Pod is deleted."""
    eventually(lambda: _conditions(sandbox, job))
    pods = f"{paths.pods(sandbox.namespace)}?labelSelector=job-name%3D{job}"
    eventually(lambda: not sandbox.kube.items(pods))


def _conditions(sandbox: Sandbox, job: str) -> list[Object]:
    conditions: list[Object] = sandbox.job(job).get("status", {}).get("conditions") or []
    return conditions
