"""Tests of k-means on planted clusters, compared with scikit-learn's."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from clusterworker.clustering.algorithms import choice
from clusterworker.clustering.algorithms.clustering import too_few_distinct
from clusterworker.clustering.algorithms.kmeans import sample_rows, train, train_on
from clusterworker.clustering.algorithms.lloyd import inertia
from clusterworker.clustering.algorithms.start import MARGIN
from clusterworker.process.errors import MisconfiguredError
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import planted, write

KMEANS = {"algorithm": "kmeans", "n_clusters": 12}


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("spread", [0.05, 0.25])
def test_as_good_as_scikit_learn(pod: Pod, metric: str, spread: float) -> None:
    data = planted(6_000, 12, spread=spread)
    vectors = data.vectors if metric == "cosine" else data.vectors * 3
    write(pod.volume / "data.parquet", vectors)
    spec = pod.spec({**KMEANS, "metric": metric})
    result = pod.run(spec)
    theirs = KMeans(12, n_init=3, random_state=0).fit(vectors)
    labels = pq.read_table(pod.folder(spec) / "members.parquet")["cluster_id"].to_numpy()
    assert result.metrics["inertia"] <= theirs.inertia_ * 1.01
    ours, reference = (adjusted_rand_score(data.labels, found) for found in (labels, theirs.labels_))
    assert ours >= reference - 0.02
    assert result.num_clusters == 12
    assert result.num_documents == 6_000
    assert (np.diff(np.bincount(labels)) <= 0).all(), "cluster 0 is the largest"


def test_every_member_belongs_to_its_nearest_centroid(pod: Pod) -> None:
    data = planted(500, 5, spread=0.3)
    write(pod.volume / "data.parquet", data.vectors)
    spec = pod.spec({**KMEANS, "n_clusters": 5})
    pod.run(spec)
    members = pq.read_table(pod.folder(spec) / "members.parquet")
    centroids = np.stack(pq.read_table(pod.folder(spec) / "centroids.parquet")["centroid"].to_pylist())
    distances = 1 - data.vectors @ centroids.T
    assert members["cluster_id"].to_pylist() == distances.argmin(axis=1).tolist()
    assert np.allclose(members["distance_to_centroid"].to_numpy(), distances.min(axis=1), atol=1e-6)
    assert np.allclose(np.linalg.norm(centroids, axis=1), 1, atol=1e-6)


def test_streamed_above_a_limit_and_as_good(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    data = planted(20_000, 6, spread=0.1)
    write(pod.volume / "data.parquet", data.vectors)
    whole = pod.run(pod.spec({**KMEANS, "n_clusters": 6}))
    monkeypatch.setattr(choice, "STREAMED_ROWS", 10_000)
    spec = pod.spec({**KMEANS, "n_clusters": 6})
    streamed = pod.run(spec)
    labels = pq.read_table(pod.folder(spec) / "members.parquet")["cluster_id"].to_numpy()
    assert adjusted_rand_score(data.labels, labels) > 0.98
    assert streamed.notes == [
        "trained on a sample of 1536 of 20000 documents; each document is assigned to its nearest centroid"
    ]
    for name, value in whole.metrics.items():
        assert streamed.metrics[name] == pytest.approx(value, rel=0.02), name


@pytest.mark.parametrize(
    ("clusters", "memory", "rows"), [(100, 2 << 30, 25_600), (1_000, 1 << 30, 174_762), (10, 1 << 30, 2_560)]
)
def test_sample_follows_memory(clusters: int, memory: int, rows: int) -> None:
    assert sample_rows(clusters, 384, memory) == rows


def test_sample_too_large_for_the_memory_is_refused() -> None:
    with pytest.raises(MisconfiguredError, match="n_clusters 100000 of 1536 dimensions do not fit into 1024 MiB"):
        sample_rows(100_000, 1_536, 1 << 30)


def test_fewer_distinct_vectors_than_clusters(pod: Pod) -> None:
    distinct = planted(4, 4).vectors
    write(pod.volume / "data.parquet", np.repeat(distinct, 25, axis=0))
    result = pod.run(pod.spec({**KMEANS, "n_clusters": 6}))
    assert result.num_clusters == 4
    assert "4 clusters instead of 6: the documents have only that many distinct vectors" in result.notes


def test_a_note_names_distinct_vectors_only_if_these_are_too_few() -> None:
    vectors = planted(4, 4).vectors
    labels = np.array([0, 0, 1, 1], np.int32)
    assert too_few_distinct(labels, 2, vectors) == []
    [note] = too_few_distinct(labels, 3, vectors)
    assert note == "2 clusters instead of 3: k-means separates no more of the documents"
    [note] = too_few_distinct(labels, 3, vectors[[0, 0, 1, 1]])
    assert note == "2 clusters instead of 3: the documents have only that many distinct vectors"


def test_one_cluster_has_no_quality_measures_and_says_why(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(30, 3).vectors)
    result = pod.run(pod.spec({**KMEANS, "n_clusters": 1}))
    assert set(result.metrics) == {"inertia"}
    assert result.notes == ["quality measures compare clusters, and there is one cluster"]


def test_as_many_clusters_as_documents(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(8, 8).vectors)
    result = pod.run(pod.spec({**KMEANS, "n_clusters": 8}))
    assert result.num_clusters == 8
    assert result.metrics["inertia"] == pytest.approx(0, abs=1e-6)


def test_random_state_wins_over_the_seed(pod: Pod) -> None:
    data = planted(300, 9, spread=0.6)
    write(pod.volume / "data.parquet", data.vectors)

    def labels(config: dict[str, object], **fields: object) -> list[int]:
        spec = pod.spec({**KMEANS, **config}, **fields)
        pod.run(spec)
        found: list[int] = pq.read_table(pod.folder(spec) / "members.parquet")["cluster_id"].to_pylist()
        return found

    assert labels({"random_state": 3}, seed=1) == labels({"random_state": 3}, seed=2)
    assert labels({}, seed=1) == labels({}, seed=1)
    assert labels({}, seed=1) != labels({}, seed=2)


@pytest.mark.parametrize("before", [1, 11, 12, 13, 30])
@pytest.mark.parametrize("far", [0.0, 1_000.0])
def test_training_goes_on_from_any_number_of_centroids(before: int, far: float) -> None:
    vectors = planted(3_000, 12, spread=0.2).vectors + np.float32(far)
    last = train(vectors, before, 300, "euclidean", 1)
    found, better = train_on(last, vectors, 12, 300, "euclidean", 2)
    fresh = train(vectors, 12, 300, "euclidean", 2)
    assert found.shape == (12, 16)
    least = inertia(vectors - np.float32(far), fresh - np.float32(far))
    assert inertia(vectors - np.float32(far), found - np.float32(far)) <= 1.01 * least
    assert better == 0 or not np.array_equal(found, last)
    if before == 12:
        assert np.abs(found - last).max() < 0.2, "the same clusters"


def test_copies_of_few_vectors_leave_centroids_as_they_are() -> None:
    vectors = np.repeat(planted(3, 3).vectors, 20, axis=0)
    found, better = train_on(vectors[::20].copy(), vectors, 3, 300, "cosine", 1)
    assert better == 0
    assert np.allclose(found, vectors[::20], atol=1e-6)


def test_few_vectors_get_nearly_the_same_clusters_in_any_order() -> None:
    """As where the centroids of two runs are clustered: three starts ended 3 % worse on average in one order."""
    apart = []
    for seed in range(20):
        generator = np.random.default_rng(seed)
        distinct = generator.normal(size=(16, 24)).astype(np.float32)
        distinct /= np.linalg.norm(distinct, axis=1, keepdims=True)
        vectors = np.repeat(distinct, generator.integers(5, 60, 16), axis=0)
        found = [inertia(each, train(each, 3, 300, "cosine", seed)) for each in (vectors, vectors[::-1].copy())]
        apart.append(max(found) / min(found) - 1)
    assert np.mean(apart) < MARGIN / 2
