"""Tests of the other actions: documents get nodes of a taxonomy, a batch is repeated, a collection is processed."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

from clustercontract.baseline import Baseline
from clustercontract.brief import EnrichmentBrief, NodeBrief
from clustercontract.run import RUN_SPEC_VARIABLE, RunResult, RunSpec
from clustertrigger.api import API_VERSION
from clustertrigger.core.kube import paths
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually, trigger_path
from harness.control_plane.kubelet import COMPLETED, Kubelet
from harness.control_plane.manifests import (
    COLLECTION,
    collection,
    enrichment,
    events,
    interval,
    pod_template,
    processing,
    rarely,
    rerun,
    taxonomy,
)
from harness.control_plane.sandbox import Sandbox

ENRICHED = RunResult(
    status="completed",
    num_documents=100,
    results_uri="/results/test",
    metrics={"share_assigned": 0.95},
    enrichment=EnrichmentBrief(
        taxonomy_id="tax_topics",
        results_uri="/results/test",
        num_nodes=7,
        num_assigned=95,
        nodes=[NodeBrief(node_id="n1", label="Games", num_documents=95)],
    ),
)
UNKNOWN = "nightly-3f9a2c-20261121020000"
AT_ONCE = interval(3600, start_immediately=True)


def ended(sandbox: Sandbox, kubelet: Kubelet, name: str, *, well: bool = True) -> str:
    """Ends the trigger's newest run; returns its Job."""
    job = str(eventually(lambda: sandbox.history(name))[0]["job_id"])
    if well:
        kubelet.complete(job)
    else:
        kubelet.fail(job, "no such file", exit_code=2)
    eventually(lambda: sandbox.history(name)[0]["status"] in ("completed", "failed"))
    return job


