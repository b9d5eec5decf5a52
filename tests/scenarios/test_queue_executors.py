"""Tests of runs with executors in a queue: the tests act as Kueue, which admits and evicts Workloads.

Kueue's Workloads and ResourceFlavors are custom resources without a schema here. The story of Spark uses Kueue itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from clustertrigger.core.jobs.jobs import end_job_patch
from clustertrigger.core.kube import paths
from harness.control_plane.checks import about_to_check, found, the_check
from harness.control_plane.cluster import RELEASE, SYSTEM, Cluster
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Kube, Object, RefusedError, eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import rarely
from harness.control_plane.proxy import Fault, Proxy, Request
from harness.control_plane.rights import Right, use_of
from harness.control_plane.sandbox import Sandbox
from harness.helm import find_helm

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_FLAVORS = "/apis/kueue.x-k8s.io/v1beta2/resourceflavors"
_PRIORITIES = "/apis/kueue.x-k8s.io/v1beta2/workloadpriorityclasses"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
ENGINE = {"type": "spark", "executors": 2}
SPOT, ON_DEMAND = "spot", "on-demand"
_RESET = Right("batch", "jobs/status", "", "patch")


def _crd(plural: str, kind: str, scope: str) -> Object:
    open_schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1beta2",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": open_schema},
        "subresources": {"status": {}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.kueue.x-k8s.io",
            "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/kueue"},
        },
        "spec": {
            "group": "kueue.x-k8s.io",
            "scope": scope,
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
            "versions": [version],
        },
    }


def _flavor(name: str) -> Object:
    """A flavor whose nodes have their own label and taint."""
    return {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "ResourceFlavor",
        "metadata": {"name": name},
        "spec": {"nodeLabels": {"pool": name}, "tolerations": [{"key": name, "operator": "Exists"}]},
    }


def _rules_for_queues() -> list[Object]:
    """The rules that the chart adds with spark.enabled."""

    def rules(values: Object) -> list[Object]:
        rendered = yaml.safe_load_all(find_helm(namespace=SYSTEM).render(RELEASE, values))
        roles = [one for one in rendered if one and one["kind"] == "ClusterRole"]
        names = (RELEASE, f"{RELEASE}-queues")
        return [rule for role in roles if role["metadata"]["name"] in names for rule in role["rules"]]

    before = rules({})
    return [rule for rule in rules({"spark": {"enabled": True}}) if rule not in before]


@pytest.fixture
def kueue(cluster: Cluster, sandbox: Sandbox) -> Iterator[None]:
    """Serves Kueue's resources, and gives the operator the rights that the chart has for spark.enabled."""
    kube = cluster.kube
    crds = [
        _crd("workloads", "Workload", "Namespaced"),
        _crd("resourceflavors", "ResourceFlavor", "Cluster"),
        _crd("workloadpriorityclasses", "WorkloadPriorityClass", "Cluster"),
    ]
    subject = {"kind": "ServiceAccount", "name": RELEASE, "namespace": SYSTEM}
    name = f"queues-{sandbox.namespace}"
    for crd in crds:
        kube.create(_CRDS, crd)
    kube.create(f"{_RBAC}/clusterroles", {"metadata": {"name": name}, "rules": _rules_for_queues()})
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    binding: Object = {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}
    kube.create(f"{_RBAC}/clusterrolebindings", binding)
    eventually(lambda: _served(kube, sandbox.namespace), what="the CRDs being served")
    for flavor in (SPOT, ON_DEMAND):
        kube.create(_FLAVORS, _flavor(flavor))
    urgent: Object = {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "WorkloadPriorityClass", "value": 1000}
    kube.create(_PRIORITIES, {**urgent, "metadata": {"name": "urgent"}})
    yield
    for crd in crds:
        kube.delete(f"{_CRDS}/{crd['metadata']['name']}")
        eventually(lambda: kube.find(f"{_CRDS}/{crd['metadata']['name']}") is None, what="the CRD is gone")
    for kind in ("clusterrolebindings", "clusterroles"):
        kube.delete(f"{_RBAC}/{kind}/{name}")


def _served(kube: Kube, namespace: str) -> bool:
    try:
        return not any(kube.items(path) for path in (paths.workloads(namespace), _FLAVORS, _PRIORITIES))
    except RefusedError:
        return False


def _queued(sandbox: Sandbox, trigger: str = "queued", **run: Any) -> str:
    """The Job of a run that waits in a queue."""
    sandbox.trigger(trigger, rarely(queue_name="team", engine=ENGINE, **run))
    eventually(lambda: sandbox.status(trigger))
    sandbox.request_run(trigger, "now")
    (entry,) = eventually(lambda: sandbox.history(trigger))
    if not sandbox.job(entry["job_id"])["spec"].get("suspend"):
        pytest.skip("this Kubernetes suspends no Jobs")
    return str(entry["job_id"])


def _workloads(sandbox: Sandbox) -> list[Object]:
    return sandbox.kube.items(paths.workloads(sandbox.namespace))


