"""Story of examples/beyond-one-machine.yaml: two executors of Spark have the same results as one Pod.

An administrator must enable Spark, and the owner of a namespace must permit a service account to create Pods. Executors
also carry out algorithms that need a sample or another pass, checks, and enrichments. Kueue admits such a run with its
executors, or not at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from clustertrigger.api import API_VERSION
from clustertrigger.api.names import LABEL_ROLE, LABEL_TRIGGER, ROLE_EXECUTOR
from e2e.stories.conftest import VALUES, Stage
from e2e.stories.kueue import kueue
from e2e.stories.scene import MANIFESTS, Object, Scene
from e2e.stories.triggers import DAY, by_interval, enriching
from harness.claim_files import POD, claim_files
from harness.cluster.progress import stage
from harness.control_plane.manifests import trigger
from harness.demo import documents
from harness.demo.plugin import Plugin
from harness.demo.spark import EXAMPLE, TRIGGER, show_run
from harness.demo.steps import DATA
from harness.image import build_image
from harness.installation import install_operator, operator_values, spark_values

NAMESPACE = "beyond"
RESULTS, EMBEDDINGS = "clustertrigger-results", "embeddings"
FILES, ROWS, DIMENSIONS = 8, 80_000, 64
DOCUMENTS = FILES * ROWS
GENERATE = f"""
import os
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
random = np.random.default_rng(0)
centres = 4 * random.normal(size=(12, {DIMENSIONS}))
kind = pa.list_(pa.float32(), {DIMENSIONS})
os.mkdir("/claims/{EMBEDDINGS}/many")
for n in range({FILES}):
    vectors = centres[random.integers(12, size={ROWS})] + random.normal(size=({ROWS}, {DIMENSIONS}))
    numbers = pa.array(vectors.astype(np.float32).ravel())
    ids = pa.array(np.arange(n * {ROWS}, (n + 1) * {ROWS}))
    columns = [ids, pa.FixedSizeListArray.from_arrays(numbers, type=kind)]
    table = pa.Table.from_arrays(columns, names=["document_id", "embedding"])
    pq.write_table(table, f"/claims/{EMBEDDINGS}/many/part-{{n}}.parquet", row_group_size=10_000)
"""
GROUPS, FEW, MORE = 12, 24_000, 4_000
"""Planted groups; documents of all groups, in a sample that is larger than what Spark sends with a task; documents of
the first group that are added later.
"""
PLANT = f"""
import os, sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
random = np.random.default_rng(1)
centres = 4 * random.normal(size=({GROUPS}, {DIMENSIONS}))
kind = pa.list_(pa.float32(), {DIMENSIONS})
def write(name, ids, vectors, **columns):
    embedding = pa.FixedSizeListArray.from_arrays(pa.array(vectors.astype(np.float32).ravel()), type=kind)
    table = pa.table({{"document_id": ids, "embedding": embedding, **columns}})
    pq.write_table(table, f"/claims/{EMBEDDINGS}/{{name}}.parquet", row_group_size=2_000)
def documents(name, numbers):
    write(name, pa.array(numbers), centres[numbers % {GROUPS}] + random.normal(size=(len(numbers), {DIMENSIONS})))
if sys.argv[1] == "few":
    os.mkdir("/claims/{EMBEDDINGS}/few")
    documents("few/part-0", np.arange({FEW}))
    groups = [str(n) for n in range({GROUPS})]
    write("groups", pa.array(groups), centres, label=pa.array([f"Group {{n}}" for n in groups]))
else:
    documents("few/part-1", {FEW} + {GROUPS} * np.arange({MORE}))
"""
CONFIG = {"algorithm": "kmeans", "n_clusters": 12, "metric": "euclidean", "random_state": 7}
SMALL = {"requests": {"cpu": "50m", "memory": "256Mi"}}
NOWHERE = "localhost:9/clustertrigger/spark"
"""Image that no node can pull, because no registry listens on the discard port."""
PATIENCE = 420.0
QUEUED = ("first-queued", "second-queued", "urgent-queued")
MIXTURE, DENSE, LABELS = "mixture", "dense", "labels"
"""Triggers of the planted groups: a gaussian_mixture that drift fires, a dbscan, and an enrichment."""


def engine(**fields: Any) -> Object:
    """Return the example's engine, with small executors because other stories run at the same time."""
    resources = {"requests": {"cpu": "50m", "memory": "1Gi"}}
    return {"type": "spark", "executors": 2, "executor": {"resources": resources}, "partition_rows": 10_000, **fields}


