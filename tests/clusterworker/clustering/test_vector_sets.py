"""Tests of every algorithm on vector sets of all kinds, compared with scikit-learn in double precision.

`make test` uses a few hundred sets, and `make fuzz` 10,000 (VECTOR_SETS=10000). Each set goes from batches to quality
measures as in a run; an error that a run would report as an internal one fails the test.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist
from sklearn import cluster

from clustercontract.algorithms import OPTICS
from clusterworker.clustering.algorithms.core_distance import core_distances
from clusterworker.clustering.algorithms.density import spanning_tree
from clusterworker.clustering.algorithms.distinct import distinct
from clusterworker.clustering.algorithms.optics import all_pairs, find_clusters
from clusterworker.clustering.algorithms.pairs import Pairs
from clusterworker.clustering.algorithms.similarity import rbf
from clusterworker.clustering.quality import Quality
from clusterworker.data.arrays import NOISE, Doubles, Labels, Vectors
from clusterworker.data.dataset import LARGEST
from clusterworker.drift.domain import domain_auc
from clusterworker.drift.mmd import mmd_rbf
from clusterworker.process.errors import MisconfiguredError
from tests.clusterworker.clustering.carried_out import as_told_apart, carried_out
from tests.clusterworker.clustering.vector_sets import VECTOR_SETS, VectorSet, between, exact_distances

EXAMPLES = int(os.environ.get("VECTOR_SETS", "200"))
METRICS = ["cosine", "euclidean"]
ALGORITHMS = 18
"""Configurations for each set, which is clustered with three of them."""
LEAST_COSINE = 1e-9
"""Below this distance, the rounding of unit vectors to single precision affects cosine distances."""
RELAXED = settings(suppress_health_check=list(HealthCheck))


def same_partition(one: Labels, other: npt.NDArray[Any]) -> bool:
    """Returns whether the labels differ in numbers only."""
    pairs = {(int(a), int(b)) for a, b in zip(one, other, strict=True)}
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def clusterable(vectors: Vectors, metric: str) -> bool:
    return metric == "euclidean" or bool((np.abs(vectors).max(axis=1) > 0).all())


def configurations(drawn: VectorSet, vectors: Vectors, metric: str) -> list[dict[str, Any]]:
    """Returns one configuration of each algorithm, and two of some, that suit the vectors more or less."""
    rows = len(vectors)
    pick = np.random.default_rng(drawn.seed)
    typical = float(np.median(exact_distances(vectors, metric))) or 1.0
    eps = max(float(typical * 10.0 ** pick.uniform(-2, 1)), 1e-300)
    few, size = int(pick.integers(1, min(rows, 8) + 1)), int(pick.integers(2, 8))
    chosen: list[dict[str, Any]] = [
        {"algorithm": "kmeans", "n_clusters": few},
        {"algorithm": "hdbscan", "min_cluster_size": size, "reduce": "none"},
        {"algorithm": "hdbscan", "min_cluster_size": size, "allow_single_cluster": True, "reduce": "none",
         "min_samples": int(pick.integers(1, 12))},
        {"algorithm": "hierarchical", "n_clusters": few},
        {"algorithm": "hierarchical", "distance_threshold": eps, "linkage": str(pick.choice(["single", "average"]))},
        {"algorithm": "dbscan", "eps": eps, "min_samples": few},
        {"algorithm": "gaussian_mixture", "n_components": few, "reg_covar": eps**2 if eps**2 > 0 else 1e-6},
        {"algorithm": "spectral", "n_clusters": few, "gamma": max(min(1 / eps**2 if eps**2 else 1e300, 1e300), 1e-300)},
        {"algorithm": "spectral", "n_clusters": few},
        {"algorithm": "spectral", "n_clusters": few, "affinity": "nearest_neighbors", "n_neighbors": size},
        {"algorithm": "mean_shift", "bandwidth": eps, "reduce": "none", "cluster_all": bool(pick.integers(2))},
        {"algorithm": "mean_shift", "reduce": "none"},
        {"algorithm": "optics", "min_samples": size, "reduce": "none"},
        {"algorithm": "optics", "min_samples": size, "max_eps": eps, "reduce": "none"},
        {"algorithm": "evoc", "base_min_cluster_size": size, "n_neighbors": 15},
        {"algorithm": "hdbscan", "min_cluster_size": size},
        {"algorithm": "mean_shift"},
        {"algorithm": "optics", "min_samples": size},
    ]  # fmt: skip
    return [{"metric": metric, **config} for config in chosen]


@pytest.mark.fuzz
@pytest.mark.timeout(6 * 3600)
def test_no_vector_set_is_an_internal_error() -> None:
    """For any vectors, a run ends with a clustering that keeps copies together, or with an error in one line."""

    @settings(RELAXED, max_examples=EXAMPLES)
    @given(VECTOR_SETS, st.sampled_from(METRICS), st.integers(0, ALGORITHMS - 1))
    def runs(drawn: VectorSet, metric: str, first: int) -> None:
        vectors = drawn.vectors()
        if not clusterable(vectors, metric):
            with pytest.raises(MisconfiguredError, match="a vector of zeros has no direction"):
                carried_out(vectors, algorithm="kmeans", n_clusters=1)
            return
        configs = configurations(drawn, vectors, metric)
        assert len(configs) == ALGORITHMS
        copies = distinct(as_told_apart(vectors, metric))
        for config in [configs[(first + step) % ALGORITHMS] for step in (0, 1, 5)]:
            try:
                labels, seen, quality, notes = carried_out(vectors, **config)
            except MisconfiguredError as error:
                assert len(str(error)) > 40, "it names the field, the value and the remedy"  # noqa: PT017
                continue
            assert_sound(labels, seen, quality, config)
            assert (copies.unite(labels) == labels).all(), "equal vectors are in one cluster"
            assert all("nan" not in note and "inf " not in note for note in notes), notes
        for compare in (mmd_rbf, domain_auc):
            found = compare(vectors[::2], vectors[1::2], 1, 20)
            assert np.isfinite([found.value, found.noise_floor, found.p_value]).all()

    runs()


def assert_sound(labels: Labels, vectors: Vectors, quality: Quality, config: dict[str, Any]) -> None:
    """Checks the properties of every clustering, for any algorithm."""
    sizes = np.bincount(labels[labels != NOISE])
    assert (sizes > 0).all()
    assert (np.diff(sizes) <= 0).all(), "clusters are numbered by size"
    measures = quality.measures(with_inertia=True)
    assert all(value is None or np.isfinite(value) for value in measures.values()), measures
    inside = labels != NOISE
    exact = vectors[inside].astype(np.float64)
    if not exact.size:
        return
    exact = (exact - exact[0]) / (np.abs(exact - exact[0]).max() or 1.0)
    kept = labels[inside]
    if config["algorithm"] == "kmeans" and measures["inertia"] is not None:
        scale = np.abs(vectors.astype(np.float64) - vectors[0].astype(np.float64)).max() or 1.0
        centres = np.stack([exact[kept == number].mean(axis=0) for number in range(len(sizes))])
        inertia = float(((exact - centres[kept]) ** 2).sum())
        assert measures["inertia"] / scale**2 == pytest.approx(inertia, rel=1e-6, abs=1e-25)
    if measures["davies_bouldin_index"] is not None:
        assert measures["davies_bouldin_index"] == pytest.approx(davies_bouldin(exact, kept), rel=1e-3, abs=1e-6)


def davies_bouldin(exact: Doubles, labels: Labels) -> float:
    """As in scikit-learn, distances between means are matrix products, and distances below 1e-8 are 0."""
    count = int(labels.max()) + 1
    means = np.stack([exact[labels == number].mean(axis=0) for number in range(count)])
    apart = cdist(means, means)
    apart[apart == 0] = np.inf
    spread = np.array([np.linalg.norm(exact[labels == n] - means[n], axis=1).mean() for n in range(count)])
    return float(((spread[:, None] + spread) / apart).max(axis=1).mean())


def test_directions_that_only_differences_tell_apart_can_be_in_different_clusters() -> None:
    """Two of these nine have equal unit vectors in single precision, and unequal differences from the common one."""
    drawn = VectorSet(9, 9, 2, "groups", 1.0, 1e6, outlier=0.0, copies=0.0, constant=True, negative_zeros=False)
    labels, unit, *_ = carried_out(drawn.vectors(), algorithm="hierarchical", n_clusters=8)
    told_apart = distinct(as_told_apart(drawn.vectors(), "cosine"))
    assert len(distinct(unit)) < len(told_apart) == labels.max() + 1
    assert (told_apart.unite(labels) == labels).all()


@pytest.mark.fuzz
@pytest.mark.timeout(6 * 3600)
def test_as_scikit_learn_in_double_precision() -> None:
    @settings(RELAXED, max_examples=EXAMPLES)
    @given(VECTOR_SETS, st.sampled_from(METRICS), st.floats(0, 1), st.integers(1, 6))
    def agrees(drawn: VectorSet, metric: str, share: float, min_samples: int) -> None:
        vectors = drawn.vectors()
        if not clusterable(vectors, metric):
            return
        exact = exact_distances(vectors, metric)
        distance = between(exact, share, LEAST_COSINE if metric == "cosine" else 0.0)
        if distance is not None:
            agree_on_dbscan(vectors, exact, metric, distance, min(min_samples, len(vectors)))
            agree_on_single_linkage(vectors, exact, metric, distance)
        unit = as_clustered(vectors, metric)
        agree_on_optics(unit, exact, metric, min(min_samples + 1, len(vectors)))
        agree_on_mutual_reachability(unit, min(min_samples, len(vectors)))
        agree_on_similarity(unit)

    agrees()


def as_clustered(vectors: Vectors, metric: str) -> Vectors:
    if metric == "euclidean":
        return vectors
    exact = vectors.astype(np.float64)
    exact /= np.abs(exact).max(axis=1, keepdims=True)
    unit: Vectors = (exact / np.linalg.norm(exact, axis=1, keepdims=True)).astype(np.float32)
    return unit


def agree_on_dbscan(vectors: Vectors, exact: Doubles, metric: str, eps: float, min_samples: int) -> None:
    labels, *_ = carried_out(vectors, algorithm="dbscan", eps=eps, min_samples=min_samples, metric=metric)
    theirs = cluster.DBSCAN(eps=eps, min_samples=min_samples, metric="precomputed").fit(exact)
    cores = theirs.core_sample_indices_
    assert same_partition(labels[cores], theirs.labels_[cores])
    assert ((labels == NOISE) == (theirs.labels_ == NOISE)).all()


def agree_on_single_linkage(vectors: Vectors, exact: Doubles, metric: str, threshold: float) -> None:
    config = {"algorithm": "hierarchical", "linkage": "single", "distance_threshold": threshold, "metric": metric}
    labels, *_ = carried_out(vectors, **config)
    if len(vectors) > 1:
        model = cluster.AgglomerativeClustering(
            n_clusters=None, distance_threshold=threshold, metric="precomputed", linkage="single"
        )
        assert same_partition(labels, model.fit_predict(exact))


def agree_on_optics(unit: Vectors, exact: Doubles, metric: str, min_samples: int) -> None:
    found = all_pairs(unit, metric)
    assert (found == found.T).all()
    least = LEAST_COSINE if metric == "cosine" else 1e-38
    assert found == pytest.approx(exact, rel=1e-4, abs=least)
    cores = np.sort(exact, axis=1)[:, min_samples - 1]
    assert core_distances(found, min_samples) == pytest.approx(cores, rel=1e-4, abs=least)
    if len(unit) > 1 and min_samples > 1:
        labels = find_clusters(unit, OPTICS(min_samples=min_samples), metric)
        assert (distinct(unit).unite(labels) == labels).all()


def agree_on_mutual_reachability(unit: Vectors, min_samples: int) -> None:
    """All minimum spanning trees have the same lengths of edges."""
    points = distinct(unit)
    found = spanning_tree(points, min_samples, 0)
    exact = exact_distances(unit, "euclidean")
    first = np.unique(points.numbers, return_index=True)[1]
    cores = np.sort(exact, axis=1)[first, min_samples - 1]
    reach = np.maximum(np.maximum(exact[first][:, first], cores[:, None]), cores)
    largest = float(reach.max()) or 1.0
    # A 0 would be no edge, and in a dense matrix all that is below 1e-8.
    forest = minimum_spanning_tree(csr_array(np.triu(np.maximum(reach / largest, 1e-290), 1)))
    lengths = np.sort(forest.data)
    assert np.sort(found.lengths) / largest == pytest.approx(lengths, rel=1e-5, abs=1e-280)


def agree_on_similarity(unit: Vectors) -> None:
    exact = exact_distances(unit, "euclidean") ** 2
    median = float(np.median(exact[exact > 0])) if (exact > 0).any() else 1.0
    found = rbf(Pairs(unit, "euclidean"), 1 / median)
    assert found == pytest.approx(np.exp(-exact / median), abs=1e-5)


@pytest.mark.parametrize("value", [1.1e15, 1e19, 1e30, -3e38])
def test_numbers_too_large_for_euclidean_distances_are_told(value: float) -> None:
    vectors = np.ones((40, 3), np.float32)
    vectors[31, 2] = value
    shown = f"a.parquet, row 31 .*: a number of the vector is {np.float32(value):.3g}".replace("+", r"\+")
    with pytest.raises(MisconfiguredError, match=f"{shown}: .*set metric: cosine"):
        carried_out(vectors, algorithm="kmeans", n_clusters=2, metric="euclidean")
    labels, *_ = carried_out(vectors, algorithm="kmeans", n_clusters=2, metric="cosine")
    assert len(set(labels[:31])) == 1
    assert LARGEST == 1e15
