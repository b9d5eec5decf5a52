"""Tests of mode assign: documents get the clusters of an earlier run, and the errors if this is not possible."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from clustercontract.actions.batch_rerun import RerunSpec
from clustercontract.run import RunSpec
from clusterworker.process.errors import MisconfiguredError
from clusterworker.process.progress import Progress
from clusterworker.run.rerun import rerun
from tests.clusterworker.conftest import Pod, new_pod
from tests.clusterworker.planted import planted, write
from tests.clusterworker.storage.s3_server import Bucket

KMEANS: dict[str, Any] = {"algorithm": "kmeans", "n_clusters": 4}
DATA = planted(400, 4, dimensions=32, spread=0.05)
IDS = [f"doc-{row}" for row in range(400)]
TEXTS = [f"{('apples', 'planets', 'engines', 'violins')[label]} of document {n}" for n, label in enumerate(DATA.labels)]
SOURCE = {"uri": "data.parquet", "text_column": "text"}


def rows(pod: Pod, spec: RunSpec, name: str = "members.parquet") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(pod.folder(spec) / name).to_pylist()
    return found


def labels(pod: Pod, spec: RunSpec) -> dict[str, int]:
    return {row["document_id"]: row["cluster_id"] for row in rows(pod, spec)}


def base_of(pod: Pod, spec: RunSpec, **fields: Any) -> dict[str, Any]:
    return {"run": spec.run, "uri": f"{pod.results}/search/{spec.trigger}/{spec.run}", **fields}


def assigning(pod: Pod, clustering: RunSpec, config: dict[str, Any] = KMEANS, **fields: Any) -> RunSpec:
    own = {"trigger": "hourly", "run": "hourly-1", "mode": "assign", "base": base_of(pod, clustering)}
    return pod.spec(config, SOURCE, **(own | fields))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pod, RunSpec]:
    """A clustering of four topics, whose IDs differ from their positions, because lower IDs are already used."""
    pod = new_pod(tmp_path_factory.mktemp("made"))
    write(pod.volume / "data.parquet", DATA.vectors, IDS, TEXTS)
    previous = {"run": "nightly-2", "uri": "/gone", "next_cluster_id": 5}
    spec = pod.spec(KMEANS, SOURCE, run="nightly-3", previous=previous)
    pod.run(spec)
    return pod, spec


@pytest.fixture
def nightly(pod: Pod, made: tuple[Pod, RunSpec]) -> RunSpec:
    """The same, for a test that changes it."""
    for before, now in ((made[0].results, pod.results), (made[0].volume, pod.volume)):
        shutil.copytree(before, now, dirs_exist_ok=True)
    return made[1]


def test_documents_get_the_clusters_of_the_run(pod: Pod, nightly: RunSpec) -> None:
    """IDs, names and centroids stay; lists are ordered by the current number of documents per cluster."""
    clustered = labels(pod, nightly)
    assert sorted(set(clustered.values())) == [5, 6, 7, 8]
    fewest = min(set(clustered.values()), key=list(clustered.values()).count)
    kept = [row for row in range(400) if clustered[IDS[row]] == fewest]
    kept += [row for row in range(400) if clustered[IDS[row]] != fewest][:60]
    write(pod.volume / "data.parquet", DATA.vectors[kept], [f"new-{row}" for row in kept], [TEXTS[row] for row in kept])
    spec = assigning(pod, nightly)
    result = pod.run(spec)

    found = labels(pod, spec)
    assert found == {f"new-{row}": clustered[IDS[row]] for row in kept}
    for row, member in zip(kept, rows(pod, spec), strict=True):
        centroid = next(
            one["centroid"] for one in rows(pod, spec, "centroids.parquet") if one["cluster_id"] == clustered[IDS[row]]
        )
        assert member["distance_to_centroid"] == pytest.approx(1 - float(DATA.vectors[row] @ centroid), abs=1e-6)
    then = {one["cluster_id"]: one for one in rows(pod, nightly, "centroids.parquet")}
    now = rows(pod, spec, "centroids.parquet")
    assert {one["cluster_id"]: (one["name"], one["centroid"]) for one in now} == {
        number: (one["name"], one["centroid"]) for number, one in then.items()
    }
    assert [one["documents"] for one in now] == sorted((one["documents"] for one in now), reverse=True)
    assert now[0]["cluster_id"] == fewest
    assert [brief.cluster_id for brief in result.clusters] == [one["cluster_id"] for one in now if one["documents"]]
    assert result.clusters[0].num_documents == list(found.values()).count(fewest)
    assert result.clusters[0].central_documents[0].document_id.startswith("new-")
    assert (result.num_clusters, result.num_documents, result.num_noise) == (4, len(kept), 0)
    assert (result.baseline, result.changes, result.metrics) == (None, None, {})
    assert result.next_cluster_id == 9
    assert result.notes == [
        f"documents are assigned to 4 clusters of nightly-3; 0 of {len(kept)} are noise: their cosine similarity to "
        "the nearest centroid is below assignment_threshold 0.5"
    ]


def test_the_folder_is_one_of_a_run(pod: Pod, nightly: RunSpec) -> None:
    spec = assigning(pod, nightly)
    pod.run(spec)
    assert {file.name for file in pod.folder(spec).iterdir()} == {
        *("members.parquet", "centroids.parquet", "metrics.json", "report.html", "report.png", "run.json", "spec.json")
    }
    metrics = json.loads((pod.folder(spec) / "metrics.json").read_text())
    assert metrics["parameters"] == {"mode": "assign", "clusters_of": "nightly-3", "assignment_threshold": 0.5}
    assert [metrics[name] for name in ("mode", "num_clusters", "num_documents", "num_noise")] == ["assign", 4, 400, 0]
    assert len(metrics["clusters"]) == 4
    report = (pod.folder(spec) / "report.html").read_text()
    assert "Assigned to the clusters of" in report
    assert "<h2>Quality</h2>" not in report
    phases = dict.fromkeys(line["phase"] for line in pod.messages)
    assert list(phases) == ["open", "assign", "report", "publish"]
    # It can be assigned to, and can be the run before, like any other.
    again = assigning(pod, spec, trigger="third", run="third-1")
    pod.run(again)
    assert labels(pod, again) == labels(pod, spec)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("threshold", [-1.0, 0.0, 0.5, 0.95, 1.0])
def test_what_is_unlike_every_centroid_is_noise(pod: Pod, metric: str, threshold: float) -> None:
    """Compares with all cosines, computed one by one."""
    config = {**KMEANS, "metric": metric}
    write(pod.volume / "data.parquet", DATA.vectors * 3, IDS, TEXTS)
    nightly = pod.spec(config, SOURCE)
    pod.run(nightly)
    strange = np.random.default_rng(1).normal(size=(100, 32)).astype(np.float32)
    every = np.concatenate([DATA.vectors[:100] * 3, strange])
    write(pod.volume / "data.parquet", every, [f"doc-{row}" for row in range(200)], TEXTS[:200])
    spec = assigning(pod, nightly, config, assignment_threshold=threshold)
    result = pod.run(spec)

    stored = rows(pod, nightly, "centroids.parquet")
    centroids = np.array([one["centroid"] for one in stored], np.float64)
    cosines = every @ centroids.T / np.linalg.norm(every, axis=1)[:, None] / np.linalg.norm(centroids, axis=1)
    apart = np.linalg.norm(every[:, None] - centroids[None], axis=2)
    distances = 1 - cosines if metric == "cosine" else apart
    nearest = distances.argmin(axis=1)
    alike = cosines[np.arange(200), nearest]
    assert np.abs(alike - threshold).min() > 1e-5, "no document is at the threshold itself"
    for row, member in enumerate(rows(pod, spec)):
        if alike[row] < threshold:
            assert (member["cluster_id"], member["distance_to_centroid"]) == (-1, None)
        else:
            assert member["cluster_id"] == stored[nearest[row]]["cluster_id"]
            assert member["distance_to_centroid"] == pytest.approx(distances[row, nearest[row]], abs=1e-4)
    noise = int((alike < threshold).sum())
    assert result.num_noise == noise
    assert f"{noise} of 200 are noise" in result.notes[0]
    assert noise == {-1.0: 0, 1.0: 200}.get(threshold, noise)


@pytest.mark.parametrize("length", [1e-25, 1e-3, 1e9, 1e30])
def test_lengths_of_vectors_do_not_matter(pod: Pod, nightly: RunSpec, length: float) -> None:
    """A vector of another length beside them does not change them, within single precision."""
    scaled = (DATA.vectors.astype(np.float64) * length).astype(np.float32)
    scaled[0] = DATA.vectors[0]
    write(pod.volume / "data.parquet", scaled, IDS, TEXTS)
    spec = assigning(pod, nightly)
    pod.run(spec)
    assert labels(pod, spec) == labels(pod, nightly)
    own = [row["distance_to_centroid"] for row in rows(pod, nightly)]
    assert [row["distance_to_centroid"] for row in rows(pod, spec)] == pytest.approx(own, abs=2e-6)


def test_a_vector_of_zeros_has_no_direction(pod: Pod, nightly: RunSpec) -> None:
    vectors = DATA.vectors.copy()
    vectors[7] = 0
    write(pod.volume / "data.parquet", vectors, IDS, TEXTS)
    with pytest.raises(MisconfiguredError, match=r"data\.parquet, row 7 .*: a vector of zeros has no direction"):
        pod.run(assigning(pod, nightly))


def test_the_map_is_that_of_the_clustering(pod: Pod, nightly: RunSpec) -> None:
    """Documents keep their positions; without that map, or with another layout, the run computes a new one."""
    then = {one["document_id"]: one["position"] for one in rows(pod, nightly, "map.parquet")}
    assert set(then) == set(IDS)
    assert {one["document_id"]: one["cluster_id"] for one in rows(pod, nightly, "map.parquet")} == {
        document: labels(pod, nightly)[document] for document in then
    }
    spec = assigning(pod, nightly)
    pod.run(spec)
    assert not (pod.folder(spec) / "map.parquet").exists()
    said = "laid out as on the map of nightly-3, by the two directions in which documents differ most (PCA)"
    report = pod.folder(spec) / "report.html"
    assert said in report.read_text()
    own = assigning(pod, nightly, report={"map": "pca"})
    pod.run(own)
    assert said not in report.read_text()
    for damage in (b"PAR1", None):
        file = pod.folder(nightly) / "map.parquet"
        file.unlink() if damage is None else file.write_bytes(damage)
        assert pod.run(spec).status == "completed"
        assert "laid out by the two directions" in report.read_text()


def test_clusters_of_any_algorithm(pod: Pod) -> None:
    """One base run left documents in no cluster, and another one found no cluster."""
    write(pod.volume / "data.parquet", DATA.vectors, IDS, TEXTS)
    nightly = pod.spec({"algorithm": "hdbscan", "min_cluster_size": 15, "reduce": "none"}, SOURCE)
    pod.run(nightly)
    spec = assigning(pod, nightly, {"algorithm": "hdbscan", "min_cluster_size": 15})
    result = pod.run(spec)
    assert (result.num_clusters, result.num_noise) == (4, 0)
    clustered = labels(pod, nightly)
    assert {document: label for document, label in labels(pod, spec).items() if clustered[document] != -1} == {
        document: label for document, label in clustered.items() if label != -1
    }

    stored = pq.read_table(pod.folder(nightly) / "centroids.parquet")
    pq.write_table(stored[:0], pod.folder(nightly) / "centroids.parquet")
    result = pod.run(assigning(pod, nightly, run="hourly-2"))
    assert (result.num_clusters, result.num_noise, result.clusters) == (0, 400, [])


def test_several_collections_in_batches(pod: Pod, nightly: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches are not kept, whatever the order of the documents; integer and text IDs become texts."""
    monkeypatch.setattr("clusterworker.data.sources.parquet.collection.READ_ROWS", 64)
    write(pod.volume / "numbers.parquet", DATA.vectors[::-1], list(range(400)), TEXTS)
    sources = [{"uri": "data.parquet"}, {"uri": "numbers.parquet"}]
    spec = pod.spec(KMEANS, *sources, trigger="hourly", mode="assign", base=base_of(pod, nightly))
    result = pod.run(spec)
    assert result.num_documents == 800
    found = {(row["collection_id"], row["document_id"]): row["cluster_id"] for row in rows(pod, spec)}
    clustered = labels(pod, nightly)
    assert found == {
        **{("col_0", document): label for document, label in clustered.items()},
        **{("col_1", str(399 - row)): clustered[document] for row, document in enumerate(IDS)},
    }