def by_spark(name: str, **run: Any) -> Object:
    """Return a trigger whose runs have executors."""
    whole: Object = {
        "resources": SMALL,
        "service_account_name": "spark-driver",
        "retries": 0,
        "engine": engine(),
        **run,
    }
    return by_interval(name, CONFIG, collection="col_many", **whole)


def example() -> list[Object]:
    """Return the objects of the example, for the namespace of this story."""
    objects = list(yaml.safe_load_all(EXAMPLE.read_text()))
    objects[1]["subjects"][0]["namespace"] = NAMESPACE
    return objects


def collection(name: str, uri: str) -> Object:
    spec = {"collection_id": f"col_{name}", "volume": EMBEDDINGS, "source": {"uri": uri}}
    return {"apiVersion": API_VERSION, "kind": "Collection", "metadata": {"name": name}, "spec": spec}


@pytest.fixture(scope="module")
def beyond(stage_set: Stage) -> Iterator[Scene]:
    """A separate namespace, whose quota and service accounts do not affect other stories."""
    scene = Scene(stage_set.scene.kubectl.in_namespace(NAMESPACE), stage_set.scene.system)
    scene.kubectl.ensure_namespace()
    try:
        scene.kubectl("apply", f"--filename={MANIFESTS / 'volumes.yaml'}")
        account, binding, *_ = example()
        scene.kubectl.apply(account, binding, collection("many", "many/*.parquet"))
        scene.kubectl.apply(collection("few", "few/*.parquet"), collection("groups", "groups.parquet"))
        taxonomy = {"taxonomy_id": "tax_groups", "collection_id": "col_groups", "label_column": "label"}
        named = {"apiVersion": API_VERSION, "kind": "Taxonomy", "metadata": {"name": "groups"}}
        scene.kubectl.apply({**named, "spec": taxonomy})
        with claim_files(scene.kubectl, stage_set.images.worker.name, [EMBEDDINGS, RESULTS]) as claims:
            scene.kubectl.pipe(["exec", POD, "--", "python", "-c", GENERATE], b"", timeout=180)
            scene.kubectl.pipe(["exec", POD, "--", "python", "-c", PLANT, "few"], b"")
            claims.upload(EMBEDDINGS, {DATA.name: documents.before(DATA)})
        yield scene
    finally:
        scene.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture(scope="module")
def allowed(request: pytest.FixtureRequest, stage_set: Stage, beyond: Scene) -> Scene:
    """The namespace after the administrator has enabled Spark, with the image of this checkout on the node."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        image = build_image("spark")
        stage_set.cluster.load(image)
        _install(stage_set, image.repository, image.tag)
    return beyond


def _install(stage_set: Stage, repository: str, tag: str) -> None:
    values = {**VALUES, **spark_values(repository, tag)}
    with stage("upgrading the operator, which allows runs with Spark"):
        install_operator(stage_set.scene.system, operator_values(stage_set.images, values))


def executors(scene: Scene, name: str, phase: str | None = None) -> list[Object]:
    """Return the executors' Pods of a trigger's runs."""
    pods = scene.kubectl.items("pods", f"--selector={LABEL_TRIGGER}={name},{LABEL_ROLE}={ROLE_EXECUTOR}")
    return [pod for pod in pods if phase in (None, pod["status"].get("phase"))]


def download(scene: Scene, stage_set: Stage, runs: dict[str, Object], into: Path) -> None:
    """Copy the folder of a run of each trigger to a folder of the trigger's name."""
    with claim_files(scene.kubectl, stage_set.images.worker.name, [RESULTS]) as claims:
        for name, run in runs.items():
            claims.download(RESULTS, f"{NAMESPACE}/{name}/{run['job_id']}", into / name)


def test_it_is_off_until_the_administrator_allows_it(beyond: Scene) -> None:
    beyond.kubectl.apply(by_spark("not-yet"))
    ready = beyond.eventually(lambda: beyond.condition("not-yet", "Ready"), "the operator has seen it", "not-yet")
    assert ready["status"] == "False"
    assert (
        "spec.run.engine.type: 'spark': is not enabled: write local, or ask the operator's administrator"
        in (ready["message"])
    )


