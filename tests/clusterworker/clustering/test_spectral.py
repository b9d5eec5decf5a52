"""Tests of spectral clustering, compared with scikit-learn's."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn import datasets
from sklearn.cluster import SpectralClustering
from sklearn.metrics import adjusted_rand_score

from clustercontract.algorithms import Spectral
from clusterworker.clustering.algorithms.spectral import partition
from clusterworker.data.arrays import Labels, Vectors
from clusterworker.process.errors import MisconfiguredError
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import planted, write


def rings(documents: int) -> tuple[Vectors, Labels]:
    """Two concentric rings, which k-means cannot separate."""
    generator = np.random.default_rng(0)
    labels = np.arange(documents, dtype=np.int32) % 2
    angles = generator.uniform(0, 2 * np.pi, documents)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1) * (1 + labels)[:, None]
    return (vectors + generator.normal(scale=0.03, size=vectors.shape)).astype(np.float32), labels


def labels_of(pod: Pod, memory: int = 4 << 30, **config: Any) -> tuple[Labels, list[str]]:
    spec = pod.spec({"algorithm": "spectral", **config})
    result = pod.run(spec, memory)
    return pq.read_table(pod.folder(spec) / "members.parquet")["cluster_id"].to_numpy(), result.notes


@pytest.mark.parametrize("config", [{}, {"gamma": 5.0}, {"affinity": "nearest_neighbors", "n_neighbors": 20}])
@pytest.mark.parametrize("spread", [0.05, 0.25])
def test_as_good_as_scikit_learn(config: dict[str, object], spread: float) -> None:
    data = planted(900, 6, spread=spread)
    ours = partition(data.vectors, Spectral.model_validate({"n_clusters": 6, **config}), "cosine", 0, [])
    theirs = SpectralClustering(6, random_state=0, **config).fit_predict(data.vectors)
    assert adjusted_rand_score(data.labels, ours) >= adjusted_rand_score(data.labels, theirs) - 0.02
    assert adjusted_rand_score(theirs, ours) > 0.9


@pytest.mark.parametrize("config", [{"gamma": 30.0}, {"affinity": "nearest_neighbors"}])
def test_tells_apart_what_k_means_cannot(pod: Pod, config: dict[str, Any]) -> None:
    vectors, rings_of = rings(600)
    write(pod.volume / "data.parquet", vectors)
    labels, notes = labels_of(pod, n_clusters=2, metric="euclidean", **config)
    assert adjusted_rand_score(rings_of, labels) > 0.98
    again, _ = labels_of(pod, n_clusters=2, metric="euclidean", **config)
    assert (again == labels).all()
    parts = "the graph of nearest neighbours has"
    assert all(note.startswith(parts) for note in notes)


def test_parts_of_the_graph_are_told(pod: Pod) -> None:
    data = planted(300, 4, spread=0.01)
    write(pod.volume / "data.parquet", data.vectors)
    labels, notes = labels_of(pod, n_clusters=4, affinity="nearest_neighbors", n_neighbors=15)
    assert adjusted_rand_score(data.labels, labels) == 1
    assert notes == ["the graph of nearest neighbours has 4 separate parts: raise n_neighbors to connect them"]


@pytest.mark.filterwarnings("ignore:Graph is not fully connected", "ignore:Number of distinct clusters")
@pytest.mark.parametrize("far", [20.0, 50.0, 1e4])
@pytest.mark.parametrize(("gamma", "dimensions", "seed"), [(0.1, 2, 0), ("suggested", 2, 1), (0.1, 16, 2)])
def test_a_far_outlier_takes_no_cluster(dimensions: int, seed: int, gamma: float | str, far: float) -> None:
    """As good as scikit-learn in double precision, with the outlier and without it."""
    generator = np.random.default_rng(seed)
    middles = generator.normal(size=(4, dimensions)) * 8
    planted_in = generator.integers(4, size=300)
    vectors = middles[planted_in] + generator.normal(size=(300, dimensions))
    if isinstance(gamma, str):
        gamma = float(1 / np.median(np.linalg.norm(vectors[:100, None] - vectors[None, :100], axis=2)) ** 2)
    alone = adjusted_rand_score(planted_in, SpectralClustering(4, gamma=gamma, random_state=0).fit_predict(vectors))
    vectors[5, 0] += far
    notes: list[str] = []
    parameters = Spectral.model_validate({"n_clusters": 4, "gamma": gamma})
    ours = partition(vectors.astype(np.float32), parameters, "euclidean", 0, notes)
    theirs = SpectralClustering(4, gamma=gamma, random_state=0).fit_predict(vectors)
    found = adjusted_rand_score(planted_in, ours)
    assert found >= alone - 0.02
    assert found >= adjusted_rand_score(planted_in, theirs) - 0.02
    if far == 1e4:
        assert ours[5] in np.delete(ours, 5)
        assert any("far from all others" in note or "without connections" in note for note in notes)


def test_two_outliers_that_are_near_each_other_are_a_group() -> None:
    """As in scikit-learn: they are connected, and so they have an eigenvector of their own."""
    generator = np.random.default_rng(0)
    vectors = np.concatenate([generator.normal(size=(100, 4)), [[500, 0, 0, 0], [500.5, 0, 0, 0]]])
    parameters = Spectral.model_validate({"n_clusters": 2, "gamma": 0.1})
    ours = partition(vectors.astype(np.float32), parameters, "euclidean", 0, [])
    theirs = SpectralClustering(2, gamma=0.1, random_state=0).fit_predict(vectors)
    assert adjusted_rand_score(theirs, ours) == 1
    assert sorted(np.bincount(ours)) == [2, 100]


@pytest.mark.parametrize("scale", [1e-3, 20.0, 1e4])
def test_advice_on_gamma_helps(pod: Pod, scale: float) -> None:
    data = planted(300, 4, spread=0.1)
    write(pod.volume / "data.parquet", data.vectors * np.float32(scale))
    config: dict[str, Any] = {"n_clusters": 4, "metric": "euclidean"}
    _, notes = labels_of(pod, **config)
    [note] = [note for note in notes if note.startswith("gamma 1 ")]
    suggested = float(note.rpartition("gamma: ")[2])
    labels, notes = labels_of(pod, gamma=suggested, **config)
    assert adjusted_rand_score(data.labels, labels) > 0.98
    assert notes == []


def test_documents_that_nothing_connects_are_no_arpack_error(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(400, 4, spread=0.5).vectors * np.float32(1e14))
    labels, notes = labels_of(pod, n_clusters=3, metric="euclidean")
    assert len(set(labels)) <= 4
    assert any(
        note.startswith("gamma 1 makes most documents dissimilar to all others: the median distance is")
        for note in notes
    )


def moons(documents: int, seed: int) -> tuple[Vectors, Labels]:
    vectors, labels = datasets.make_moons(documents, noise=0.05, random_state=seed)
    return vectors.astype(np.float32), labels


def circles(documents: int, seed: int) -> tuple[Vectors, Labels]:
    vectors, labels = datasets.make_circles(documents, noise=0.03, factor=0.5, random_state=seed)
    return vectors.astype(np.float32), labels


@pytest.mark.filterwarnings("ignore:Graph is not fully connected")
@pytest.mark.parametrize(
    ("shape", "documents", "seed", "gamma"),
    [(circles, 300, 0, 1000.0), (moons, 300, 0, 1000.0), (moons, 200, 2, 300.0), (moons, 200, 1, 500.0)]
    + [(moons, 500, seed, 2000.0) for seed in range(6)],
)
def test_weak_links_within_a_group_are_resolved_as_in_double_precision(
    shape: Any, documents: int, seed: int, gamma: float
) -> None:
    """Eigenvalues within 1e-9 of each other: products in single precision mixed their vectors, or found none."""
    vectors, groups = shape(documents, seed)
    ours = partition(vectors, Spectral(n_clusters=2, gamma=gamma), "euclidean", 0, [])
    theirs = SpectralClustering(2, gamma=gamma, random_state=0).fit_predict(vectors.astype(np.float64))
    assert adjusted_rand_score(groups, ours) >= adjusted_rand_score(groups, theirs) - 0.02


@pytest.mark.parametrize("gamma", [1000.0, 2000.0, 3000.0])
@pytest.mark.parametrize("seed", range(3))
def test_chains_with_weak_links_have_eigenvectors(gamma: float, seed: int) -> None:
    angles = np.sort(np.random.default_rng(seed).random(300) * 2 * np.pi)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert len(set(partition(ring, Spectral(n_clusters=2, gamma=gamma), "euclidean", 0, []))) == 2


def test_a_thin_roll_has_eigenvectors() -> None:
    roll = datasets.make_swiss_roll(300, noise=0.05, random_state=0)[0].astype(np.float32)
    for n_clusters in (2, 6):
        labels = partition(roll, Spectral(n_clusters=n_clusters, gamma=1.0), "euclidean", 0, [])
        assert len(set(labels)) == n_clusters


@pytest.mark.parametrize(("gamma", "narrow"), [(30.0, 1_000), (3000.0, 4)])
def test_more_rows_than_a_dense_decomposition_takes(gamma: float, narrow: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few weak links leave 2e-7 between the first two eigenvalues of a part."""
    monkeypatch.setattr("clusterworker.clustering.algorithms.eigenvectors.DENSE_ROWS", 100)
    monkeypatch.setattr("clusterworker.clustering.algorithms.eigenvectors.NARROW", narrow)
    vectors, groups = moons(1_500, 0)
    ours = partition(vectors, Spectral(n_clusters=2, gamma=gamma), "euclidean", 0, [])
    assert adjusted_rand_score(groups, ours) > 0.99


