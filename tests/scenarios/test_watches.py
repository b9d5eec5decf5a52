"""Tests of watches that fail, expire or lag behind: no change is lost, and none is invented."""

from __future__ import annotations

import json

import urllib3

from clustertrigger.core.kube import paths
from harness.cluster.errors import ClusterError
from harness.control_plane.cluster import Cluster
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import collection, interval, rarely
from harness.control_plane.proxy import Answer, Fault, Proxy, Request
from harness.control_plane.sandbox import Sandbox


def compact_etcd(cluster: Cluster) -> None:
    """Compacts etcd, as the API server does every five minutes."""
    try:
        etcd = cluster.plane.etcd_url
    except ClusterError:
        return  # out of reach; the restart of the API server, whose cache starts empty, expires watches as well
    revision = _etcd(etcd, "range", {"key": "AA=="})["header"]["revision"]
    _etcd(etcd, "compaction", {"revision": revision, "physical": True})


def _etcd(url: str, call: str, body: dict[str, object]) -> dict[str, dict[str, str]]:
    answer = urllib3.request("POST", f"{url}/v3/kv/{call}", body=json.dumps(body))
    assert answer.status == 200, answer.data
    found: dict[str, dict[str, str]] = answer.json()
    return found


def test_deletions_that_expired_watches_hid_are_noticed(
    cluster: Cluster, operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, proxy: Proxy
) -> None:
    process = operator(through=proxy)
    sandbox.create("collections", collection("doomed", "col_doomed"))
    for name in ("job-gone", "run-over"):
        sandbox.trigger(name, interval(3600, start_immediately=True))
    sandbox.trigger("gone", rarely())
    sandbox.trigger("bereft", rarely(collection_id="col_doomed"))
    job = {name: eventually(lambda: sandbox.history(name))[0]["job_id"] for name in ("job-gone", "run-over")}
    eventually(lambda: sandbox.condition("bereft", "Ready").get("status") == "True")
    eventually(lambda: process.metric("clustertrigger_triggers") == 4)

    proxy.cut()
    sandbox.delete_job(job["job-gone"])
    kubelet.complete(job["run-over"])
    sandbox.kube.delete(f"{paths.custom('collections', sandbox.namespace)}/doomed")
    sandbox.delete("gone")
    eventually(lambda: len(sandbox.jobs()) == 1)
    eventually(lambda: sandbox.job(job["run-over"])["status"].get("succeeded"))
    compact_etcd(cluster)
    cluster.plane.restart_api_server()
    proxy.mend()

    eventually(lambda: sandbox.status("job-gone").get("failure_count") == 1)
    eventually(lambda: sandbox.status("run-over").get("execution_count", 0) == 1)
    eventually(lambda: sandbox.condition("bereft", "Ready")["reason"] == "CollectionNotFound")
    eventually(lambda: process.metric("clustertrigger_triggers") == 3)
    assert any("is too old; listing again" in line["message"] for line in process.log_lines()), "no watch has expired"
    assert len(sandbox.jobs()) == 1


def test_a_list_that_fails_is_not_taken_for_an_empty_one(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, proxy: Proxy
) -> None:
    process = operator(through=proxy)
    sandbox.trigger("steady", interval(3600, start_immediately=True))
    (entry,) = eventually(lambda: sandbox.history("steady"))

    def no_reading(request: Request) -> Fault | None:
        return "drop" if request.method == "GET" else None

    proxy.cut()
    proxy.mend()
    proxy.rule = no_reading
    before = len(proxy.requests)
    eventually(lambda: len(proxy.requests) >= before + 8)
    proxy.rule = None
    kubelet.complete(entry["job_id"])
    eventually(lambda: sandbox.status("steady").get("execution_count", 0) == 1)
    assert sandbox.status("steady")["failure_count"] == 0
    assert sandbox.condition("steady", "Ready")["status"] == "True"
    assert process.metric("clustertrigger_triggers") == 1


def test_a_retried_run_fails_with_its_last_attempt_while_no_watch_reports_pods(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, proxy: Proxy
) -> None:
    """Kubernetes from 1.31 on reports the failure of the Job before it counts the last Pod."""
    operator(through=proxy)
    sandbox.trigger("retried", interval(3600, start_immediately=True, retries=1))
    (entry,) = eventually(lambda: sandbox.history("retried"))
    job = entry["job_id"]
    selector = f"{paths.pods(sandbox.namespace)}?labelSelector=job-name%3D{job}"
    first = kubelet.pod_of(job)["metadata"]["name"]
    kubelet.fail(job, "the first attempt's words", exit_code=7)

    def others() -> list[str]:
        return [name for pod in sandbox.kube.items(selector) if (name := pod["metadata"]["name"]) != first]

    (second,) = eventually(others, 60, what="a second attempt")
    kubelet.write(second, "Running", {"running": {"startedAt": "2026-01-01T00:00:00Z"}})
    eventually(lambda: sandbox.status("retried").get("last_execution_status") == "running")

    def no_pods(request: Request) -> Fault | None:
        is_watch = request.method == "GET" and "watch=true" in request.query
        return "drop" if is_watch and request.path.endswith("/pods") else None

    proxy.rule = no_pods
    proxy.cut()
    before = len(proxy.requests)
    proxy.mend()

    def jobs_are_watched() -> bool:
        since = proxy.requests[before:]
        return any("watch=true" in request.query and request.path.endswith("/jobs") for request in since)

    eventually(jobs_are_watched, 60)
    ended = {"exitCode": 9, "reason": "Error", "message": "the second attempt's words"}
    times = {"startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:00Z"}
    kubelet.write(second, "Failed", {"terminated": {**ended, **times}})
    status = eventually(lambda: sandbox.status("retried"), 60, until=lambda status: status["failure_count"] == 1)
    assert status["history"][0]["error"] == "the worker ended with exit code 9: the second attempt's words"


def test_an_answer_that_nobody_expects_stops_nothing(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, proxy: Proxy
) -> None:
    """An API server that has just started knows neither its CRDs nor the rights of users."""
    process = operator(through=proxy)
    sandbox.trigger("steady", interval(3600, start_immediately=True))
    (entry,) = eventually(lambda: sandbox.history("steady"))
    unready = [Answer(404, "NotFound"), Answer(403, "Forbidden"), Answer(500, "InternalError")]

    def starting(request: Request) -> Fault | None:
        return unready.pop() if unready and request.matches("GET", "/clustertriggers") else None

    proxy.rule = starting
    proxy.cut()
    proxy.mend()
    eventually(lambda: not unready)
    kubelet.complete(entry["job_id"])
    eventually(lambda: sandbox.status("steady").get("execution_count", 0) == 1)
    generation = sandbox.edit("steady", {"description": "noticed"})["metadata"]["generation"]
    eventually(lambda: sandbox.status("steady").get("observedGeneration") == generation)
    assert process.running()
    assert process.metric("clustertrigger_leader") == 1
    assert process.terminate() == 0
