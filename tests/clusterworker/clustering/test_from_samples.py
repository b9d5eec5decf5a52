"""Tests of clusterings whose documents do not fit into memory: a sample is clustered, and a rule assigns all documents.

Each is compared with the clustering of all documents in memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import adjusted_rand_score

from clustercontract.run import RunResult
from clusterworker.clustering.algorithms import (
    choice,
    dbscan,
    hierarchical,
    mean_shift,
    micro,
    mixture,
    optics,
    sample,
    spectral,
)
from clusterworker.data.arrays import Labels
from clusterworker.process.errors import MisconfiguredError
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import planted, write

DATA = planted(6_000, 6, spread=0.1)
MICRO = (
    "clustered 60 k-means micro-clusters of a sample of 600 of 6000 documents; each document joins the cluster of its"
)
MODES = "modes were found on a sample of 800 of 6000 documents; each document is assigned to its nearest"
CASES: list[tuple[dict[str, Any], str]] = [
    (
        {"algorithm": "gaussian_mixture", "n_components": 6, "covariance_type": shape},
        "trained on a sample of 1000 of 6000 documents, then all were assigned",
    )
    for shape in ("full", "tied", "diag", "spherical")
] + [
    ({"algorithm": "hierarchical", "n_clusters": 6}, MICRO),
    ({"algorithm": "hierarchical", "distance_threshold": 0.5}, MICRO),
    ({"algorithm": "spectral", "n_clusters": 6}, MICRO),
    ({"algorithm": "mean_shift", "reduce": "none"}, f"{MODES} mode"),
    (
        {"algorithm": "mean_shift", "reduce": "none", "quantile": 0.1, "cluster_all": False},
        f"{MODES} mode, or is noise beyond the bandwidth",
    ),
]


@pytest.fixture(autouse=True)
def small_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixture, "MOST_ROWS", 1_000)
    monkeypatch.setattr(micro, "ROWS_PER_CENTROID", 10)
    monkeypatch.setattr(mean_shift, "ROWS_PER_CENTROID", 10)
    for module, clusters in ((hierarchical, 60), (spectral, 60), (mean_shift, 80)):
        monkeypatch.setattr(module, "MICRO_CLUSTERS", clusters)
        monkeypatch.setattr(module, "MOST_DOCUMENTS", 500)


def clustered(pod: Pod, config: dict[str, Any]) -> tuple[RunResult, Labels, Path]:
    spec = pod.spec(config)
    result = pod.run(spec)
    folder = pod.folder(spec)
    return result, pq.read_table(folder / "members.parquet")["cluster_id"].to_numpy(), folder


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize(("config", "note"), CASES)
def test_as_good_as_with_all_documents(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], note: str, metric: str
) -> None:
    if metric == "euclidean" and "distance_threshold" in config:
        config = {**config, "distance_threshold": 4.0}
    write(pod.volume / "data.parquet", DATA.vectors if metric == "cosine" else DATA.vectors * 2)
    whole, labels, _ = clustered(pod, {**config, "metric": metric})
    monkeypatch.setattr(choice, "STREAMED_ROWS", 1_000)
    streamed, found, folder = clustered(pod, {**config, "metric": metric})
    assert adjusted_rand_score(DATA.labels, found) >= adjusted_rand_score(DATA.labels, labels) - 0.02
    assert adjusted_rand_score(DATA.labels, found) > 0.95
    assert any(said.startswith(note) for said in streamed.notes), streamed.notes
    near = 0.15 if config["algorithm"] == "mean_shift" else 0.05  # Its outliers are clusters of their own.
    for name, value in whole.metrics.items():
        assert streamed.metrics[name] == pytest.approx(value, rel=near), name
    centroids = np.stack(pq.read_table(folder / "centroids.parquet")["centroid"].to_pylist())
    vectors = DATA.vectors if metric == "cosine" else DATA.vectors * 2
    means = np.stack([vectors[found == number].mean(axis=0) for number in range(len(centroids))])
    if metric == "cosine":
        means /= np.linalg.norm(means, axis=1, keepdims=True)
    large = np.bincount(found[found >= 0]) > 300  # The others have few sampled documents.
    assert np.abs(centroids - means)[large].max() < 0.05, "each centroid is that of its own cluster"


def test_a_mixture_that_is_not_told_by_the_nearest_centroid(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wide cluster around a narrow one."""
    generator = np.random.default_rng(1)
    sizes = np.repeat([0.05, 2.0], 3_000)
    vectors = generator.normal(size=(6_000, 8)) * sizes[:, None] + np.where(sizes > 1, 1.0, 0.0)[:, None]
    write(pod.volume / "data.parquet", vectors.astype(np.float32))
    monkeypatch.setattr(choice, "STREAMED_ROWS", 0)
    _, labels, _ = clustered(pod, {"algorithm": "gaussian_mixture", "n_components": 2, "metric": "euclidean"})
    assert adjusted_rand_score(sizes > 1, labels) > 0.99