def test_what_lanczos_iterations_do_not_separate_is_improved(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"DENSE_ROWS": 100, "TRIED": 1, "RESTARTS": 1, "NARROW": 1_000}.items():
        monkeypatch.setattr(f"clusterworker.clustering.algorithms.eigenvectors.{name}", value)
    vectors, groups = moons(600, 0)
    ours = partition(vectors, Spectral(n_clusters=2, gamma=100.0), "euclidean", 0, [])
    assert adjusted_rand_score(groups, ours) > 0.99


def advised_parameters(notes: list[str]) -> dict[str, Any]:
    """The parameters that notes about gamma name."""
    text = " ".join(note for note in notes if note.startswith("gamma "))
    found = re.findall(r"(gamma|n_clusters): (\S+?)(?:,| |$)", text)
    return {name: int(value) if name == "n_clusters" else float(value) for name, value in found}


FAR_GROUPS = planted(300, 10, dimensions=8, spread=1e-3).vectors * np.float32(400)
LONE = np.diag([1e3, -2e3, 3e3, -4e3, 5e3, 6e3, -7e3, 8e3]).astype(np.float32)
NEAR_EACH_OTHER = np.repeat(LONE[:4], 2, axis=0) + np.tile([[0.0], [0.05]], (4, 1)).astype(np.float32)