def _tell(sandbox: Sandbox, job: str, *conditions: tuple[str, bool], **status: Any) -> None:
    """Changes a Workload as Kueue does."""
    path = paths.workload(sandbox.namespace, job)
    found = sandbox.kube.get(path).get("status", {}).get("conditions", [])
    new = [
        {"type": kind, "status": str(holds), "reason": "Preempted", "message": "a more urgent one"}
        for kind, holds in conditions
    ]
    kept = [one for one in found if one["type"] not in dict(conditions)]
    sandbox.kube.patch(f"{path}/status", {"status": {"conditions": kept + new, **status}})


def _admit(sandbox: Sandbox, job: str, flavor: str = SPOT) -> None:
    assigned = [{"name": name, "flavors": {"cpu": flavor}} for name in ("driver", "executors")]
    admission = {"podSetAssignments": assigned}
    _tell(sandbox, job, ("QuotaReserved", True), ("Admitted", True), ("Evicted", False), admission=admission)


def _holding(sandbox: Sandbox, job: str) -> set[str]:
    conditions = sandbox.kube.get(paths.workload(sandbox.namespace, job)).get("status", {}).get("conditions", [])
    return {one["type"] for one in conditions if one["status"] == "True"}


def test_a_run_is_admitted_preempted_and_admitted_again_and_has_not_failed(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, kueue: None
) -> None:
    """Each step is taken by another process, because an operator can end at any time."""
    process = operator(spark_image="spark:test")
    job = _queued(sandbox, pending_timeout_seconds=600)

    def anew() -> None:
        nonlocal process
        process.kill()
        process = operator(spark_image="spark:test")

    (workload,) = eventually(lambda: _workloads(sandbox))
    assert [one["count"] for one in workload["spec"]["podSets"]] == [1, 2]
    said = eventually(lambda: sandbox.condition("queued", "Running").get("message"))
    assert said == f"Active: {job} (queued in LocalQueue team)"
    anew()
    _admit(sandbox, job)
    eventually(lambda: sandbox.job(job)["spec"]["suspend"] is False)
    assert sandbox.job(job)["spec"]["template"]["spec"]["nodeSelector"]["pool"] == SPOT
    kubelet.start(job)
    eventually(lambda: sandbox.status("queued").get("last_execution_status") == "running")
    first = kubelet.pod_of(job)["metadata"]["name"]
    anew()
    _tell(sandbox, job, ("Evicted", True), ("Preempted", True))
    eventually(lambda: sandbox.job(job)["spec"]["suspend"])
    eventually(lambda: not sandbox.kube.find(paths.pod(sandbox.namespace, first)), what="its Pod is gone")
    eventually(lambda: "QuotaReserved" not in _holding(sandbox, job), what="the quota is returned")
    assert "admission" not in _workloads(sandbox)[0]["status"]
    assert "Requeued" in _holding(sandbox, job)
    eventually(lambda: sandbox.status("queued")["last_execution_status"] == "pending")
    anew()
    _admit(sandbox, job, ON_DEMAND)
    eventually(lambda: sandbox.job(job)["spec"]["suspend"] is False)
    template = sandbox.job(job)["spec"]["template"]
    assert template["spec"]["nodeSelector"]["pool"] == ON_DEMAND
    assert [one["key"] for one in template["spec"]["tolerations"]] == [ON_DEMAND]
    placement = json.loads(template["metadata"]["annotations"]["clustertrigger.dev/executor-placement"])
    assert placement["node_selector"] == {"pool": ON_DEMAND}
    kubelet.complete(job)
    status = eventually(lambda: sandbox.status("queued"), until=lambda status: status["execution_count"] == 1)
    assert (status["failure_count"], status["last_execution_status"]) == (0, "completed")
    assert status["history"][0]["queue_time_ms"] > 0
    anew()
    eventually(lambda: "Finished" in _holding(sandbox, job), what="the quota is free")
    (workload,) = _workloads(sandbox)
    sandbox.delete("queued")
    eventually(lambda: not _workloads(sandbox), what="the Workload is deleted with its trigger")


def test_a_lost_response_does_not_double_a_workload(
    operator: StartOperator, sandbox: Sandbox, kueue: None, proxy: Proxy
) -> None:
    lost = False

    def rule(request: Request) -> Fault | None:
        nonlocal lost
        if lost or not request.matches("POST", "/workloads"):
            return None
        lost = True
        return "lose"

    proxy.rule = rule
    operator(through=proxy, spark_image="spark:test")
    job = _queued(sandbox)
    eventually(lambda: _workloads(sandbox))
    assert lost
    _admit(sandbox, job)
    eventually(lambda: sandbox.job(job)["spec"]["suspend"] is False)
    assert len(_workloads(sandbox)) == 1


