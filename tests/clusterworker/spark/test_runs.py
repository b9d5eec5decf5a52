"""Tests that a run on Spark gives the same results as a local run: members, clusters, names and IDs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clustercontract.run import RunResult, RunSpec
from clusterworker.clustering.algorithms import choice, hierarchical, mean_shift, micro, mixture, spectral
from clusterworker.process.errors import MisconfiguredError, UnavailableError
from clusterworker.run import passes
from clusterworker.spark.executors import Executors
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import fixed_size_list, planted, table, write
from tests.clusterworker.process.worker_process import finish_worker, start_worker
from tests.clusterworker.spark.conftest import ENGINE, modules_of
from tests.clusterworker.storage.s3_server import Bucket

pytestmark = pytest.mark.xdist_group("spark")

KMEANS: dict[str, Any] = {"algorithm": "kmeans", "n_clusters": 5}
MIXTURE: dict[str, Any] = {"algorithm": "gaussian_mixture", "n_components": 5}
TREE: dict[str, Any] = {"algorithm": "hierarchical", "n_clusters": 5}
MODES: dict[str, Any] = {"algorithm": "mean_shift", "reduce": "none", "quantile": 0.1}
CORES: dict[str, Any] = {"algorithm": "dbscan", "eps": 0.2, "min_samples": 10}
GRAPH: dict[str, Any] = {"algorithm": "spectral", "n_clusters": 5}
DATA = planted(2_400, 5, dimensions=24, spread=0.1)
TOPICS = ["harbour ships", "mountain snow", "forest birds", "desert sand", "river fish"]
TEXTS = [f"{TOPICS[label]} number {row}" for row, label in enumerate(DATA.labels.tolist())]
MIXED = np.random.default_rng(3).permutation(len(DATA.vectors))


@pytest.fixture(autouse=True)
def streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A local run trains on a sample, as one above 500,000 documents does, and as every run on Spark does."""
    monkeypatch.setattr(choice, "STREAMED_ROWS", 0)