@pytest.mark.parametrize(
    ("vectors", "config", "followed"),
    [
        pytest.param(FAR_GROUPS, {"n_clusters": 3}, 1, id="ten groups"),
        pytest.param(FAR_GROUPS, {"n_clusters": 10}, 0, id="as many as wanted"),
        pytest.param(FAR_GROUPS / 400 * 1e-4, {"n_clusters": 3}, 1, id="all alike"),
        pytest.param(np.concatenate([FAR_GROUPS / 100, LONE]), {"n_clusters": 3, "gamma": 0.1}, 0, id="lone outliers"),
        pytest.param(
            np.concatenate([FAR_GROUPS / 100, NEAR_EACH_OTHER]), {"n_clusters": 3, "gamma": 0.1}, 1, id="pairs"
        ),
        pytest.param(
            np.concatenate([FAR_GROUPS[:40] / 100, LONE, 3 * LONE]), {"n_clusters": 3, "gamma": 0.1}, 0, id="many lone"
        ),
    ],
)
def test_advice_is_followed_once_and_then_silent(vectors: Vectors, config: dict[str, Any], followed: int) -> None:
    """Lone outliers once counted as groups without connections, which no gamma that the note suggested connected."""
    for step in range(followed + 1):
        notes: list[str] = []
        partition(np.asarray(vectors, np.float32), Spectral.model_validate(config), "euclidean", 0, notes)
        assert bool(advised_parameters(notes)) == (step < followed), (step, notes)
        config = config | advised_parameters(notes)


def test_copies_are_documents_that_are_similar_to_others() -> None:
    """Four vectors with many copies and a few outliers: most documents are similar to others, most vectors are not."""
    vectors = np.concatenate([np.repeat(LONE[:4], 50, axis=0), LONE[4:], 3 * LONE, 5 * LONE])
    notes: list[str] = []
    labels = partition(vectors, Spectral(n_clusters=4), "euclidean", 0, notes)
    assert len(set(labels[:200])) == 4
    assert not advised_parameters(notes)


def test_micro_clusters_above_the_limit(pod: Pod) -> None:
    data = planted(6_000, 8, spread=0.1)
    write(pod.volume / "data.parquet", data.vectors)
    labels, [note] = labels_of(pod, memory=8 * 3_000**2, n_clusters=8)
    assert note.startswith("6000 documents are more than the limit of 3000 for comparing all pairs: clustered")
    assert adjusted_rand_score(data.labels, labels) > 0.98


def test_more_clusters_than_micro_clusters(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(500, 8).vectors)
    with pytest.raises(MisconfiguredError, match="n_clusters 150 exceeds the maximum of spectral"):
        labels_of(pod, memory=8 * 100**2, n_clusters=150)


@pytest.mark.parametrize(("documents", "wanted"), [(1, 1), (5, 5), (5, 4), (5, 1), (3, 2)])
def test_few_documents(pod: Pod, documents: int, wanted: int) -> None:
    write(pod.volume / "data.parquet", planted(documents, documents).vectors)
    assert len(set(labels_of(pod, n_clusters=wanted)[0])) == wanted
