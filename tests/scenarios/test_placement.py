"""Tests of placement and metadata of runs: a real API server accepts the Job, and its Pod has all fields."""

from __future__ import annotations

from functools import partial
from typing import Any

import yaml

from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import conditional, interval, trigger
from harness.control_plane.sandbox import Sandbox

NEIGHBOURS = {
    "labelSelector": {
        "matchLabels": {"app": "search"},
        "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["web"]}],
    },
    "topologyKey": "topology.kubernetes.io/zone",
}
DISK = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
CPUS = {
    "matchExpressions": [{"key": "cpus", "operator": "Gt", "values": ["8"]}, {"key": "spare", "operator": "Exists"}]
}
REQUIRED, PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)
AFFINITY = {
    "nodeAffinity": {
        REQUIRED: {"nodeSelectorTerms": [DISK, CPUS]},
        PREFERRED: [{"weight": 50, "preference": DISK}],
    },
    "podAffinity": {REQUIRED: [NEIGHBOURS], PREFERRED: [{"weight": 1, "podAffinityTerm": NEIGHBOURS}]},
    "podAntiAffinity": {REQUIRED: [NEIGHBOURS], PREFERRED: [{"weight": 100, "podAffinityTerm": NEIGHBOURS}]},
}
SPREAD = [
    {"maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway", **NEIGHBOURS},
    {"maxSkew": 2, "whenUnsatisfiable": "DoNotSchedule", "topologyKey": "kubernetes.io/hostname"},
]
PRIORITY, RUNTIME = "clustertrigger-test-batch", "clustertrigger-test-sandboxed"


