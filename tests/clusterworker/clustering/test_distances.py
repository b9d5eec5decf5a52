"""Tests of distances that are smaller than the rounding of single precision: copies, offsets, outliers, all scales."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from clusterworker.clustering.algorithms.frame import Frame
from clusterworker.clustering.algorithms.kmeans import train
from clusterworker.clustering.algorithms.nearest import NearestCentroid
from clusterworker.clustering.algorithms.neighbours import nearest_neighbours
from clusterworker.clustering.algorithms.pairs import Pairs
from clusterworker.data.arrays import Labels, Vectors
from tests.clusterworker.clustering.carried_out import carried_out
from tests.clusterworker.planted import planted


def run(vectors: Vectors, **config: Any) -> tuple[Labels, list[str]]:
    labels, _, _, notes = carried_out(vectors, **{"metric": "euclidean", **config})
    return labels, notes


def pairs_of_copies(count: int = 300, dimensions: int = 384, length: float = 20.0) -> Vectors:
    drawn = np.random.default_rng(0).normal(size=(count, dimensions))
    drawn *= length / np.linalg.norm(drawn, axis=1, keepdims=True)
    return np.concatenate([drawn, drawn]).astype(np.float32)


@pytest.mark.parametrize(
    "config",
    [
        {"algorithm": "dbscan", "eps": 0.001, "min_samples": 2},
        {"algorithm": "dbscan", "eps": 1e-6, "min_samples": 2},
        {"algorithm": "hierarchical", "distance_threshold": 0.001},
        {"algorithm": "hierarchical", "n_clusters": 300, "linkage": "ward"},
        {"algorithm": "hierarchical", "n_clusters": 300, "linkage": "single"},
        {"algorithm": "mean_shift", "bandwidth": 0.001, "reduce": "none"},
        {"algorithm": "optics", "min_samples": 2, "reduce": "none", "max_eps": 0.001},
        {"algorithm": "kmeans", "n_clusters": 300},
        {"algorithm": "spectral", "n_clusters": 300, "gamma": 0.001},
    ],
    ids=lambda config: "-".join(str(value) for value in config.values()),
)
@pytest.mark.parametrize("length", [20.0, 2e6, 2e-6])
def test_every_copy_is_found(config: dict[str, Any], length: float) -> None:
    share = length / 20
    scaled = {
        name: value * share if name in ("eps", "distance_threshold", "bandwidth", "max_eps") else value
        for name, value in config.items()
    }
    if "gamma" in scaled:
        scaled["gamma"] = scaled["gamma"] / share**2
    labels, _ = run(pairs_of_copies(length=length), **scaled)
    assert (labels[:300] == labels[300:]).all()
    assert len(set(labels.tolist())) == 300
    assert (np.bincount(labels) == 2).all()


@pytest.mark.parametrize("far", [1e2, 1e4, 1e6, 1e9])
@pytest.mark.parametrize(
    "config",
    [
        {"algorithm": "optics", "min_samples": 10, "min_cluster_size": 30, "reduce": "none"},
        {"algorithm": "hierarchical", "n_clusters": 6, "linkage": "average"},
        {"algorithm": "mean_shift", "bandwidth": 0.5, "reduce": "none"},
        {"algorithm": "dbscan", "eps": 0.3, "min_samples": 5},
        {"algorithm": "hdbscan", "min_cluster_size": 20, "reduce": "none"},
        {"algorithm": "kmeans", "n_clusters": 6},
        {"algorithm": "spectral", "n_clusters": 6},
    ],
    ids=lambda config: config["algorithm"],
)
def test_one_far_document_blurs_no_others(far: float, config: dict[str, Any]) -> None:
    data = planted(300, 5, spread=0.05)
    vectors = np.concatenate([data.vectors, np.full((1, 16), far, np.float32)])
    labels, _ = run(vectors, **config)
    assert adjusted_mutual_info_score(data.labels, labels[:300]) > 0.97
    assert labels[300] not in labels[:300] or labels[300] == -1


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("offset", [0.0, 1e3, 1e5])
@pytest.mark.parametrize("dimensions", [3, 70])
def test_pairs_as_in_double_precision(scale: float, offset: float, dimensions: int) -> None:
    generator = np.random.default_rng(1)
    vectors = ((generator.normal(size=(150, dimensions)) + offset) * scale).astype(np.float32)
    vectors[0] = 1e6 * scale
    vectors[2] = vectors[1]
    vectors[3] = np.nextafter(vectors[1], np.float32(np.inf))
    exact = cdist(vectors.astype(np.float64), vectors.astype(np.float64))
    pairs = Pairs(vectors, "euclidean")
    found = pairs.distances(slice(None))
    assert found == pytest.approx(exact, rel=1e-6, abs=0)
    for radius in (float(np.median(exact)), float(exact[1, 3])):
        for dtype in (np.float32, np.float64):
            assert (pairs.within(slice(None), slice(None), radius, dtype) == (exact <= radius)).all()
    nearest, distances = Pairs(vectors[:70], "euclidean", vectors[70:]).nearest(1 << 14)
    assert (nearest == exact[:70, 70:].argmin(axis=1)).all()
    assert distances == pytest.approx(exact[:70, 70:].min(axis=1), rel=1e-12)


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_neighbours_as_in_double_precision(offset: float) -> None:
    generator = np.random.default_rng(2)
    groups = np.array([-1e5, 1e5])[generator.integers(2, size=400)]
    drawn = generator.normal(size=(400, 6)) * 1e-3
    drawn[:, 0] = groups
    drawn[:, 1:] += offset * 1e-3
    vectors: Vectors = drawn.astype(np.float32)
    exact = cdist(vectors.astype(np.float64), vectors.astype(np.float64))
    indices, distances = nearest_neighbours(vectors, 7, "euclidean", 0)
    assert distances == pytest.approx(np.sort(exact, axis=1)[:, :7], rel=1e-5)
    assert np.take_along_axis(exact, indices, axis=1) == pytest.approx(distances, rel=1e-5)


@pytest.mark.parametrize(("offset", "scale"), [(0, 1), (1e4, 1), (1e6, 1), (0, 1e-25), (0, 1e12), (1e5, 1e-8)])
def test_k_means_far_from_the_origin_and_at_any_scale(offset: float, scale: float) -> None:
    data = planted(600, 5, spread=0.05)
    vectors = ((data.vectors + offset) * scale).astype(np.float32)
    centroids = train(vectors, 5, 100, "euclidean", 0)
    labels = NearestCentroid(centroids)(vectors)
    assert adjusted_rand_score(data.labels, labels) > 0.98


def test_k_means_of_a_narrow_cone() -> None:
    """All unit vectors point nearly the same way: cosine distances are 1e-6 and less."""
    data = planted(600, 5, spread=0.05)
    cone = data.vectors * 1e-3
    cone[:, 0] += 1
    unit = (cone / np.linalg.norm(cone.astype(np.float64), axis=1, keepdims=True)).astype(np.float32)
    centroids = train(unit, 5, 100, "cosine", 0)
    assert np.linalg.norm(centroids, axis=1) == pytest.approx(1, abs=1e-6)
    assert adjusted_rand_score(data.labels, NearestCentroid(centroids)(unit)) > 0.95


def test_gaussian_mixture_far_from_the_origin() -> None:
    data = planted(400, 4, spread=0.05)
    labels, _ = run(data.vectors + np.float32(1e4), algorithm="gaussian_mixture", n_components=4)
    assert adjusted_rand_score(data.labels, labels) > 0.95


def test_usual_vectors_are_left_where_they_are() -> None:
    vectors = planted(100, 5).vectors
    frame = Frame.of(vectors)
    assert frame.into(vectors) is vectors
    assert frame.back(vectors) is vectors
    moved = Frame.of(vectors + np.float32(100))
    assert moved.back(moved.into(vectors + np.float32(100))) == pytest.approx(vectors + 100, rel=1e-6)
