"""Story of layers: clusters at several granularities in the run's folder, in the terminal, and in the next run."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from clustertrigger.api import API_VERSION
from e2e.stories import data
from e2e.stories.conftest import CLAIMS, NAMESPACE, Stage
from e2e.stories.scene import Scene
from e2e.stories.triggers import SMALL, by_interval, enriching
from harness.claim_files import claim_files

TRIGGERS = ("granular", "granular-afresh", "one-granularity")
VECTORS, RESULTS = CLAIMS
MANY = 10_000
BY_NODE = {"document_id_column": "node_id"}


@pytest.fixture(scope="module", autouse=True)
def _granular(stage_set: Stage) -> Iterator[None]:
    scene = stage_set.scene
    scene.kubectl.apply(by_interval("granular", {"algorithm": "evoc"}))
    scene.kubectl.apply(by_interval("granular-afresh", {"algorithm": "evoc", "ids": "by_size"}))
    scene.kubectl.apply(by_interval("one-granularity", {"algorithm": "hdbscan", "min_cluster_size": 15}))
    for name in TRIGGERS:
        scene.request_run(name, "first")
    yield
    scene.kubectl("delete", "clustertrigger", *TRIGGERS, "labelled-today", "sampled", "--ignore-not-found")
    scene.kubectl("delete", "taxonomy,collection", "last-night", "sampled", "--ignore-not-found")


def test_every_layer_is_in_the_folder_and_in_the_terminal(scene: Scene) -> None:
    run = scene.run_ended("granular", slot="manual/first")
    assert run["status"] == "completed", run
    assert any("clusters, the finest first: the run's clusters are layer" in note for note in run["notes"])
    found = json.loads(scene.plugin("results", "granular", "--layer", "0", "-o", "json").stdout)
    assert found["layer"] == 0
    assert found["num_clusters"] == len(found["clusters"]) > 2
    assert sum(cluster["num_documents"] for cluster in found["clusters"]) + found["num_noise"] == data.DOCUMENTS
    chosen = scene.plugin("results", "granular", "--layer", str(found["chosen"]))
    assert chosen.returncode == 0, chosen.stderr
    heading, columns, *rows = chosen.stdout.splitlines()
    assert heading.endswith("(the run's clusters)")
    assert columns.split() == ["#", "NAME", "DOCUMENTS", "SHARE", "IN"]
    assert len(rows) == run["num_clusters"]


def test_the_same_spec_gives_the_same_layers(scene: Scene) -> None:
    before, after = (layer_after(scene, "granular-afresh", slot) for slot in ("first", "second"))
    assert before.pop("job_id") != after.pop("job_id")
    assert before == after


def test_clusters_of_every_layer_keep_their_ids(scene: Scene) -> None:
    before, after = (layer_after(scene, "granular", slot) for slot in ("first", "second"))
    assert before["job_id"] != after["job_id"]
    names = {cluster["cluster_id"]: cluster["name"] for cluster in before["clusters"]}
    kept = [cluster for cluster in after["clusters"] if cluster["cluster_id"] in names]
    assert len(kept) >= 0.7 * len(names), "the documents are the same"
    alike = [set(cluster["name"].split(", ")) & set(names[cluster["cluster_id"]].split(", ")) for cluster in kept]
    assert sum(map(bool, alike)) >= 0.8 * len(kept), "a number means the same topic"


def layer_after(scene: Scene, name: str, slot: str) -> Any:
    """Request a run, except the first; return its finest layer when it has completed."""
    if slot != "first":
        scene.request_run(name, slot)
    run = scene.run_ended(name, slot=f"manual/{slot}")
    return json.loads(scene.plugin("results", name, "--run", run["job_id"], "--layer", "0", "-o", "json").stdout)


def test_clusters_of_last_night_are_the_labels_of_today(scene: Scene) -> None:
    scene.run_ended("granular", slot="manual/first")
    clusters = {"volume": RESULTS, "source": {"uri": f"{NAMESPACE}/granular/taxonomy.parquet", **BY_NODE}}
    taxonomy = {"collection_id": "last-night", "label_column": "label", "parent_column": "parent_id"}
    scene.kubectl.apply(
        {"apiVersion": API_VERSION, "kind": "Collection", "metadata": {"name": "last-night"}, "spec": clusters},
        {"apiVersion": API_VERSION, "kind": "Taxonomy", "metadata": {"name": "last-night"}, "spec": taxonomy},
        enriching("labelled-today", "last-night", collection_id="col_packages"),
    )
    labelled = scene.run_ended("labelled-today")
    assert labelled["status"] == "completed", labelled
    brief = scene.status("labelled-today")["last_result"]["enrichment"]
    assert brief["num_assigned"] == data.DOCUMENTS
    assert brief["num_nodes"] > 2
    said = scene.plugin("results", "labelled-today").stdout
    assert f"{data.DOCUMENTS} of {data.DOCUMENTS} documents (100.0%) have a node of last-night" in said


def test_a_run_that_lacks_memory_clusters_a_sample_and_says_so(stage_set: Stage, scene: Scene) -> None:
    with claim_files(scene.kubectl, stage_set.images.worker.name, [VECTORS]) as claims:
        claims.upload_new(VECTORS, {"sampled.parquet": data.groups(MANY)})
    collection = {"volume": VECTORS, "source": {"uri": "sampled.parquet"}}
    little = {**SMALL, "limits": {"memory": "430Mi"}}
    scene.kubectl.apply(
        {"apiVersion": API_VERSION, "kind": "Collection", "metadata": {"name": "sampled"}, "spec": collection},
        by_interval("sampled", {"algorithm": "evoc", "approx_n_clusters": data.GROUPS}, at_once=True,
                    collection="sampled", resources=little, retries=0),
    )  # fmt: skip
    run = scene.run_ended("sampled")
    assert run["status"] == "completed", run
    assert (run["num_documents"], run["num_clusters"]) == (MANY, data.GROUPS)
    (note,) = (note for note in run["notes"] if "clustered a sample of " in note)
    assert note.startswith(f"EVōC's node embedding of {MANY} documents of 64 dimensions needs about ")
    assert "and the container may use 430: clustered a sample of " in note


def test_what_there_is_not_is_told(scene: Scene) -> None:
    scene.run_ended("granular", slot="manual/first")
    beyond = scene.plugin("results", "granular", "--layer", "19")
    assert beyond.returncode == 1
    assert "--layer: there is no layer 19: choose one from 0 to " in beyond.stderr
    scene.run_ended("one-granularity", slot="manual/first")
    single = scene.plugin("results", "one-granularity", "--layer", "0")
    assert single.returncode == 1
    assert "has only one granularity: use algorithm evoc to get several" in single.stderr