def small_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples are smaller than the documents of these tests."""
    monkeypatch.setattr(mixture, "MOST_ROWS", 1_000)
    monkeypatch.setattr(micro, "ROWS_PER_CENTROID", 10)
    monkeypatch.setattr(mean_shift, "ROWS_PER_CENTROID", 10)
    for module in (hierarchical, spectral, mean_shift):
        monkeypatch.setattr(module, "MICRO_CLUSTERS", 100)
        monkeypatch.setattr(module, "MOST_DOCUMENTS", 1_000)


def documents(pod: Pod, rows: Any = MIXED, files: int = 3) -> None:
    """Files of several row groups each."""
    for number, part in enumerate(np.array_split(rows, files)):
        found = table(DATA.vectors[part], [f"doc-{row}" for row in part], [TEXTS[row] for row in part])
        pq.write_table(found, pod.volume / f"{number}.parquet", row_group_size=170)


def spec_of(pod: Pod, run: str, *, spark: bool, config: dict[str, Any] = KMEANS, **fields: Any) -> RunSpec:
    sources = fields.pop("sources", [{"uri": ".", "text_column": "text"}])
    return pod.spec(config, *sources, run=f"nightly-{run}", **(({"engine": ENGINE} if spark else {}) | fields))


def content(folder: Path) -> dict[str, Any]:
    """The results of a run, without its name and times."""
    metrics = json.loads((folder / "metrics.json").read_text())
    return {
        "members": pq.read_table(folder / "members.parquet").to_pydict(),
        "centroids": pq.read_table(folder / "centroids.parquet").to_pydict(),
        "clusters": metrics["clusters"],
        "files": {file.name for file in folder.iterdir()},
    }


def assert_same(pod: Pod, local: tuple[RunSpec, RunResult], spark: tuple[RunSpec, RunResult]) -> None:
    folders = [pod.folder(spec) for spec, _ in (local, spark)]
    assert content(folders[0]) == content(folders[1])
    members = [(folder / "members.parquet").read_bytes() for folder in folders]
    assert members[0] == members[1]
    assert spark[1].metrics == pytest.approx(local[1].metrics, rel=1e-9)
    baselines = [np.load(folder / "baseline.npz", allow_pickle=False) for folder in folders]
    for name in ("shares", "reservoir", "centroids", "n"):
        assert np.array_equal(baselines[0][name], baselines[1][name]), name
    for name in ("sum", "sum_squares"):
        assert np.allclose(baselines[0][name], baselines[1][name], rtol=1e-12, atol=1e-9), name


@pytest.mark.parametrize(
    "config",
    [
        KMEANS,
        *({**MIXTURE, "covariance_type": shape} for shape in ("full", "tied", "diag", "spherical")),
        {**MIXTURE, "metric": "euclidean"},
        TREE,
        {"algorithm": "agglomerative", "distance_threshold": 4.0, "metric": "euclidean"},
        GRAPH,
        {**GRAPH, "affinity": "nearest_neighbors"},
        MODES,
        {"algorithm": "mean_shift", "reduce": "none", "quantile": 0.1, "cluster_all": False, "metric": "euclidean"},
    ],
)
def test_a_run_on_spark_equals_a_local_one(
    pod: Pod, on_spark: Executors, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
) -> None:
    small_samples(monkeypatch)
    documents(pod)
    local, spark = (spec_of(pod, kind, spark=kind == "spark", config=config) for kind in ("local", "spark"))
    results = pod.run(local), pod.run(spark)
    assert (results[1].num_clusters or 0) >= 5
    assert_same(pod, (local, results[0]), (spark, results[1]))
    assert any("parts of 2400 documents were read by Spark, 2 at a time" in note for note in results[1].notes)
    assert [entry.name for entry in pod.folder(spark).parent.glob(".*stages*")] == [], "no stage is left"


@pytest.mark.parametrize(
    "config",
    [
        CORES,
        {"algorithm": "hdbscan", "min_cluster_size": 50},
        {"algorithm": "hdbscan", "min_cluster_size": 50, "reduce": "none", "metric": "euclidean"},
        {"algorithm": "optics", "min_samples": 20, "min_cluster_size": 100, "reduce": "none"},
        {"algorithm": "mean_shift", "quantile": 0.2, "cluster_all": False},
    ],
)
def test_a_sample_of_all_documents_gives_the_clusters_of_a_local_run(
    pod: Pod, on_spark: Executors, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
) -> None:
    """The local run has all documents in memory."""
    monkeypatch.setattr(choice, "STREAMED_ROWS", 500_000)
    documents(pod)
    local, spark = (spec_of(pod, kind, spark=kind == "spark", config=config) for kind in ("local", "spark"))
    results = pod.run(local), pod.run(spark)
    assert (results[1].num_clusters or 0) > 3
    assert any("a sample of 2400 of 2400 documents" in note for note in results[1].notes)
    folders = [pod.folder(spec) for spec in (local, spark)]
    found = [pq.read_table(folder / "members.parquet") for folder in folders]
    assert found[0].drop(["distance_to_centroid"]).equals(found[1].drop(["distance_to_centroid"]))
    apart = [table["distance_to_centroid"].to_numpy() for table in found]
    assert np.allclose(apart[0], apart[1], rtol=1e-6, equal_nan=True)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_several_collections_with_filters_and_ids_of_two_types(pod: Pod, on_spark: Executors, metric: str) -> None:
    half = len(DATA.vectors) // 2
    for name, rows, ids in (("a", range(half), range(half)), ("b", range(half, 2 * half), None)):
        vectors = DATA.vectors[list(rows)] * 3
        names = ids if ids is not None else [f"doc-{row}" for row in rows]
        columns = {"document_id": list(names), "embedding": fixed_size_list(vectors), "year": [row % 4 for row in rows]}
        pq.write_table(pa.table(columns), pod.volume / f"{name}.parquet", row_group_size=150)
    recent = {"field": "year", "operator": "gte", "value": 1}
    sources = [{"uri": "a.parquet", "filters": recent}, {"uri": "b.parquet"}]
    config = {**KMEANS, "metric": metric}
    specs = [spec_of(pod, f"{kind}", spark=kind == "spark", config=config, sources=sources) for kind in ("x", "spark")]
    results = [pod.run(spec) for spec in specs]
    assert results[0].num_documents == half * 3 // 4 + half
    assert_same(pod, (specs[0], results[0]), (specs[1], results[1]))


def test_doubles_that_become_equal_are_said_across_parts(pod: Pod, on_spark: Executors) -> None:
    """In a clustering and with mode assign; each pair is in two parts, and no part sees a loss."""
    vectors = np.concatenate([DATA.vectors, DATA.vectors]).astype(np.float64)
    vectors[len(DATA.vectors) :] *= 1 + 1e-12
    columns = {"document_id": list(range(len(vectors))), "embedding": pa.array(vectors.tolist())}
    pq.write_table(pa.table(columns), pod.volume / "data.parquet", row_group_size=600)
    config = {**KMEANS, "metric": "euclidean"}
    sources = [{"uri": "data.parquet"}]
    specs = [spec_of(pod, kind, spark=kind == "spark", config=config, sources=sources) for kind in ("local", "spark")]
    local, spark = (pod.run(spec) for spec in specs)
    said = [note for note in local.notes if note.startswith("when numbers were rounded to float32, ")]
    assert len(said) == 1
    assert "of 4,800 documents became equal to others" in said[0]
    assert [note for note in spark.notes if note in said] == said
    base = {"run": specs[0].run, "uri": local.results_uri}
    assigning = spec_of(pod, "assigned", spark=True, config=config, sources=sources, mode="assign", base=base)
    assert [note for note in pod.run(assigning).notes if note in said] == said


@pytest.mark.parametrize("config", [KMEANS, MIXTURE, TREE, MODES])
def test_clusters_keep_their_ids_from_run_to_run(pod: Pod, on_spark: Executors, config: dict[str, Any]) -> None:
    """The previous run may have been local, and the next one, too."""
    documents(pod, MIXED[:1_800])
    first = spec_of(pod, "first", spark=True, config=config)
    result = pod.run(first)
    before = {"run": first.run, "uri": result.results_uri, "next_cluster_id": result.next_cluster_id}
    documents(pod, MIXED[200:])
    local = spec_of(pod, "local", spark=False, config=config, previous=before)
    spark = spec_of(pod, "spark", spark=True, config=config, previous=before)
    results = pod.run(local), pod.run(spark)
    assert results[1].changes == results[0].changes
    assert results[1].changes is not None
    assert results[1].next_cluster_id == results[0].next_cluster_id
    assert_same(pod, (local, results[0]), (spark, results[1]))


def test_documents_and_results_in_a_bucket(
    pod: Pod, on_spark: Executors, bucket: Bucket, keys: Path, tmp_path: Path
) -> None:
    documents(pod)
    for file in sorted(pod.volume.iterdir()):
        bucket.upload(f"documents/{file.name}", file)
    local = spec_of(pod, "local", spark=False)
    sources = [bucket.source("documents/", text_column="text")]
    spark = spec_of(pod, "spark", spark=True, sources=sources, results=bucket.results())
    pod.run(local)
    pod.run(spark)
    folder = f"results/search/nightly/{spark.run}"
    bucket.client.download_file("vectors", f"{folder}/members.parquet", str(tmp_path / "members.parquet"))
    assert (tmp_path / "members.parquet").read_bytes() == (pod.folder(local) / "members.parquet").read_bytes()
    assert [key for key in bucket.keys("results/") if ".stages" in key] == []


def test_bad_data_is_refused_as_by_a_local_run(pod: Pod, on_spark: Executors) -> None:
    documents(pod)
    vectors = DATA.vectors[:400].copy()
    vectors[333, 2] = np.nan
    write(pod.volume / "2.parquet", vectors, texts=TEXTS[:400])
    errors = []
    for kind in ("local", "spark"):
        with pytest.raises(MisconfiguredError) as refused:
            pod.run(spec_of(pod, kind, spark=kind == "spark"))
        errors.append(str(refused.value))
    assert errors[0] == errors[1]
    assert "row 333" in errors[1]
    assert list(pod.results.rglob(".*stages*")) == []


def lose_the_driver(pod: Pod, spec: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempt ends after all parts are done, before members.parquet is written."""

    def lost(*_given: object) -> None:
        raise UnavailableError("the driver is lost")

    with monkeypatch.context() as at_first:
        at_first.setattr(passes._Distributed, "write_members", lost)
        with pytest.raises(UnavailableError):
            pod.run(spec)


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        ({**KMEANS, "metric": "cosine"}, 1.0),
        ({**KMEANS, "metric": "euclidean"}, 3.0),
        ({"algorithm": "gaussian_mixture", "n_components": 5, "metric": "euclidean"}, 1.0),
        ({"algorithm": "dbscan", "eps": 0.2, "min_samples": 5, "metric": "cosine"}, 1.0),
    ],
)
def test_documents_assigned_by_spark_have_the_members_of_a_local_run(
    pod: Pod, on_spark: Executors, config: dict[str, Any], scale: float
) -> None:
    """A local run has found the clusters, with any algorithm; dissimilar documents are noise."""
    documents(pod, MIXED[:600], files=1)
    clustering = spec_of(pod, "clusters", spark=False, config=config)
    found = pod.run(clustering)
    vectors = DATA.vectors[600:] * scale
    vectors[::7] = np.random.default_rng(4).normal(size=vectors[::7].shape)
    half = len(vectors) // 2
    for name, part, ids in (("a", vectors[:half], range(half)), ("b", vectors[half:], None)):
        names = list(ids) if ids is not None else [f"new-{row}" for row in range(len(part))]
        columns = {"document_id": names, "embedding": fixed_size_list(part), "text": TEXTS[: len(part)]}
        pq.write_table(pa.table(columns), pod.volume / f"{name}.parquet", row_group_size=170)
    sources = [{"uri": f"{name}.parquet", "text_column": "text"} for name in "ab"]
    base = {"run": clustering.run, "uri": found.results_uri}
    specs = [
        spec_of(
            pod, f"assigned-{kind}", spark=kind == "spark", config=config, sources=sources, mode="assign", base=base
        )
        for kind in ("local", "spark")
    ]
    local, spark = (pod.run(spec) for spec in specs)
    folders = [pod.folder(spec) for spec in specs]
    assert content(folders[0]) == content(folders[1])
    assert (folders[0] / "members.parquet").read_bytes() == (folders[1] / "members.parquet").read_bytes()
    assert (folders[0] / "report.png").read_bytes() == (folders[1] / "report.png").read_bytes(), "of one sample"
    assert 0 < (local.num_noise or 0) < len(vectors)
    assert (spark.num_documents, spark.num_noise) == (len(vectors), local.num_noise)
    assert spark.clusters == local.clusters
    assert spark.notes[:-1] == local.notes
    assert "parts of 1800 documents were read by Spark, 2 at a time" in spark.notes[-1]
    assert [entry.name for entry in folders[1].parent.glob(".*stages*")] == [], "no stage is left"