@pytest.mark.parametrize(
    ("config", "dimensions", "says"),
    [
        (
            {**KMEANS, "metric": "euclidean"},
            32,
            "metric is euclidean, but that of run nightly-3 is cosine: request a run with mode full",
        ),
        (
            KMEANS,
            16,
            "collection col_0 has 16 dimensions, but the clusters of run nightly-3 have 32: request a run with mode "
            "full",
        ),
    ],
)
def test_clusters_that_do_not_fit(
    pod: Pod, nightly: RunSpec, config: dict[str, Any], dimensions: int, says: str
) -> None:
    write(pod.volume / "data.parquet", DATA.vectors[:, :dimensions], IDS, TEXTS)
    with pytest.raises(MisconfiguredError, match=f"^{says}$"):
        pod.run(assigning(pod, nightly, config))


def test_another_embedding_model(pod: Pod) -> None:
    file = write(pod.volume / "data.parquet", DATA.vectors, IDS, TEXTS)
    for model in ("words-1", "words-2"):
        table = pq.read_table(file)
        pq.write_table(table.replace_schema_metadata({"embedding_model": model}), file)
        if model == "words-1":
            nightly = pod.spec(KMEANS, SOURCE)
            pod.run(nightly)
            assert pod.run(assigning(pod, nightly)).num_noise == 0
    with pytest.raises(
        MisconfiguredError, match="embedded by words-2, but run nightly-1a2b clustered vectors of words-1"
    ):
        pod.run(assigning(pod, nightly, run="hourly-2"))