@pytest.mark.parametrize(
    ("rows", "config"),
    [
        (1, {"algorithm": "gaussian_mixture", "n_components": 1}),
        (1, {"algorithm": "hierarchical", "n_clusters": 1}),
        (1, {"algorithm": "spectral", "n_clusters": 1}),
        (7, {"algorithm": "gaussian_mixture", "n_components": 7}),
        (7, {"algorithm": "hierarchical", "n_clusters": 7}),
        (7, {"algorithm": "spectral", "n_clusters": 7}),
    ],
)
def test_as_many_clusters_as_documents(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, rows: int, config: dict[str, Any]
) -> None:
    write(pod.volume / "data.parquet", planted(rows, 1, spread=1.0).vectors)
    monkeypatch.setattr(choice, "STREAMED_ROWS", 0)
    _, labels, _ = clustered(pod, config)
    assert sorted(labels) == list(range(rows))


@pytest.mark.parametrize(
    "config",
    [
        {"algorithm": "gaussian_mixture", "n_components": 5},
        {"algorithm": "hierarchical", "n_clusters": 5},
        {"algorithm": "spectral", "n_clusters": 5},
    ],
)
def test_directions_that_differ_by_rounding_are_one(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
) -> None:
    lengths = np.random.default_rng(2).uniform(0.1, 9, size=(300, 1)).astype(np.float32)
    write(pod.volume / "data.parquet", np.repeat(planted(3, 3).vectors, 100, axis=0) * lengths)
    monkeypatch.setattr(choice, "STREAMED_ROWS", 0)
    result, labels, _ = clustered(pod, config)
    assert adjusted_rand_score(np.repeat(range(3), 100), labels) == 1
    assert any("3 clusters instead of 5" in note for note in result.notes)