def test_a_batch_is_repeated(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    operator()
    sandbox.trigger("nightly", AT_ONCE)
    batch = ended(sandbox, kubelet, "nightly")
    sandbox.trigger("again", rerun(batch, AT_ONCE))
    (job,) = eventually(lambda: sandbox.jobs("again"))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["rerun"]
    told = json.loads(next(one["value"] for one in container["env"] if one["name"] == "CLUSTERWORKER_RERUN_SPEC"))
    assert (told["trigger"], told["batch_trigger"], told["batch_id"]) == ("again", "nightly", batch)

    rerun_job = ended(sandbox, kubelet, "again")
    status = sandbox.status("again")
    assert (status["history"][0]["reruns"], status["history"][0]["num_clusters"]) == (batch, 5)
    assert status["last_result"]["job_id"] == rerun_job
    assert "baseline_snapshot" not in status
    assert "reruns" not in sandbox.history("nightly")[0]

    # A rerun is a batch like any other.
    sandbox.trigger("third", rerun(rerun_job, AT_ONCE))
    assert eventually(lambda: sandbox.history("third"))[0]["reruns"] == rerun_job


def test_a_batch_that_completed_is_not_retried(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    operator()
    sandbox.trigger("nightly", AT_ONCE)
    batch = ended(sandbox, kubelet, "nightly")
    sandbox.trigger("failed-only", rerun(batch, AT_ONCE, retry_failed_only=True))
    (event,) = eventually(lambda: sandbox.events("failed-only", "NothingToRerun"))
    assert (
        f"batch {batch} completed, and action_config.retry_failed_only repeats only failed batches" in event["message"]
    )
    assert (event["type"], sandbox.condition("failed-only", "Ready")["status"]) == ("Normal", "True")
    assert sandbox.jobs("failed-only") == []
    assert "is_overdue" not in sandbox.status("failed-only")


def test_a_failed_batch_is_retried_until_it_completes(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet
) -> None:
    operator()
    sandbox.trigger("nightly", AT_ONCE)
    batch = ended(sandbox, kubelet, "nightly", well=False)
    sandbox.trigger("retry", rerun(batch, rarely(), retry_failed_only=True))
    for count, well in ((1, False), (2, True)):
        sandbox.request_run("retry", f"attempt-{count}")
        eventually(lambda count=count: len(sandbox.history("retry")) == count)  # type: ignore[misc]
        job = ended(sandbox, kubelet, "retry", well=well)
    sandbox.request_run("retry", "third")
    (event,) = eventually(lambda: sandbox.events("retry", "RequestIgnored"))
    assert f"batch {batch} was repeated by {job}, which completed" in event["message"]
    assert len(sandbox.jobs("retry")) == 2


def test_a_batch_that_is_not_found(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    operator()
    sandbox.trigger("unknown", rerun(UNKNOWN, AT_ONCE))
    ready = eventually(lambda: sandbox.condition("unknown", "Ready"))
    assert (ready["status"], ready["reason"]) == ("False", "BatchNotFound")
    assert (
        f"no run {UNKNOWN!r} in status.history of the ClusterTriggers of this namespace (unknown)" in ready["message"]
    )
    assert sandbox.status("unknown")["is_overdue"] is True
    table = sandbox.kubectl("get", "clustertrigger", "unknown", "--output=wide").stdout
    assert table.splitlines()[0].split()[-5:] == ["ACTION", "OVERDUE", "READY", "REASON", "MESSAGE"]

    # One that is found at first, and expires: newer runs of its trigger have taken its place.
    sandbox.trigger("nightly", {**AT_ONCE, "run": {**AT_ONCE["run"], "history_limit": 1}})
    batch = ended(sandbox, kubelet, "nightly")
    sandbox.trigger("again", rerun(batch, rarely()))
    eventually(lambda: sandbox.condition("again", "Ready").get("status") == "True")
    assert sandbox.condition("again", "Ready")["status"] == "True"
    time.sleep(1)  # the history keeps all runs of its newest second
    sandbox.request_run("nightly", "newer")
    eventually(lambda: len(sandbox.jobs("nightly")) == 2)
    eventually(lambda: len(sandbox.history("nightly")) == 2)
    ended(sandbox, kubelet, "nightly")
    eventually(lambda: sandbox.condition("again", "Ready")["reason"] == "BatchNotFound")
    assert "(again, nightly, unknown)" in sandbox.condition("again", "Ready")["message"]
    assert "run.history_limit newer runs have ended" in sandbox.condition("again", "Ready")["message"]


def test_documents_are_assigned_to_the_clusters_of_another_trigger(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet
) -> None:
    """The trigger waits until clusters exist, then fires, and uses the newest ones."""
    operator()
    hourly = assigning(AT_ONCE)
    sandbox.trigger("hourly", hourly)
    eventually(lambda: sandbox.condition("hourly", "Ready").get("reason") == "DefinitionNotFound")
    sandbox.create("clusterdefinitions", DEFINITION)
    eventually(lambda: sandbox.condition("hourly", "Ready").get("reason") == "ClustersNotFound")
    assert "cluster_id 'cluster_products' has completed a run" in sandbox.condition("hourly", "Ready")["message"]
    eventually(lambda: sandbox.status("hourly").get("is_overdue"))
    assert sandbox.jobs("hourly") == []

    # The other trigger spells the definition by its name.
    sandbox.trigger("nightly", {**without_work(AT_ONCE), "cluster_id": "by-topic"})
    first = clustered(sandbox, kubelet, "nightly")
    (job,) = eventually(lambda: sandbox.jobs("hourly"))
    told = run_spec(job)
    assert (told.mode, told.assignment_threshold, told.base and told.base.run) == ("assign", 0.4, first)
    assert told.base is not None
    (container,) = job["spec"]["template"]["spec"]["containers"]
    mounted = [mount["mountPath"] for mount in container["volumeMounts"] if mount.get("readOnly")]
    assert any(told.base.uri == f"{mount}/{sandbox.namespace}/nightly/{first}" for mount in mounted), mounted
    ended(sandbox, kubelet, "hourly")
    entry = sandbox.history("hourly")[0]
    assert (entry["mode"], entry["status"]) == ("assign", "completed")
    status = sandbox.status("hourly")
    assert "baseline_snapshot" not in status
    assert status["last_result"]["job_id"] == entry["job_id"]
    assert "mode" not in sandbox.history("nightly")[0]

    sandbox.request_run("nightly", "second")
    eventually(lambda: len(sandbox.history("nightly")) == 2)
    second = clustered(sandbox, kubelet, "nightly")
    sandbox.request_run("hourly", "second")
    job = eventually(lambda: sandbox.jobs("hourly"), until=lambda jobs: len(jobs) == 2)[-1]
    base = run_spec(job).base
    assert base is not None
    assert base.run == second

    sandbox.kube.delete(trigger_path(sandbox.namespace, "nightly"))
    eventually(lambda: sandbox.condition("hourly", "Ready").get("reason") == "ClustersNotFound")


DEFINITION = {
    "apiVersion": API_VERSION,
    "kind": "ClusterDefinition",
    "metadata": {"name": "by-topic"},
    "spec": {
        "cluster_id": "cluster_products",
        "collection_ids": [COLLECTION],
        "config": {"algorithm": "kmeans", "n_clusters": 5},
    },
}


def run_spec(job: dict[str, Any]) -> RunSpec:
    (container,) = job["spec"]["template"]["spec"]["containers"]
    value = next(one["value"] for one in container["env"] if one["name"] == RUN_SPEC_VARIABLE)
    return RunSpec.model_validate_json(value)


def without_work(of: dict[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in of.items() if field != "execution_config"}


def assigning(of: dict[str, Any]) -> dict[str, Any]:
    """A trigger that assigns documents to clusters and is due after another one."""
    config = {"cluster_id": "cluster_products", "mode": "assign", "assignment_threshold": 0.4}
    return {**without_work(of), "action_type": "cluster", "action_config": config}


def clustered(sandbox: Sandbox, kubelet: Kubelet, name: str) -> str:
    """Completes the trigger's newest run, with a baseline; returns its Job."""
    job = str(eventually(lambda: sandbox.history(name))[0]["job_id"])
    baseline = Baseline(
        uri=f"/results/{sandbox.namespace}/{name}/{job}/baseline.npz",
        sha256="0" * 64,
        run=job,
        documents=1000,
        dimensions=4,
        captured_at=datetime.now(UTC),
    )
    kubelet.complete(job, COMPLETED.model_copy(update={"baseline": baseline}))
    eventually(lambda: sandbox.status(name).get("baseline_snapshot", {}).get("run") == job)
    return job


def test_documents_get_nodes(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    operator()
    sandbox.trigger("labels", enrichment(AT_ONCE, incremental=True, batch_size=500))
    eventually(lambda: sandbox.condition("labels", "Ready").get("reason") == "TaxonomyNotFound")
    assert (
        "no Taxonomy with spec.taxonomy_id or metadata.name 'tax_topics'"
        in sandbox.condition("labels", "Ready")["message"]
    )
    assert sandbox.jobs("labels") == []

    sandbox.create("taxonomies", taxonomy(collection_id="col_topics", parent_column="parent"))
    eventually(lambda: sandbox.condition("labels", "Ready").get("reason") == "CollectionNotFound")
    assert sandbox.condition("labels", "Ready")["message"].startswith("nodes of taxonomy 'tax_topics': no Collection")
    nodes = collection("topics", "col_topics")
    nodes["spec"]["volume"] = "topics"
    sandbox.create("collections", nodes)

    (job,) = eventually(lambda: sandbox.jobs("labels"))
    assert job["metadata"]["annotations"]["clustertrigger.dev/action"] == "taxonomy_enrichment"
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"] == ["enrich"]
    assert {mount["mountPath"] for mount in container["volumeMounts"]} >= {
        "/collections/topics",
        "/collections/documents",
    }
    assert told(job)["taxonomy"]["parent_column"] == "parent"
    assert "previous" not in told(job)
    kubelet.complete(job["metadata"]["name"], ENRICHED)
    status = eventually(lambda: sandbox.status("labels"), until=lambda status: status.get("execution_count") == 1)
    assert status["last_result"]["enrichment"]["nodes"] == [{"node_id": "n1", "label": "Games", "num_documents": 95}]
    assert (status["history"][0]["num_documents"], "num_clusters" in status["history"][0]) == (100, False)
    assert "baseline_snapshot" not in status
    (event,) = eventually(lambda: sandbox.events("labels", "RunCompleted"))
    assert event["message"].endswith(": 95 of 100 documents have a node of tax_topics")

    sandbox.request_run("labels", "next")
    eventually(lambda: len(sandbox.jobs("labels")) == 2)
    (second,) = [one for one in sandbox.jobs("labels") if one["metadata"]["name"] != job["metadata"]["name"]]
    assert told(second)["previous"] == {"run": job["metadata"]["name"], "uri": "/results/test"}

    table = sandbox.kubectl("get", "tax").stdout.splitlines()
    assert table[0].split() == ["NAME", "TAXONOMY", "ID", "COLLECTION", "PARENTS", "TOP", "K", "AGE"]
    assert table[1].split()[:5] == ["topics", "tax_topics", "col_topics", "parent", "1"]


def test_a_taxonomy_that_goes_and_one_that_is_wrong(operator: StartOperator, sandbox: Sandbox) -> None:
    operator()
    sandbox.create("taxonomies", taxonomy())
    sandbox.trigger("labels", enrichment(rarely()))
    eventually(lambda: sandbox.condition("labels", "Ready").get("status") == "True")
    sandbox.create("taxonomies", taxonomy("twin"))
    eventually(lambda: sandbox.condition("labels", "Ready")["reason"] == "AmbiguousReference")
    assert (
        "taxonomy_id 'tax_topics' is used by Taxonomies topics, twin" in sandbox.condition("labels", "Ready")["message"]
    )
    sandbox.kubectl("delete", "taxonomy", "twin", "topics")
    eventually(lambda: sandbox.condition("labels", "Ready")["reason"] == "TaxonomyNotFound")


def told(job: dict[str, Any]) -> dict[str, Any]:
    """The input of an enrichment's worker."""
    (container,) = job["spec"]["template"]["spec"]["containers"]
    (variable,) = [one for one in container["env"] if one["name"] == "CLUSTERWORKER_ENRICHMENT_SPEC"]
    found: dict[str, Any] = json.loads(variable["value"])
    return found


def test_a_collection_is_processed_and_event_triggers_follow(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet
) -> None:
    operator()
    sandbox.processed_by(pod_template("embed"))
    sandbox.trigger("by-id", events(100))
    sandbox.trigger("by-name", events(100, collection_id="products"))
    sandbox.trigger("other", events(100, collection_id="col_other"))
    sandbox.trigger("embed", processing(AT_ONCE, include_buckets=["photos"]))
    (job,) = eventually(lambda: sandbox.jobs("embed"))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    told = {variable["name"]: variable["value"] for variable in container["env"]}
    assert (container["name"], container["image"]) == ("worker", "embed:test")
    assert (told["CLUSTERTRIGGER_COLLECTION_ID"], told["CLUSTERTRIGGER_INCLUDE_BUCKETS"]) == (COLLECTION, '["photos"]')

    kubelet.leave(job["metadata"]["name"], '{"documents_added": 250, "documents_updated": 3}')
    eventually(lambda: sandbox.status("embed").get("execution_count") == 1)
    (entry,) = sandbox.history("embed")
    assert (entry["documents_added"], entry["documents_updated"], entry["documents_deleted"]) == (250, 3, 0)
    for name in ("by-id", "by-name"):
        eventually(lambda name=name: sandbox.jobs(name))  # type: ignore[misc]
        eventually(lambda name=name: sandbox.status(name).get("event_counter") == 150)  # type: ignore[misc]
    assert sandbox.status("other")["event_counter"] == 0


def test_what_cannot_be_processed(operator: StartOperator, sandbox: Sandbox) -> None:
    operator()
    sandbox.trigger("embed", processing(AT_ONCE))

    def says(reason: str, line: str) -> None:
        eventually(lambda: line in sandbox.condition("embed", "Ready").get("message", ""), what=line)
        ready = sandbox.condition("embed", "Ready")
        assert (ready["status"], ready["reason"]) == ("False", reason)

    says("InvalidReference", "set its spec.processing.pod_template")
    path = f"{paths.custom('collections', sandbox.namespace)}/products"
    sandbox.kube.patch(path, {"spec": {"processing": {"pod_template": "embed"}}})
    says("PodTemplateNotFound", "no PodTemplate 'embed' in this namespace")
    sandbox.kube.create(paths.pod_templates(sandbox.namespace), pod_template("embed", runnable=False, hostNetwork=True))
    says("InvalidReference", "does not have the label clustertrigger.dev/runnable")
    one = f"{paths.pod_templates(sandbox.namespace)}/embed"
    sandbox.kube.patch(one, {"metadata": {"labels": {"clustertrigger.dev/runnable": "true"}}})
    says("InvalidReference", "is not allowed in a run: template.spec.hostNetwork")
    assert sandbox.jobs("embed") == []
    sandbox.kube.patch(one, {"template": {"spec": {"hostNetwork": None}}})
    assert eventually(lambda: sandbox.jobs("embed"))  # the slot is younger than its starting deadline


def test_a_template_runs_where_pod_security_is_restricted(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet
) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    sandbox.kube.patch(f"/api/v1/namespaces/{sandbox.namespace}", {"metadata": {"labels": labels}})
    operator()
    fetch = {"name": "fetch", "image": "fetch:test"}
    sandbox.processed_by(pod_template("embed", initContainers=[fetch], automountServiceAccountToken=True))
    sandbox.trigger("embed", processing(AT_ONCE))
    (job,) = eventually(lambda: sandbox.jobs("embed"))
    pod = kubelet.pod_of(job["metadata"]["name"])
    assert pod["spec"]["restartPolicy"] == "Never"
    assert pod["spec"]["automountServiceAccountToken"] is False