def damaged(folder: Path) -> None:
    (folder / "centroids.parquet").write_bytes(b"PAR1 and nothing else")


def without_metadata(folder: Path) -> None:
    file = folder / "centroids.parquet"
    pq.write_table(pq.read_table(file).replace_schema_metadata(None), file)


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (
            lambda folder: (folder / "centroids.parquet").unlink(),
            "no longer exist: ",
        ),
        (lambda folder: folder.rename(folder.parent / "moved"), "no longer exist: "),
        (damaged, "cannot be read: "),
        (without_metadata, "cannot be read: "),
    ],
)
def test_clusters_that_are_gone_or_damaged(pod: Pod, nightly: RunSpec, harm: Any, says: str) -> None:
    harm(pod.folder(nightly))
    with pytest.raises(MisconfiguredError, match=f"^the clusters of run nightly-3 {says}") as failure:
        pod.run(assigning(pod, nightly))
    assert "nightly-3/centroids.parquet" in str(failure.value)
    assert str(failure.value).endswith(": request a run with mode full")
    assert not pod.folder(assigning(pod, nightly)).exists()


def test_results_in_a_bucket(pod: Pod, bucket: Bucket, keys: Path) -> None:
    write(pod.volume / "data.parquet", DATA.vectors, IDS, TEXTS)
    place = bucket.results()
    nightly = pod.spec(KMEANS, SOURCE, results=place)
    result = pod.run(nightly)
    base = {"run": nightly.run, "uri": result.results_uri, "results": place}
    spec = assigning(pod, nightly, base=base)
    assert pod.run(spec).num_noise == 0, "it is read from the bucket, and written to the volume"
    assert len(labels(pod, spec)) == 400