def test_micro_clusters_that_do_not_fit_are_refused(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    write(pod.volume / "data.parquet", DATA.vectors)
    monkeypatch.setattr(choice, "STREAMED_ROWS", 0)
    said = r"14 micro-clusters of 16 dimensions do not fit into 0 MiB: raise run\.resources\.limits\.memory"
    with pytest.raises(MisconfiguredError, match=said):
        pod.run(pod.spec({"algorithm": "hierarchical", "n_clusters": 3}), memory=3_500)


SCATTERED = np.random.default_rng(5).normal(size=(300, 16))
WITH_NOISE = np.concatenate([planted(2_700, 6, spread=0.08).vectors, SCATTERED]).astype(np.float32)
WITH_NOISE /= np.linalg.norm(WITH_NOISE, axis=1, keepdims=True)
GROUPS = np.concatenate([planted(2_700, 6, spread=0.08).labels, np.full(300, -1)])
BY_DENSITY: list[dict[str, Any]] = [
    {"algorithm": "dbscan", "eps": 0.06, "min_samples": 20},
    {"algorithm": "dbscan", "eps": 0.35, "min_samples": 20, "metric": "euclidean"},
    {"algorithm": "hdbscan", "min_cluster_size": 50, "reduce": "none"},
    {"algorithm": "hdbscan", "min_cluster_size": 50, "n_components": 5},
    {"algorithm": "optics", "min_samples": 20, "min_cluster_size": 100, "reduce": "none"},
    {"algorithm": "optics", "min_samples": 20, "min_cluster_size": 100, "max_eps": 0.3, "reduce": "none"},
    {"algorithm": "mean_shift", "n_components": 5},
    {"algorithm": "mean_shift", "n_components": 5, "quantile": 0.1, "cluster_all": False},
]


def always_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also algorithms that would rather cluster all documents, as in a run on Spark."""
    monkeypatch.setattr(choice, "STREAMED_ROWS", 0)
    monkeypatch.setattr(choice, "_streams", lambda *_: True)


@pytest.mark.parametrize("config", BY_DENSITY)
def test_a_sample_of_all_documents_has_the_clusters_of_all_documents(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
) -> None:
    monkeypatch.setattr(mean_shift, "MOST_DOCUMENTS", 5_000)
    write(pod.volume / "data.parquet", WITH_NOISE)
    _, whole, _ = clustered(pod, config)
    always_streamed(monkeypatch)
    result, labels, _ = clustered(pod, config)
    assert len(set(whole.tolist())) > 4
    assert (labels == whole).all()
    assert any("a sample of 3000 of 3000 documents" in note for note in result.notes)


@pytest.mark.parametrize("config", BY_DENSITY)
def test_others_join_the_clusters_of_a_sample(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
) -> None:
    write(pod.volume / "data.parquet", WITH_NOISE)
    always_streamed(monkeypatch)
    monkeypatch.setattr(sample, "FEWEST_DOCUMENTS", 100)
    monkeypatch.setattr(dbscan, "MOST_DOCUMENTS", 1_500)
    monkeypatch.setattr(optics, "MOST_DOCUMENTS", 1_500)
    monkeypatch.setattr(sample.of_sample, "__kwdefaults__", {**(sample.of_sample.__kwdefaults__ or {}), "most": 1_500})
    result, labels, _ = clustered(pod, config)
    assert any("a sample of 1500 of 3000 documents" in note for note in result.notes), result.notes
    inside = GROUPS >= 0
    assert adjusted_rand_score(GROUPS[inside], labels[inside]) > 0.9
    if config == {"algorithm": "mean_shift", "n_components": 5}:
        assert result.num_noise == 0
    elif "n_components" not in config:  # A layout makes clusters of scattered documents.
        assert (labels[~inside] == -1).mean() > 0.8
        assert (labels[inside] == -1).mean() < 0.1


@pytest.mark.parametrize("config", BY_DENSITY)
def test_a_sample_goes_on_from_the_clusters_of_all_documents(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
) -> None:
    """Labels and positions of the last run are of all its documents, and not of the rows of the sample."""
    write(pod.volume / "data.parquet", WITH_NOISE)
    first = pod.spec(config, run="nightly-1")
    result = pod.run(first)
    (pod.folder(first) / "modes.parquet").unlink(missing_ok=True)
    always_streamed(monkeypatch)
    monkeypatch.setattr(sample, "FEWEST_DOCUMENTS", 100)
    monkeypatch.setattr(dbscan, "MOST_DOCUMENTS", 1_500)
    monkeypatch.setattr(optics, "MOST_DOCUMENTS", 1_500)
    monkeypatch.setattr(sample.of_sample, "__kwdefaults__", {**(sample.of_sample.__kwdefaults__ or {}), "most": 1_500})
    previous = {"run": first.run, "uri": result.results_uri, "next_cluster_id": result.next_cluster_id}
    second = pod.spec(config, run="nightly-2", previous=previous)
    found = pod.run(second)
    assert any("a sample of 1500 of 3000 documents" in note for note in found.notes), found.notes
    labels = pq.read_table(pod.folder(second) / "members.parquet")["cluster_id"].to_numpy()
    inside = GROUPS >= 0
    assert adjusted_rand_score(GROUPS[inside], labels[inside]) > 0.9
    assert found.changes is not None
    assert found.changes.kept > 4


@pytest.mark.parametrize(
    ("config", "parameter"),
    [
        ({"algorithm": "dbscan", "eps": 0.1, "reduce": "umap"}, "eps"),
        ({"algorithm": "optics", "max_eps": 0.5, "reduce": "auto"}, "max_eps"),
        ({"algorithm": "mean_shift", "bandwidth": 0.5}, "bandwidth"),
    ],
)
def test_distances_between_reduced_vectors_are_refused(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], parameter: str
) -> None:
    write(pod.volume / "data.parquet", WITH_NOISE)
    always_streamed(monkeypatch)
    said = f"because {parameter} is a distance between the reduced vectors of all documents: set reduce: none, or run"
    with pytest.raises(MisconfiguredError, match=said):
        clustered(pod, config)


def test_too_little_memory_for_a_sample(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    write(pod.volume / "data.parquet", WITH_NOISE)
    always_streamed(monkeypatch)
    said = "a sample of 2000 documents of 16 dimensions does not fit into 401 MiB: raise run.resources.limits.memory"
    with pytest.raises(MisconfiguredError, match=said):
        pod.run(pod.spec({"algorithm": "hdbscan", "min_cluster_size": 50}), memory=401 << 20)


def test_no_core_point(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    write(pod.volume / "data.parquet", WITH_NOISE)
    always_streamed(monkeypatch)
    result, labels, _ = clustered(pod, {"algorithm": "dbscan", "eps": 1e-6, "min_samples": 20})
    assert (labels == -1).all()
    assert "no cluster found, all documents are noise: raise eps" in result.notes