def cluster_objects(sandbox: Sandbox) -> None:
    """The PriorityClass and the RuntimeClass, which are cluster-scoped; `apply` creates them once for all tests."""
    for manifest in (
        {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": PRIORITY}, "value": 7},
        {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": RUNTIME}, "handler": "runc"},
    ):
        done = sandbox.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(manifest))
        assert done.returncode == 0, done.stderr


def test_a_pod_has_all_that_its_trigger_says(operator: StartOperator, sandbox: Sandbox) -> None:
    cluster_objects(sandbox)
    operator(worker_priority_classes=f"other,{PRIORITY}", worker_image_pull_secrets="registry")
    run: dict[str, Any] = {
        "affinity": AFFINITY,
        "topology_spread_constraints": SPREAD,
        "priority_class_name": PRIORITY,
        "runtime_class_name": RUNTIME,
        "image_pull_secrets": [{"name": "mirror"}, {"name": "registry"}],
        "pod_labels": {"example.com/cost-centre": "search"},
        "pod_annotations": {"sidecar.istio.io/inject": "false"},
    }
    sandbox.trigger("placed", interval(3600, start_immediately=True, **run))

    def pods() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = sandbox.kube.items(f"/api/v1/namespaces/{sandbox.namespace}/pods")
        return found

    (pod,) = eventually(pods, what="the Pod that the Job controller makes")
    spec, labels = pod["spec"], pod["metadata"]["labels"]
    assert spec["affinity"] == AFFINITY
    of_runs = {"matchLabels": {"app.kubernetes.io/managed-by": "clustertrigger"}}
    assert spec["topologySpreadConstraints"] == [SPREAD[0], {**SPREAD[1], "labelSelector": of_runs}]
    assert (spec["priorityClassName"], spec["priority"]) == (PRIORITY, 7)
    assert spec["runtimeClassName"] == RUNTIME
    assert spec["imagePullSecrets"] == [{"name": "registry"}, {"name": "mirror"}]
    assert labels["example.com/cost-centre"] == "search"
    assert labels["clustertrigger.dev/role"] == "run"
    assert pod["metadata"]["annotations"]["sidecar.istio.io/inject"] == "false"


def test_a_claim_in_use_on_another_node_is_told_in_the_clusters_words(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet
) -> None:
    """Only the Pod's events contain Multi-Attach, and the kubelet's later timeout does not give the reason."""
    operator()
    sandbox.trigger("elsewhere", interval(3600, start_immediately=True, pending_timeout_seconds=12))
    (entry,) = eventually(lambda: sandbox.history("elsewhere"))
    pod = eventually(lambda: kubelet.pod_of(entry["job_id"]))
    kubelet.wait(entry["job_id"], "ContainerCreating", "")
    said = 'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) products-1'
    timeout = "Unable to attach or mount volumes: unmounted volumes=[claim-0]: timed out waiting for the condition"
    for number, (reason, message) in enumerate((("FailedAttachVolume", said), ("FailedMount", timeout))):
        event = {
            "metadata": {"name": f"{pod['metadata']['name']}.{number}"},
            "involvedObject": {
                "kind": "Pod",
                "namespace": sandbox.namespace,
                "name": pod["metadata"]["name"],
                "uid": pod["metadata"]["uid"],
            },
            "type": "Warning",
            "reason": reason,
            "message": message,
            "lastTimestamp": f"2026-03-02T13:00:0{number}Z",
        }
        sandbox.kube.create(f"/api/v1/namespaces/{sandbox.namespace}/events", event)
    status = eventually(lambda: sandbox.status("elsewhere"), until=lambda found: found["failure_count"] == 1)
    assert status["last_execution_error"] == (
        f"did not start within 12 s (run.pending_timeout_seconds): {said}: a ReadWriteOnce claim serves one node at a "
        "time: use ReadWriteMany, a bucket, or one node for all runs"
    )


def test_a_priority_class_that_is_not_allowed_is_said(operator: StartOperator, sandbox: Sandbox) -> None:
    operator(worker_priority_classes="batch-low,batch-mid")
    sandbox.trigger("urgent", interval(3600, start_immediately=True, priority_class_name="system-cluster-critical"))
    ready = eventually(lambda: sandbox.condition("urgent", "Ready"))
    assert (ready["status"], ready["reason"]) == ("False", "InvalidSpec")
    assert ready["message"] == (
        "spec.run.priority_class_name: 'system-cluster-critical': is not allowed: write one of batch-low, batch-mid; "
        "the operator's administrator sets the list with the chart's value worker.allowedPriorityClasses"
    )
    assert sandbox.jobs("urgent") == []


def test_spark_where_it_is_not_enabled_is_said(operator: StartOperator, sandbox: Sandbox) -> None:
    operator()
    sandbox.trigger("large", interval(3600, start_immediately=True, engine={"type": "spark"}))
    ready = eventually(lambda: sandbox.condition("large", "Ready"))
    assert (ready["status"], ready["reason"]) == ("False", "InvalidSpec")
    assert ready["message"].startswith("spec.run.engine.type: 'spark': is not enabled: write local, or ask")
    assert sandbox.jobs("large") == []


def test_a_run_with_spark_has_a_token_and_a_local_one_has_none(operator: StartOperator, sandbox: Sandbox) -> None:
    operator(spark_image="spark:test")
    sandbox.trigger("large", interval(3600, start_immediately=True, engine={"type": "spark"}))
    sandbox.trigger("small", interval(3600, start_immediately=True))
    for name, image, has_token in (("large", "spark:test", True), ("small", "worker:test", False)):
        (job,) = eventually(partial(sandbox.jobs, name))
        pod = job["spec"]["template"]["spec"]
        assert (pod["containers"][0]["image"], pod["automountServiceAccountToken"]) == (image, has_token)


def test_queues_and_the_priority_in_them(operator: StartOperator, sandbox: Sandbox) -> None:
    """Kueue reads them from the Job; the first slot of a conditional trigger uses the queue of runs."""
    operator()
    queued = {"queue_name": "team-a", "priority_class": "urgent"}
    sandbox.trigger("queued", interval(3600, start_immediately=True, **queued))
    (job,) = eventually(lambda: sandbox.jobs("queued"))
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    assert job["metadata"]["labels"]["kueue.x-k8s.io/priority-class"] == "urgent"
    assert "kueue.x-k8s.io/queue-name" not in job["spec"]["template"]["metadata"]["labels"]
    refused = sandbox.kubectl(
        "apply", "-f", "-", stdin=yaml.safe_dump(trigger("stray", conditional(3600, priority_class="urgent")))
    )
    ready = {} if refused.returncode else eventually(lambda: sandbox.condition("stray", "Ready"))
    said = refused.stderr or ready["message"]
    assert "priority_class requires a Kueue queue: set queue_name" in said
