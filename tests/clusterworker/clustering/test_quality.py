"""Tests of quality measures from sums, compared with scikit-learn's, which uses all documents."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

from clusterworker.clustering.algorithms.clustering import by_size, means, sums_by_label
from clusterworker.clustering.quality import ClusterSums, Quality
from clusterworker.data.arrays import Labels, Vectors
from tests.clusterworker.planted import planted


def measure(vectors: Vectors, labels: Labels, metric: str = "cosine", batch: int = 100) -> Quality:
    sums = ClusterSums(means(vectors, labels))
    for first in range(0, len(vectors), batch):
        sums.add(vectors[first : first + batch], labels[first : first + batch])
    return sums.quality(vectors, labels, metric, has_inertia=True)


@pytest.mark.parametrize("noise", [0, 150])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_equals_scikit_learn(noise: int, metric: str) -> None:
    data = planted(1_000, 7, spread=0.3)
    labels = by_size(data.labels)
    labels[:noise] = -1
    inside = labels >= 0
    vectors, kept = data.vectors[inside], labels[inside]
    quality = measure(data.vectors, labels, metric)
    assert quality.silhouette_score == pytest.approx(silhouette_score(vectors, kept, metric=metric), rel=1e-5)
    assert quality.davies_bouldin_index == pytest.approx(davies_bouldin_score(vectors, kept), rel=1e-5)
    assert quality.calinski_harabasz_score == pytest.approx(calinski_harabasz_score(vectors, kept), rel=1e-4)
    assert quality.notes == ()


def test_inertia_equals_scikit_learn() -> None:
    vectors = planted(800, 5, spread=0.3).vectors
    model = KMeans(5, n_init=1, random_state=0).fit(vectors)
    assert measure(vectors, model.labels_.astype(np.int32)).inertia == pytest.approx(model.inertia_, rel=1e-4)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([-1, -1, -1, -1], "there is no cluster"),
        ([0, 0, 0, 0], "there is one cluster"),
        ([0, 0, -1, -1], "there is one cluster"),
        ([0, 1, 2, 3], "there is a cluster per document"),
    ],
)
def test_degenerate_clusterings_have_no_measures(labels: list[int], reason: str) -> None:
    quality = measure(planted(4, 4).vectors, np.array(labels, np.int32))
    assert quality.silhouette_score is None
    assert quality.davies_bouldin_index is None
    assert quality.calinski_harabasz_score is None
    assert quality.notes == (f"quality measures compare clusters, and {reason}",)


def test_clusters_of_equal_documents() -> None:
    vectors = np.repeat(planted(2, 2).vectors, 5, axis=0)
    quality = measure(vectors, np.repeat([0, 1], 5).astype(np.int32))
    assert quality.silhouette_score == pytest.approx(1, abs=1e-3)
    assert quality.davies_bouldin_index == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([3, 3, 5, 5, 5, 9], [1, 1, 0, 0, 0, 2]),
        ([-1, 2, 2, -1, 7], [-1, 0, 0, -1, 1]),
        ([0, 1, 0, 1], [0, 1, 0, 1]),
        ([-1, -1], [-1, -1]),
    ],
)
def test_numbers_follow_size(labels: list[int], expected: list[int]) -> None:
    assert by_size(np.array(labels, np.int32)).tolist() == expected


def test_sums_leave_noise_out() -> None:
    vectors = np.arange(8, dtype=np.float32).reshape(4, 2)
    assert sums_by_label(vectors, np.array([0, -1, 1, 0], np.int32), 2).tolist() == [[6, 8], [4, 5]]