def test_the_clustering_stays_however_often_documents_are_assigned(pod: Pod) -> None:
    """The trigger's mode was full: its last clustering is older than all runs that are kept."""
    write(pod.volume / "data.parquet", DATA.vectors, IDS, TEXTS)
    first = pod.spec(KMEANS, SOURCE, run="nightly-1", history_limit=2)
    pod.run(first)
    base = base_of(pod, first)
    for number in range(2, 6):
        spec = assigning(
            pod, first, trigger="nightly", run=f"nightly-{number}", base=base, previous=base, history_limit=2
        )
        pod.run(spec)
    assert {file.name for file in (pod.results / "search/nightly").iterdir() if file.is_dir()} == {
        *("nightly-1", "nightly-4", "nightly-5")
    }


def test_outputs_get_the_same_ids_and_names(pod: Pod, nightly: RunSpec) -> None:
    (pod.root / "outputs").mkdir()
    output = {
        "collection_id": "col_labels",
        "source": {"uri": "labels/"},
        "write": {},
        "mount_path": str(pod.root / "outputs"),
    }
    spec = assigning(pod, nightly, outputs=[output])
    result = pod.run(spec)
    assert result.notes[-1] == "wrote 400 rows of labels/clusters.parquet"
    written = pq.read_table(pod.root / "outputs/labels/clusters.parquet").to_pylist()
    names = {one["cluster_id"]: one["name"] for one in rows(pod, nightly, "centroids.parquet")}
    assert {row["document_id"]: (row["cluster_id"], row["cluster_name"]) for row in written} == {
        document: (label, names[label]) for document, label in labels(pod, nightly).items()
    }
    assert {row["run"] for row in written} == {"hourly-1"}


def test_it_is_run_again(pod: Pod, nightly: RunSpec) -> None:
    spec = assigning(pod, nightly)
    pod.run(spec)
    again = RerunSpec.model_validate_json(
        json.dumps(
            {"namespace": "search", "trigger": "again", "run": "again-1", "slot": "manual/1", "batch_id": spec.run,
             "batch_trigger": "hourly", "batch_results": {"uri": str(pod.results)},
             "results": {"uri": str(pod.results)}}
        )
    )  # fmt: skip
    result = rerun(again, Progress(pod.log), pod.mounts)
    assert (result.num_clusters, result.num_documents) == (4, 400)
    members = pq.read_table(pod.results / "search/again/again-1/members.parquet")
    assert members.equals(pq.read_table(pod.folder(spec) / "members.parquet"))


def test_a_spec_without_a_run_is_none(pod: Pod) -> None:
    for fields in ({"mode": "assign"}, {"base": {"run": "a", "uri": "/results/a"}}):
        with pytest.raises(ValueError, match="base is required with mode assign, and valid only with it"):
            pod.spec(KMEANS, **fields)
