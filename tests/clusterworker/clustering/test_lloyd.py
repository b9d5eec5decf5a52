"""Tests of starting points, and of the moves of centroids that improve them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import kmeans_plusplus as theirs

from clusterworker.clustering.algorithms.lloyd import breathe, lloyd
from clusterworker.clustering.algorithms.nearest import NearestCentroid
from clusterworker.clustering.algorithms.seeding import kmeans_plusplus
from clusterworker.data.arrays import Vectors
from tests.clusterworker.planted import planted


def inertia(vectors: Vectors, centroids: Vectors) -> float:
    return float(NearestCentroid(centroids).with_squares(vectors)[1].sum(dtype=np.float64))


def test_starting_points_are_as_good_as_scikit_learns() -> None:
    vectors = planted(2_000, 40, spread=0.1).vectors
    ours = [inertia(vectors, kmeans_plusplus(vectors, 40, np.random.default_rng(seed))) for seed in range(10)]
    reference = [inertia(vectors, theirs(vectors, 40, random_state=seed)[0]) for seed in range(10)]
    assert np.median(ours) <= np.median(reference) * 1.05


def test_starting_points_are_distinct_while_vectors_are() -> None:
    vectors = np.repeat(planted(6, 6).vectors, 20, axis=0)
    found = kmeans_plusplus(vectors, 6, np.random.default_rng(0))
    assert len(np.unique(found, axis=0)) == 6
    assert kmeans_plusplus(vectors, 9, np.random.default_rng(0)).shape == (9, 16), "more than there are distinct ones"


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_breaths_lead_out_of_a_bad_start(metric: str) -> None:
    data = planted(1_500, 12, spread=0.05)
    crowded = data.vectors[data.labels == 0][:12]  # all starting points in one cluster
    stuck, _ = lloyd(data.vectors, crowded, 100, metric)
    freed = breathe(data.vectors, stuck, metric, 40, np.random.default_rng(0))
    best, _ = lloyd(data.vectors, data.vectors[np.unique(data.labels, return_index=True)[1]], 100, metric)
    assert inertia(data.vectors, stuck) > 2 * inertia(data.vectors, best)
    assert inertia(data.vectors, freed) <= inertia(data.vectors, best) * 1.01
    assert freed.shape == stuck.shape


@pytest.mark.parametrize("clusters", [1, 2, 3])
def test_few_clusters_breathe_too(clusters: int) -> None:
    vectors = planted(100, 3).vectors
    start = kmeans_plusplus(vectors, clusters, np.random.default_rng(0))
    found = breathe(vectors, start, "euclidean", 8, np.random.default_rng(0))
    assert found.shape == start.shape
    assert inertia(vectors, found) <= inertia(vectors, start)