def test_an_image_that_is_not_there_is_named(stage_set: Stage, beyond: Scene) -> None:
    _install(stage_set, NOWHERE, "missing")
    beyond.eventually(
        lambda: beyond.condition("not-yet", "Ready").get("status") == "True", "the trigger is ready now", "not-yet"
    )
    beyond.patch("not-yet", {"run": {"pending_timeout_seconds": 8}})
    beyond.request_run("not-yet", "no-image")
    run = beyond.run_ended("not-yet", slot="manual/no-image")
    pattern = r"did not start within 8 s \(run\.pending_timeout_seconds\): (ErrImagePull|ImagePullBackOff): "
    assert re.match(pattern, run["error"]), run["error"]
    assert NOWHERE in run["error"], "the line names the image"


def test_an_account_without_the_right_is_named(allowed: Scene) -> None:
    allowed.kubectl.apply(by_spark("no-right", at_once=True, service_account_name="default"))
    run = allowed.run_ended("no-right")
    assert run["status"] == "failed"
    assert "forbidden" in run["error"], run["error"]
    assert "system:serviceaccount:beyond:default" in run["error"], run["error"]


def test_a_quota_that_is_too_small_is_named(allowed: Scene) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "one-pod"}}
    allowed.kubectl.apply({**quota, "spec": {"hard": {"pods": "1"}}})
    try:
        allowed.kubectl.apply(by_spark("no-room", at_once=True, pending_timeout_seconds=20))
        run = allowed.run_ended("no-room")
    finally:
        allowed.kubectl("delete", "resourcequota", "one-pod")
    assert run["status"] == "failed"
    assert "exceeded quota: one-pod" in run["error"], run["error"]
    assert "within 20 s" in run["error"], run["error"]


def test_two_executors_find_what_one_pod_finds_although_one_is_killed(
    stage_set: Stage, allowed: Scene, tmp_path: Path
) -> None:
    allowed.kubectl.apply(
        by_interval("one-pod", CONFIG, collection="col_many", at_once=True, resources=SMALL),
        by_spark("two-executors", at_once=True),
    )
    both = allowed.eventually(
        lambda: found if len(found := executors(allowed, "two-executors", "Running")) == 2 else None,
        "two executors run",
        "two-executors",
    )
    driver = next(pod for pod in allowed.pods("two-executors") if pod["metadata"]["labels"][LABEL_ROLE] == "run")
    for pod in both:
        (owner,) = pod["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"]) == ("Pod", driver["metadata"]["uid"])
        assert not any("serviceAccountToken" in json.dumps(volume) for volume in pod["spec"]["volumes"])
    allowed.eventually(
        lambda: _is_amid_a_pass(allowed, driver["metadata"]["name"]), "executors work on a pass", "two-executors"
    )
    victim = both[0]["metadata"]["name"]
    allowed.kubectl("delete", "pod", victim, "--grace-period=0", "--force")

    runs = {name: allowed.run_ended(name, patience=PATIENCE) for name in ("one-pod", "two-executors")}
    for run in runs.values():
        assert (run["status"], run["num_documents"], run["num_clusters"]) == ("completed", DOCUMENTS, 12), run
    download(allowed, stage_set, runs, tmp_path)
    one, two = (pq.read_table(tmp_path / name / "members.parquet").sort_by("document_id") for name in runs)
    assert one["document_id"].to_pylist() == list(range(DOCUMENTS))
    assert two.equals(one), "clusters and distances, bit for bit"
    centroids = [pq.read_table(tmp_path / name / "centroids.parquet") for name in runs]
    assert centroids[0].equals(centroids[1])
    allowed.eventually(lambda: not executors(allowed, "two-executors"), "executors leave with their run")