def test_every_right_for_queues_is_used(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, kueue: None, proxy: Proxy
) -> None:
    """A check with executors, runs with the priority of their Pods and without one, and a run that moves elsewhere."""
    about_to_check(
        sandbox,
        "checked",
        engine=ENGINE,
        check={"engine": "run", "queue_name": "team"},
        priority_class="urgent",
    )
    sandbox.kube.create("/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": {"name": "batch"}, "value": -5})
    try:
        operator(through=proxy, spark_image="spark:test", worker_priority_classes="batch")
        check = the_check(sandbox, "checked")
        if not sandbox.job(check)["spec"].get("suspend"):
            pytest.skip("this Kubernetes suspends no Jobs")
        (workload,) = eventually(lambda: _workloads(sandbox))
        assert [one["count"] for one in workload["spec"]["podSets"]] == [1, 2]
        assert (workload["spec"]["queueName"], workload["spec"]["priority"]) == ("team", 1000)
        _admit(sandbox, check)
        eventually(lambda: sandbox.job(check)["spec"]["suspend"] is False)
        kubelet.complete(check, found(0.084))
        eventually(lambda: sandbox.status("checked").get("checks", [{}])[0].get("status") == "completed")
        eventually(lambda: "Finished" in _holding(sandbox, check), what="the quota is free")

        job = _queued(sandbox, priority_class_name="batch", pending_timeout_seconds=600)
        eventually(lambda: len(_workloads(sandbox)) == 2)
        assert sandbox.kube.get(paths.workload(sandbox.namespace, job))["spec"]["priority"] == -5
        plain = _queued(sandbox, "plain")
        eventually(lambda: len(_workloads(sandbox)) == 3)
        assert sandbox.kube.get(paths.workload(sandbox.namespace, plain))["spec"]["priority"] == 0
        for flavor in (SPOT, ON_DEMAND):
            _admit(sandbox, job, flavor)
            eventually(lambda: sandbox.job(job)["spec"]["suspend"] is False)
            kubelet.start(job)
            eventually(lambda: sandbox.job(job)["status"].get("startTime"))
            _tell(sandbox, job, ("Evicted", True))
            eventually(lambda: "QuotaReserved" not in _holding(sandbox, job), what="the quota is returned")
    finally:
        sandbox.kube.delete("/apis/scheduling.k8s.io/v1/priorityclasses/batch")
    used = {use.right for request in proxy.requests if (use := use_of(request))}
    granted = {
        Right(group, resource, "", verb)
        for rule in _rules_for_queues()
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert len(granted) == 8
    # Kubernetes 1.36 and later reset the start time of a suspended Job themselves.
    assert {right for right in granted if not any(right.covers(use) for use in used)} <= {_RESET}


def test_the_pending_timeout_counts_from_the_admission(operator: StartOperator, sandbox: Sandbox, kueue: None) -> None:
    operator(spark_image="spark:test")
    job = _queued(sandbox, pending_timeout_seconds=3)
    eventually(lambda: _workloads(sandbox))
    _admit(sandbox, job)
    status = eventually(lambda: sandbox.status("queued"), until=lambda status: status["failure_count"] == 1)
    assert status["last_execution_error"].startswith("did not start within 3 s")
    eventually(lambda: "Finished" in _holding(sandbox, job), what="the quota is free")


def test_a_run_that_ends_while_it_is_preempted_returns_its_quota(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, kueue: None
) -> None:
    """The operator does not end a suspended Job itself, but both can happen at the same time."""
    operator(spark_image="spark:test")
    job = _queued(sandbox, pending_timeout_seconds=600)
    eventually(lambda: _workloads(sandbox))
    _admit(sandbox, job)
    eventually(lambda: sandbox.job(job)["spec"]["suspend"] is False)
    kubelet.start(job)
    pod = paths.pod(sandbox.namespace, kubelet.pod_of(job)["metadata"]["name"])
    _tell(sandbox, job, ("Evicted", True), ("Preempted", True))
    eventually(lambda: sandbox.job(job)["spec"]["suspend"])
    sandbox.kube.patch(paths.job(sandbox.namespace, job), end_job_patch("did not start within 600 s"))
    status = eventually(lambda: sandbox.status("queued"), until=lambda status: status["failure_count"] == 1)
    assert status["last_execution_error"] == "did not start within 600 s"
    eventually(lambda: "Finished" in _holding(sandbox, job), what="the quota is free")
    assert not sandbox.kube.find(pod)
    assert not sandbox.kube.items(paths.pods(sandbox.namespace)), "it got no further Pod"


def test_without_kueue_the_run_waits_and_says_so(operator: StartOperator, sandbox: Sandbox) -> None:
    operator(spark_image="spark:test")
    job = _queued(sandbox)
    message = eventually(
        lambda: str(sandbox.condition("queued", "Running").get("message")),
        until=lambda message: "Workloads" in message,
    )
    assert message.startswith(f"Active: {job} (queued in LocalQueue team: ")
    sandbox.delete("queued")
    eventually(lambda: not sandbox.jobs("queued"))
