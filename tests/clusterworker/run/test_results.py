"""Tests that the run's folder has the expected content, and appears only when it is complete."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clusterworker.process.errors import MisconfiguredError, RunError
from clusterworker.run.results.volume import VolumeTarget
from clusterworker.storage import volume
from harness.specs.results import RESULT_FILES
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import planted, write

KMEANS = {"algorithm": "kmeans", "n_clusters": 3}
FILES = set(RESULT_FILES)


def names(directory: Path) -> set[str]:
    return {entry.name for entry in directory.iterdir()}


def test_all_files_are_there_and_agree(pod: Pod) -> None:
    data = planted(90, 3, dimensions=8)
    write(pod.volume / "data.parquet", data.vectors)
    spec = pod.spec(KMEANS)
    result = pod.run(spec)
    folder = pod.folder(spec)
    assert names(folder) == FILES
    assert result.results_uri == str(folder)
    metrics = json.loads((folder / "metrics.json").read_text())
    members = pq.read_table(folder / "members.parquet")
    centroids = pq.read_table(folder / "centroids.parquet")
    assert members.schema.names == ["document_id", "cluster_id", "distance_to_centroid"]
    assert members["document_id"].to_pylist() == [f"doc-{row}" for row in range(90)]
    sizes = np.bincount(members["cluster_id"].to_numpy()).tolist()
    assert centroids["documents"].to_pylist() == sizes
    assert [cluster["num_documents"] for cluster in metrics["clusters"]] == sizes
    assert metrics["num_clusters"] == result.num_clusters == 3
    assert metrics["num_documents"] == result.num_documents == 90
    assert metrics["parameters"] == {"n_clusters": 3, "max_iter": 300, "random_state": 7}
    assert {name: metrics[name] for name in result.metrics} == result.metrics
    for cluster in metrics["clusters"]:
        central = cluster["central_documents"][0]
        row = members["document_id"].to_pylist().index(central["document_id"])
        inside = members.filter(pa.compute.equal(members["cluster_id"], cluster["cluster_id"]))
        assert members["cluster_id"][row].as_py() == cluster["cluster_id"]
        assert members["distance_to_centroid"][row].as_py() == pa.compute.min(inside["distance_to_centroid"]).as_py()


def test_baseline_is_what_the_documents_are(pod: Pod) -> None:
    vectors = planted(3_000, 4, dimensions=8, spread=0.3).vectors * 5
    table = pa.table({"document_id": range(3_000), "embedding": vectors.tolist()})
    pq.write_table(table.replace_schema_metadata({"embedding_model": "mini-lm"}), pod.volume / "data.parquet")
    spec = pod.spec({**KMEANS, "metric": "cosine"})
    baseline = pod.run(spec).baseline
    assert baseline is not None
    file = Path(baseline.uri)
    assert file == pod.folder(spec) / "baseline.npz"
    assert baseline.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (baseline.run, baseline.documents, baseline.dimensions) == (spec.run, 3_000, 8)
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float64)
    stored = np.load(file, allow_pickle=False)
    assert stored["n"] == 3_000
    assert stored["dimensions"] == 8
    assert stored["metric"] == "cosine"
    assert stored["embedding_model"] == "mini-lm"
    assert np.allclose(stored["sum"], unit.sum(axis=0), rtol=1e-5)
    assert np.allclose(stored["sum_squares"], (unit**2).sum(axis=0), rtol=1e-5)
    nearest = (unit @ stored["centroids"].T).argmax(axis=1)
    assert np.allclose(stored["shares"], np.bincount(nearest, minlength=3) / 3_000)
    assert stored["reservoir"].shape == (2_000, 8)
    likeness = stored["reservoir"] @ unit.T
    assert (likeness.max(axis=1) > 1 - 1e-6).all(), "all are documents"
    assert len(set(likeness.argmax(axis=1))) == 2_000, "none is taken twice"


def test_shares_of_the_baseline_can_be_counted_again_with_noise(pod: Pod) -> None:
    data = planted(300, 3, dimensions=4, spread=0.01)
    scattered = np.random.default_rng(1).normal(size=(20, 4)).astype(np.float32)
    write(pod.volume / "data.parquet", np.concatenate([data.vectors, scattered]))
    baseline = pod.run(pod.spec({"algorithm": "hdbscan", "min_cluster_size": 50})).baseline
    assert baseline is not None
    stored = np.load(baseline.uri)
    assert stored["n"] == 320
    assert stored["shares"].sum() == pytest.approx(1)


def test_same_spec_same_bytes(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(90, 3, spread=0.4).vectors)
    spec = pod.spec(KMEANS)
    contents = []
    for _ in range(2):
        pod.run(spec)
        contents.append({name: (pod.folder(spec) / name).read_bytes() for name in FILES - {"report.html", "run.json"}})
    assert contents[0] == contents[1]


def test_several_collections_are_clustered_together(pod: Pod) -> None:
    data = planted(60, 3, dimensions=8)
    write(pod.volume / "a.parquet", data.vectors[::2].copy(), ids=list(range(30)))
    write(pod.volume / "b.parquet", data.vectors[1::2].copy(), texts=["word"] * 30)
    spec = pod.spec(KMEANS, {"uri": "a.parquet"}, {"uri": "b.parquet", "text_column": "text"})
    result = pod.run(spec)
    members = pq.read_table(pod.folder(spec) / "members.parquet")
    assert result.num_documents == 60
    assert members["collection_id"].to_pylist() == ["col_0"] * 30 + ["col_1"] * 30
    assert members["document_id"].to_pylist()[:2] == ["0", "1"], "integers become strings beside strings"


def test_repeated_run_replaces_the_folder(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    spec = pod.spec(KMEANS)
    pod.run(spec)
    (pod.folder(spec) / "of-the-first-attempt").touch()
    pod.run(spec)
    assert names(pod.folder(spec)) == FILES
    assert names(pod.folder(spec).parent) == {spec.run, "latest.json"}


def test_replacing_works_where_directories_cannot_be_swapped(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    spec = pod.spec(KMEANS)
    pod.run(spec)
    (pod.folder(spec) / "of-the-first-attempt").touch()
    monkeypatch.setattr(volume, "_RENAME_EXCHANGE", 1 << 20)  # no such flag: EINVAL, as on file systems without it
    pod.run(spec)
    assert names(pod.folder(spec)) == FILES
    assert names(pod.folder(spec).parent) == {spec.run, "latest.json"}


def test_failed_run_keeps_the_earlier_folder_and_leaves_nothing(pod: Pod) -> None:
    file = write(pod.volume / "data.parquet", planted(60, 3).vectors)
    spec = pod.spec(KMEANS)
    pod.run(spec)
    file.write_text("no longer Parquet")
    with pytest.raises(MisconfiguredError):
        pod.run(spec)
    assert names(pod.folder(spec)) == FILES
    assert names(pod.folder(spec).parent) == {spec.run, "latest.json"}
    assert names(pod.mounts.scratch) == set()


def test_leftovers_of_crashed_attempts_are_removed_and_others_kept(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    spec = pod.spec(KMEANS)
    parent = pod.folder(spec).parent
    parent.mkdir(parents=True)
    for leftover in (f".{spec.run}.00ff00ff.partial", f".{spec.run}.11ee11ee.old.partial", ".another-run.22.partial"):
        (parent / leftover).mkdir()
        (parent / leftover / "members.parquet").touch()
    pod.run(spec)
    assert names(parent) == {spec.run, "latest.json", ".another-run.22.partial"}


def test_nothing_is_visible_before_the_end(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    spec = pod.spec(KMEANS)
    seen: list[tuple[bool, set[str]]] = []
    publish = VolumeTarget.publish

    def watched(self: VolumeTarget, staged: Path) -> None:
        seen.append((pod.folder(spec).exists(), names(staged)))
        publish(self, staged)

    monkeypatch.setattr(VolumeTarget, "publish", watched)
    pod.run(spec)
    assert seen == [(False, FILES)]


def test_files_are_for_the_group_of_the_volume(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    spec = pod.spec(KMEANS)
    pod.run(spec)
    assert pod.folder(spec).stat().st_mode & 0o070 == 0o070
    assert all(file.stat().st_mode & 0o060 == 0o060 for file in pod.folder(spec).iterdir())


@pytest.mark.parametrize("field", ["namespace", "trigger", "run"])
@pytest.mark.parametrize("name", ["..", "a/b", ""])
def test_names_cannot_lead_elsewhere(pod: Pod, field: str, name: str) -> None:
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    with pytest.raises(MisconfiguredError, match="is not a valid name of a Kubernetes object"):
        pod.run(pod.spec(KMEANS, **{field: name}))


def test_results_volume_that_cannot_be_written(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    with pytest.raises(RunError, match="/proc/results/search/nightly/nightly-1a2b: cannot write results"):
        pod.run(pod.spec(KMEANS, results={"uri": "/proc/results"}))
