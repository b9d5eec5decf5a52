"""Story of results: progress during a run, retention of folders, and clusters in the terminal."""

import json

import pyarrow.parquet as pq
import pytest

from e2e.stories import data
from e2e.stories.conftest import Stage
from e2e.stories.scene import Object, Scene
from e2e.stories.triggers import by_interval
from harness.claim_files import claim_files
from harness.specs.results import RESULT_FILES

KEPT = 2
CLAIM = "clustertrigger-results"


@pytest.fixture(scope="module")
def shelf(stage_set: Stage) -> Object:
    """Return a trigger that fires only on request and keeps two results."""
    trigger = by_interval("shelf", {"algorithm": "kmeans", "n_clusters": 5}, history_limit=KEPT, report={"map": "umap"})
    stage_set.scene.kubectl.apply(trigger)
    return trigger


def test_a_run_is_watched_to_its_end(scene: Scene, shelf: Object) -> None:
    scene.request_run("shelf", "watched")
    watched = scene.plugin("watch", "shelf")
    assert watched.returncode == 0, watched.stdout + watched.stderr
    lines = watched.stdout.splitlines()
    run = scene.run_ended("shelf", slot="manual/watched")
    phases = [line.split()[0] for line in lines if "/7  " in line and "[" not in line]
    assert phases == ["open", "read", "cluster", "assign", "measure", "report", "publish"], watched.stdout
    assert f"reading {data.DOCUMENTS} documents of 384 dimensions" in watched.stdout
    assert lines[-1].startswith(f"{run['job_id']} completed after ")
    assert lines[-1].endswith(f": 5 clusters of {data.DOCUMENTS} documents in {run['results_uri']}")


def test_a_failed_run_is_watched_to_its_reason(scene: Scene) -> None:
    run = scene.run_ended("missing-column")
    watched = scene.plugin("watch", "missing-column", "--run", run["job_id"])
    assert watched.returncode == 1
    assert watched.stdout.endswith(f": {run['error']}\n")


def test_old_results_go_with_their_entries(stage_set: Stage, scene: Scene, shelf: Object) -> None:
    for token in ("second", "third"):
        scene.request_run("shelf", token)
        scene.run_ended("shelf", slot=f"manual/{token}")
    history = scene.status("shelf")["history"]
    assert [entry["slot"] for entry in history] == ["manual/third", "manual/second"]
    with claim_files(scene.kubectl, stage_set.images.worker.name, [CLAIM]) as claims:
        prefix = f"{scene.kubectl.namespace}/shelf/"
        found = {path.removeprefix(prefix) for path in claims.listing(CLAIM) if path.startswith(prefix)}
    kept = {f"{entry['job_id']}/{name}" for entry in history for name in RESULT_FILES}
    assert found == kept | {"latest.json"}
    assert all(entry["results_uri"] == f"/results/{prefix}{entry['job_id']}" for entry in history)


def test_clusters_are_listed_in_the_terminal(scene: Scene, shelf: Object) -> None:
    newest = scene.status("shelf")["history"][0]
    listed = scene.plugin("results", "shelf")
    assert listed.returncode == 0, listed.stderr
    assert f"{newest['job_id']}: 5 clusters of {data.DOCUMENTS} documents" in listed.stdout
    printed = json.loads(scene.plugin("results", "shelf", "--output", "json").stdout)
    assert printed["result"]["job_id"] == newest["job_id"]
    sizes = [cluster["num_documents"] for cluster in printed["result"]["clusters"]]
    assert len(sizes) == 5
    assert sum(sizes) == data.DOCUMENTS
    assert sizes == sorted(sizes, reverse=True)


def test_clusters_keep_their_numbers_after_new_data(stage_set: Stage, scene: Scene, shelf: Object) -> None:
    """Clusters keep their ids after documents were removed."""
    yesterday = scene.status("shelf")["last_result"]
    gone = pq.read_table(data.EXAMPLE, columns=["document_id"])["document_id"][: data.DOCUMENTS : 20].to_pylist()
    rest = {"field": "document_id", "operator": "nin", "value": gone}
    fewer = {
        "apiVersion": "clustertrigger.dev/v1alpha1",
        "kind": "Collection",
        "metadata": {"name": "packages-of-today"},
        "spec": {
            "collection_id": "col_today",
            "volume": "embeddings",
            "source": {"uri": "packages.parquet", "text_column": "description", "filters": rest},
        },
    }
    scene.kubectl.apply(fewer)
    execution = {**shelf["spec"]["execution_config"], "collection_ids": ["col_today"]}
    scene.kubectl.apply({**shelf, "spec": {**shelf["spec"], "execution_config": execution}})
    scene.request_run("shelf", "today")
    scene.run_ended("shelf", slot="manual/today")
    found = scene.status("shelf")["last_result"]
    assert found["changes"]["since"] == yesterday["job_id"]
    assert found["changes"]["documents"] == data.DOCUMENTS - len(gone)
    words = {cluster["cluster_id"]: set(cluster["name"].split(", ")) for cluster in yesterday["clusters"]}
    kept = [
        cluster["cluster_id"]
        for cluster in found["clusters"]
        if words.get(cluster["cluster_id"], set()) & set(cluster["name"].split(", "))
    ]
    assert len(kept) >= 3, (words, found)
    listed = scene.plugin("results", "shelf")
    assert f"since {yesterday['job_id']}: {found['changes']['summary']}" in listed.stdout