def test_executors_assign_documents_to_the_clusters(stage_set: Stage, allowed: Scene, tmp_path: Path) -> None:
    """Every document is assigned to the cluster of the earlier run, because the threshold allows any distance."""
    assigning = by_spark("assigned", at_once=True)
    assigning["spec"]["execution_config"] |= {"mode": "assign", "assignment_threshold": -1}
    allowed.kubectl.apply(assigning)
    run = allowed.run_ended("assigned", patience=PATIENCE)
    assert (run["status"], run["mode"], run["num_documents"]) == ("completed", "assign", DOCUMENTS), run
    clustered = allowed.run_ended("two-executors")
    download(allowed, stage_set, {"two-executors": clustered, "assigned": run}, tmp_path)
    assigned, members = (pq.read_table(tmp_path / name / "members.parquet") for name in ("assigned", "two-executors"))
    for column in ("document_id", "cluster_id"):
        assert assigned[column].equals(members[column])
    notes = json.loads((tmp_path / "assigned/metrics.json").read_text())["notes"]
    assert any(f"parts of {DOCUMENTS} documents were read by Spark, 2 at a time" in note for note in notes), notes


@pytest.fixture(scope="module")
def planted(allowed: Scene) -> dict[str, Object]:
    """The first runs of the triggers of the planted groups, which share the cores. That of the enrichment is local."""
    run = by_spark("any")["spec"]["run"]
    drift = {"condition_type": "drift", "metric": "cosine_drift", "threshold": 0.05, "check_interval_seconds": DAY}
    mixture = {"algorithm": "gaussian_mixture", "n_components": GROUPS, "covariance_type": "diag"}
    config = {**mixture, "metric": "euclidean", "random_state": 7}
    conditional = {
        "trigger_type": "conditional",
        "schedule_config": drift,
        "execution_config": {"collection_ids": ["col_few"], "config": config},
        "run": {**run, "check": {"engine": "run", "resources": SMALL}},
    }
    dense = {"algorithm": "dbscan", "eps": 20.0, "min_samples": 50, "metric": "euclidean", "reduce": "none"}
    allowed.kubectl.apply(
        trigger(MIXTURE, conditional),
        by_interval(DENSE, dense, collection="col_few", at_once=True, **run),
        enriching(LABELS, "tax_groups", collection_id="col_few", incremental=True),
    )
    allowed.request_run(MIXTURE, "first")
    runs = {name: allowed.run_ended(name, patience=PATIENCE) for name in (MIXTURE, DENSE, LABELS)}
    for found in runs.values():
        assert (found["status"], found["num_documents"]) == ("completed", FEW), found
    return runs


def test_executors_find_the_planted_groups(
    stage_set: Stage, allowed: Scene, planted: dict[str, Object], tmp_path: Path
) -> None:
    """By a mixture of a sample, and by a pass that counts the documents near those of a sample."""
    by_executors = {name: planted[name] for name in (MIXTURE, DENSE)}
    for run in by_executors.values():
        assert any(f"parts of {FEW} documents were read by Spark, 2 at a time" in note for note in run["notes"]), run
    assert f"trained on a sample of {FEW} of {FEW} documents, then all were assigned" in planted[MIXTURE]["notes"]
    assert any(f"searched in a sample of {FEW} of {FEW} documents" in note for note in planted[DENSE]["notes"])
    download(allowed, stage_set, by_executors, tmp_path)
    for name in by_executors:
        members = pq.read_table(tmp_path / name / "members.parquet")
        assert members["document_id"].to_pylist() == list(range(FEW))
        pairs = {(number % GROUPS, cluster) for number, cluster in enumerate(members["cluster_id"].to_pylist())}
        assert len(pairs) == GROUPS, f"{name}: a cluster for each group"
        assert {cluster for _, cluster in pairs} == set(range(GROUPS)), f"{name}: no noise"