@pytest.mark.parametrize("config", [KMEANS, MIXTURE, TREE, MODES, CORES])
def test_a_retry_goes_on_from_the_files_of_the_attempt_before(
    pod: Pod, on_spark: Executors, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
) -> None:
    documents(pod)
    spec = spec_of(pod, "spark", spark=True, config=config)
    lose_the_driver(pod, spec, monkeypatch)
    (stages,) = pod.results.rglob(".*.stages")
    for file in sorted(stages.glob("*-members-*.npz"))[:2]:
        file.unlink()
    began = len(pod.messages)
    retried = pod.run(spec)
    said = [line["message"] for line in pod.messages[began:]]
    assert "the clusters were trained by an earlier attempt of this run" in said
    assert any(line.endswith("parts were done by an earlier attempt of this run") for line in said)
    assert not stages.exists()
    local = spec_of(pod, "local", spark=False, config=config)
    assert_same(pod, (local, pod.run(local)), (spec, retried))


def test_files_of_an_attempt_do_not_count_once_the_documents_have_changed(
    pod: Pod, on_spark: Executors, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents(pod)
    spec = spec_of(pod, "spark", spark=True)
    lose_the_driver(pod, spec, monkeypatch)
    documents(pod, MIXED[::-1])
    retried = pod.run(spec)
    local = spec_of(pod, "local", spark=False)
    assert_same(pod, (local, pod.run(local)), (spec, retried))


def test_auto_works_locally_up_to_a_number_of_documents(pod: Pod) -> None:
    """No Java process is started: this test uses no fixture for it."""
    documents(pod)
    spec = spec_of(pod, "auto", spark=True, engine={**ENGINE, "type": "auto", "local_below": 2_400})
    result = pod.run(spec)
    assert not any("Spark" in note for note in result.notes)


def test_a_local_run_loads_nothing_of_spark(pod: Pod) -> None:
    documents(pod)
    modules = modules_of(pod, "run", spec_of(pod, "local", spark=False))
    assert "clusterworker.run.passes" in modules
    assert not [name for name in modules if name.startswith(("pyspark", "py4j", "clusterworker.spark"))]


def test_the_worker_starts_spark_by_itself(pod: Pod, spark: Executors) -> None:
    """As in an image, one process starts Java without a shell, and leaves nothing behind."""
    documents(pod)
    spec = spec_of(pod, "spark", spark=True)
    worker = start_worker(pod, "run", spec=spec, before="import os; os.environ['PATH'] += ':/nowhere'")
    code, result, lines = finish_worker(pod, worker)
    assert code == 0, lines
    assert json.loads(result)["status"] == "completed"
    assert list(pod.mounts.scratch.iterdir()) == []
