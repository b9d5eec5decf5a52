"""Tests of objects that tenants forge: they have no effect outside of their namespace, and do not stop the operator."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from clustertrigger.api import API_VERSION
from clustertrigger.api.names import ANNOTATION_SLOT, LABEL_MANAGED_BY, LABEL_TRIGGER_UID, MANAGED_BY, WORKER_CONTAINER
from clustertrigger.core.instants import format_instant
from clustertrigger.core.json_text import read_deep_objects
from clustertrigger.core.kube import paths
from harness.control_plane.cluster import Cluster
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Object, eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import NOWHERE, collection, events, interval, rarely
from harness.control_plane.proxy import Proxy
from harness.control_plane.sandbox import Sandbox


@pytest.fixture
def elsewhere(cluster: Cluster) -> Iterator[Sandbox]:
    """Another tenant's namespace."""
    sandbox = Sandbox(cluster.kube)
    yield sandbox
    sandbox.close()


@pytest.fixture
def deep_objects() -> Iterator[None]:
    """The tests' own client reads them, too."""
    before = sys.getrecursionlimit()
    read_deep_objects()
    yield
    sys.setrecursionlimit(before)


def forge(sandbox: Sandbox, name: str, owner: Object, slot: str) -> None:
    """A Job like the operator's, created by a user who can create Jobs in this namespace."""
    labels = {LABEL_MANAGED_BY: MANAGED_BY, LABEL_TRIGGER_UID: owner["uid"]}
    reference = {
        "apiVersion": "clustertrigger.dev/v1alpha1",
        "kind": "ClusterTrigger",
        "name": owner["name"],
        "uid": owner["uid"],
    }
    pod = {
        "restartPolicy": "Never",
        "nodeSelector": NOWHERE,
        "containers": [{"name": WORKER_CONTAINER, "image": "forged"}],
    }
    body = {
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": {ANNOTATION_SLOT: slot},
            "ownerReferences": [reference],
        },
        "spec": {"backoffLimit": 0, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }
    sandbox.kube.create(paths.jobs(sandbox.namespace), body)


def test_a_job_of_another_namespace_is_no_run(
    operator: StartOperator, sandbox: Sandbox, elsewhere: Sandbox, kubelet: Kubelet
) -> None:
    operator(watch_namespaces=f"{sandbox.namespace},{elsewhere.namespace}")
    victim = sandbox.trigger("nightly", rarely())["metadata"]
    eventually(lambda: sandbox.condition("nightly", "Ready"))
    forge(elsewhere, "forged", victim, format_instant(sandbox.kube.now()))
    # Jobs of a namespace are seen in order: once this one is, so is the forged one.
    elsewhere.trigger("own", interval(86_400, start_immediately=True))
    eventually(lambda: elsewhere.history("own"))

    sandbox.request_run("nightly", "now")
    (entry,) = eventually(lambda: sandbox.history("nightly"))
    assert entry["slot"] == "manual/now"
    kubelet.complete(entry["job_id"])
    status = eventually(lambda: sandbox.status("nightly"), until=lambda status: status["execution_count"] == 1)
    assert [run["job_id"] for run in status["history"]] == [entry["job_id"]]
    assert status["failure_count"] == 0


def test_what_cannot_be_meant_stops_nobody(operator: StartOperator, sandbox: Sandbox) -> None:
    own = sandbox.trigger("own", rarely())["metadata"]
    forge(sandbox, "no-number", own, "event/" + "9" * 5000)
    forge(sandbox, "no-instant", own, "0001-01-01T00:00:00+23:59")
    sandbox.trigger("endless", rarely(resources={"limits": {"nvidia.com/gpu": "1e999"}}))
    process = operator()
    sandbox.request_run("own", "now")
    (entry,) = eventually(lambda: sandbox.history("own"))
    assert entry["slot"] == "manual/now"
    eventually(lambda: sandbox.condition("endless", "Ready"))
    assert process.running()


def nested(key: str, levels: int, innermost: Object) -> Object:
    """Returns nested objects."""
    for _ in range(levels):
        innermost = {key: innermost}
    return innermost


def test_an_object_of_thousands_of_levels_stops_nobody(
    deep_objects: None, operator: StartOperator, sandbox: Sandbox
) -> None:
    """One such object in a list or a watch once ended the operator for all tenants."""
    process = operator()
    ownership = {
        "manager": "anybody",
        "operation": "Update",
        "apiVersion": API_VERSION,
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": nested("f:a", 5_000, {})},
    }
    sandbox.trigger("deep", rarely(), managedFields=[ownership])
    filters = nested("AND", 5_000, {"field": "a", "operator": "eq", "value": 1})
    deep = collection("deep", "col_deep")
    deep["spec"]["source"]["filters"] = filters
    sandbox.create("collections", deep)
    eventually(lambda: sandbox.condition("deep", "Ready"))
    sandbox.trigger("ours", rarely())
    eventually(lambda: sandbox.condition("ours", "Ready"))
    sandbox.trigger("theirs", rarely(collection_id="col_deep"))
    ready = eventually(lambda: sandbox.condition("theirs", "Ready"))
    assert ready["reason"] == "InvalidReference"
    assert "spec.source.filters.AND" in ready["message"]
    assert process.running()


def test_what_kopf_writes_on_objects_may_have_been_written_by_anybody(
    operator: StartOperator, sandbox: Sandbox
) -> None:
    process = operator()
    memory = {"kopf.zalando.org/last-handled-configuration": "{"}
    sandbox.trigger("remembered", rarely(), annotations=memory)
    eventually(lambda: sandbox.condition("remembered", "Ready"))
    marked = sandbox.trigger("marked", rarely(), finalizers=["kopf.zalando.org/KopfFinalizerMarker"])
    eventually(lambda: sandbox.condition("marked", "Ready"))
    assert sandbox.get("marked")["metadata"]["finalizers"] == marked["metadata"]["finalizers"]
    sandbox.edit("marked", finalizers=None)
    assert not [line for line in process.log_lines() if line["level"] == "ERROR"]


@pytest.mark.parametrize(
    "name", ["../../../../api/v1/namespaces/kube-system/secrets/x", "a/status", "%2e%2e", "a?b", ""]
)
def test_names_in_a_status_lead_to_nothing_else(
    operator: StartOperator, sandbox: Sandbox, proxy: Proxy, name: str
) -> None:
    """A user who can write a status names a Job as an active run there, and the operator looks it up."""
    process = operator(through=proxy)
    sandbox.trigger("ingest", events(1, concurrency_policy="Replace"))
    eventually(lambda: sandbox.status("ingest"))
    before = len(proxy.requests)
    entry = {
        "job_id": name,
        "slot": "event/1",
        "status": "running",
        "triggered_at": "2026-01-01T00:00:00Z",
    }
    path = f"/apis/clustertrigger.dev/v1alpha1/namespaces/{sandbox.namespace}/clustertriggers/ingest/status"
    sandbox.kube.patch(path, {"status": {"history": [entry]}})
    eventually(lambda: sandbox.history("ingest")[0]["status"] not in ("running", "pending"))
    asked = [request for request in proxy.requests[before:] if "/jobs" in request.path or "secrets" in request.path]
    assert asked
    assert all("secrets" not in request.path and ".." not in request.path for request in asked)
    assert process.running()