def test_a_check_by_executors_fires_and_an_enrichment_searches_new_documents(
    stage_set: Stage, allowed: Scene, planted: dict[str, Object], tmp_path: Path
) -> None:
    """The enrichment takes over the nodes that a local run has found."""
    with claim_files(allowed.kubectl, stage_set.images.worker.name, [EMBEDDINGS]):
        allowed.kubectl.pipe(["exec", POD, "--", "python", "-c", PLANT, "more"], b"")
    allowed.patch(MIXTURE, {"schedule_config": {"check_interval_seconds": 10}})
    allowed.patch(LABELS, {"run": {"engine": engine(), "service_account_name": "spark-driver"}})
    allowed.request_run(LABELS, "more")
    fired = allowed.eventually(
        lambda: next((check for check in allowed.status(MIXTURE).get("checks", []) if check.get("fires")), None),
        "a check fires",
        MIXTURE,
        PATIENCE,
    )
    assert fired["value"] > 0.05
    said = allowed.kubectl("logs", f"job/{fired['job_id']}")
    assert f"parts of {FEW + MORE} documents were read by Spark, 2 at a time" in said
    allowed.eventually(
        lambda: any(entry["slot"] == fired["slot"] for entry in allowed.status(MIXTURE)["history"]),
        "the run of the check",
        MIXTURE,
    )
    allowed.kubectl("delete", "clustertrigger", MIXTURE)

    run = allowed.run_ended(LABELS, slot="manual/more", patience=PATIENCE)
    assert (run["status"], run["num_documents"]) == ("completed", FEW + MORE), run
    assert any(f"parts of {FEW + MORE} documents were read by Spark, 2 at a time" in note for note in run["notes"]), run
    download(allowed, stage_set, {LABELS: run}, tmp_path)
    metrics = json.loads((tmp_path / LABELS / "metrics.json").read_text())
    assert (metrics["num_taken_over"], metrics["num_searched"]) == (FEW, MORE)
    table = pq.read_table(tmp_path / LABELS / "enrichment.parquet")
    ids, nodes = table["document_id"].to_pylist(), table["node_id"].to_pylist()
    assert sorted(ids) == [*range(FEW), *range(FEW, FEW + GROUPS * MORE, GROUPS)]
    assert nodes == [str(number % GROUPS) for number in ids]


def test_the_example_runs_as_make_demo_spark_runs_it(allowed: Scene) -> None:
    allowed.kubectl.apply(*example())
    show_run(allowed.kubectl, Plugin(allowed.kubectl))
    (run,) = allowed.status(TRIGGER)["history"]
    assert (run["status"], run["num_clusters"]) == ("completed", 20), run
    assert any("were read by Spark, 2 at a time" in note for note in run["notes"]), run
    assert not any("idle" in note for note in run["notes"]), run


def _is_amid_a_pass(scene: Scene, driver: str) -> bool:
    lines = [json.loads(line) for line in scene.kubectl("logs", driver).splitlines() if line.startswith("{")]
    return any(line.get("phase") == "assign" for line in lines)


def test_executors_go_with_the_trigger(allowed: Scene) -> None:
    allowed.request_run("two-executors", "deleted")
    allowed.eventually(lambda: executors(allowed, "two-executors", "Running"), "an executor runs", "two-executors")
    allowed.kubectl("delete", "clustertrigger", "two-executors", "--cascade=background")
    allowed.eventually(lambda: not executors(allowed, "two-executors"), "its executors are gone")


@pytest.fixture(scope="module")
def queued(request: pytest.FixtureRequest, stage_set: Stage, allowed: Scene) -> Iterator[Scene]:
    """The namespace with Kueue, and a queue that holds one run with its executors."""
    with kueue(request, stage_set, allowed, "queue-executors.yaml", QUEUED):
        yield allowed


def test_kueue_admits_the_executors_with_the_driver(queued: Scene) -> None:
    for name in ("first-queued", "second-queued"):
        queued.kubectl.apply(by_spark(name, queue_name="wide", pending_timeout_seconds=120))
    queued.request_run("first-queued", "one")
    both = queued.eventually(lambda: _two_running(queued, "first-queued"), "two executors run", "first-queued")
    for pod in both:
        assert pod["spec"]["nodeSelector"] == {"kubernetes.io/os": "linux"}
        assert any(one.get("key") == "batch-only" for one in pod["spec"]["tolerations"]), "as the flavor says"
    (workload,) = _workloads(queued)
    assert [(pods["name"], pods["count"]) for pods in workload["spec"]["podSets"]] == [("driver", 1), ("executors", 2)]

    queued.request_run("second-queued", "one")
    queued.eventually(
        lambda: _says(queued, "second-queued").endswith("(queued in LocalQueue wide (position 1))"),
        "the second run says that it is queued, and its position",
        "second-queued",
    )
    assert not queued.pods("second-queued")
    first = queued.run_ended("first-queued", patience=PATIENCE)
    assert first["status"] == "completed", first
    second = queued.run_ended("second-queued", patience=PATIENCE)
    assert (second["status"], second["num_documents"]) == ("completed", DOCUMENTS), second
    assert second["queue_time_ms"] > 5_000, second
    queued.eventually(lambda: not _workloads(queued), "no run has quota")


def test_a_quota_for_the_driver_alone_starts_nothing(queued: Scene) -> None:
    _set_quota(queued, "100m")
    queued.request_run("first-queued", "too-large")
    queued.eventually(lambda: "queued in LocalQueue wide" in _says(queued, "first-queued"), "it waits", "first-queued")
    (workload,) = queued.eventually(lambda: _workloads(queued), "it has a Workload")
    queued.eventually(lambda: "insufficient" in _refusal(queued, workload), "Kueue has refused it", "first-queued")
    assert not [pod for pod in queued.pods("first-queued") if pod["status"].get("phase") in ("Pending", "Running")]
    _set_quota(queued, "160m")
    queued.eventually(lambda: _two_running(queued, "first-queued"), "it starts with the quota", "first-queued")


def test_a_preempted_run_waits_again_without_its_executors_and_completes(queued: Scene) -> None:
    """The first run still has its executors."""
    urgent = by_interval(
        "urgent-queued",
        {"algorithm": "kmeans", "n_clusters": 2},
        collection="col_many",
        at_once=True,
        resources={"requests": {"cpu": "100m", "memory": "256Mi"}},
        queue_name="wide",
        priority_class="before-others",
    )
    queued.kubectl.apply(urgent)
    queued.eventually(
        lambda: "queued in LocalQueue" in _says(queued, "first-queued"), "it is preempted", "first-queued"
    )
    queued.eventually(lambda: not executors(queued, "first-queued"), "its executors are gone", "first-queued")
    assert queued.run_ended("urgent-queued", patience=PATIENCE)["status"] == "completed"
    entry = queued.run_ended("first-queued", slot="manual/too-large", patience=PATIENCE)
    assert (entry["status"], entry["num_documents"]) == ("completed", DOCUMENTS), entry
    assert queued.status("first-queued").get("failure_count", 0) == 0
    assert queued.status("first-queued")["execution_count"] == 2


def test_a_deleted_trigger_leaves_the_queue_with_its_executors(queued: Scene) -> None:
    queued.request_run("second-queued", "deleted")
    queued.eventually(lambda: _two_running(queued, "second-queued"), "two executors run", "second-queued")
    queued.kubectl("delete", "clustertrigger", "second-queued", "--cascade=background")
    queued.eventually(lambda: not executors(queued, "second-queued"), "its executors are gone")
    queued.eventually(lambda: not _workloads(queued), "no run has quota")


def _two_running(scene: Scene, name: str) -> list[Object] | None:
    return found if len(found := executors(scene, name, "Running")) == 2 else None


def _says(scene: Scene, name: str) -> str:
    """Return what the condition Running says about an active run."""
    running = scene.condition(name, "Running")
    return str(running.get("message", "")) if running.get("status") == "True" else ""


def _workloads(scene: Scene) -> list[Object]:
    """Return the Workloads that have not ended."""

    def ended(workload: Object) -> bool:
        return _holds(workload, "Finished")

    return [workload for workload in scene.kubectl.items("workloads.kueue.x-k8s.io") if not ended(workload)]


def _holds(workload: Object, kind: str) -> bool:
    conditions = workload.get("status", {}).get("conditions", [])
    return any(condition["type"] == kind and condition["status"] == "True" for condition in conditions)


def _refusal(scene: Scene, workload: Object) -> str:
    """Return why Kueue has given a Workload no quota."""
    name = workload["metadata"]["name"]
    (found,) = (one for one in _workloads(scene) if one["metadata"]["name"] == name)
    conditions = found.get("status", {}).get("conditions", [])
    return next((one["message"] for one in conditions if one["type"] == "QuotaReserved"), "")


def _set_quota(scene: Scene, cpu: str) -> None:
    path = "/spec/resourceGroups/0/flavors/0/resources/0/nominalQuota"
    patch = json.dumps([{"op": "replace", "path": path, "value": cpu}])
    scene.kubectl("patch", "clusterqueue", "one-with-executors", "--type=json", f"--patch={patch}")
