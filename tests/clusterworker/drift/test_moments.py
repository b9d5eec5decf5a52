"""Tests of cosine_drift and centroid_euclidean against scipy, and of their noise floors against simulation."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial import distance
from scipy.stats import chi2, f

from clustercontract.drift import DriftMetric
from clusterworker.data.arrays import Vectors
from clusterworker.data.sources.batch import Batch, FilePlace
from clusterworker.drift.baseline import StoredBaseline
from clusterworker.drift.measure import measure
from clusterworker.drift.moments import (
    centroid_euclidean,
    cosine_drift,
    cosine_floor,
    degrees_of_freedom,
    euclidean_floor,
    tail,
)
from clusterworker.drift.profile import Profiling
from tests.clusterworker.drift.drifting import baseline_of, profile_of

Doubles = npt.NDArray[np.float64]


def unit_rows(generator: np.random.Generator, rows: int, dimensions: int, shift: float) -> Vectors:
    """Unit vectors around the first axis; the shift determines how close they are to it."""
    drawn = generator.normal(size=(rows, dimensions))
    drawn[:, 0] += shift
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


def baseline(vectors: Vectors) -> StoredBaseline:
    return baseline_of(vectors, vectors[:2])


@pytest.mark.parametrize("seed", range(5))
def test_values_as_scipy_computes_them(seed: int) -> None:
    one, other = np.random.default_rng(seed).normal(size=(2, 40))
    assert cosine_drift(one, other) == pytest.approx(distance.cosine(one, other), abs=1e-12)
    assert centroid_euclidean(one, other) == pytest.approx(distance.euclidean(one, other), rel=1e-12)


def test_cosine_drift_of_extremes() -> None:
    axis = np.array([1.0, 0.0])
    assert cosine_drift(axis, axis * 3) == 0
    assert cosine_drift(axis, -axis) == 2
    assert cosine_drift(axis, np.zeros(2)) == 1


@pytest.mark.parametrize(
    ("angle", "drift"), [(1e-3, 5e-7), (1e-6, 5e-13), (3e-7, 4.5e-14), (2e-7, 0), (8.2e-8, 0), (1e-12, 0)]
)
def test_cosine_drift_of_nearly_one_direction(angle: float, drift: float) -> None:
    """1 - cos was rounded to 0 below 1e-6, where the noise floor was not. 8.2e-8 is an angle of unchanged documents."""
    one, other = np.array([1e6, 0.0]), 3e6 * np.array([np.cos(angle), np.sin(angle)])
    assert cosine_drift(one, other) == pytest.approx(drift, rel=1e-6)


def differences(vectors: Vectors, then: int, now: int, draws: int) -> tuple[Doubles, Doubles]:
    """Values of both metrics on pairs of samples of one distribution."""
    generator = np.random.default_rng(1)
    found = np.empty((2, draws))
    for draw in range(draws):
        means = [vectors[generator.integers(len(vectors), size=size)].mean(axis=0) for size in (then, now)]
        found[:, draw] = distance.cosine(*means), distance.euclidean(*means)
    return found[0], found[1]


@pytest.mark.parametrize(("then", "now"), [(200, 200), (500, 100), (1000, 1000)])
def test_floors_are_the_expectation_in_many_dimensions(then: int, now: int) -> None:
    """Design §5.3: the floor is within 8 % of simulation, and the 99th percentile is at 1.3 times the floor."""
    vectors = unit_rows(np.random.default_rng(0), 5_000, 384, shift=10)
    cosine, euclidean = differences(vectors, then, now, 200)
    made = baseline(vectors)
    mean = made.total / made.documents
    factor = 1 / then + 1 / now
    closed = (1 - mean @ mean) / (2 * mean @ mean) * factor
    of_these = StoredBaseline(**{**vars(made), **scaled(made, then)})
    assert cosine_floor(of_these, now) == pytest.approx(closed, rel=0.01)
    assert cosine.mean() == pytest.approx(closed, rel=0.08)
    assert np.quantile(cosine, 0.99) < 1.3 * cosine_floor(of_these, now)
    assert np.sqrt(np.mean(euclidean**2)) == pytest.approx(euclidean_floor(of_these, now), rel=0.03)
    assert np.quantile(euclidean, 0.99) < 1.3 * euclidean_floor(of_these, now)


def scaled(made: StoredBaseline, documents: int) -> dict[str, object]:
    """The sums of a baseline of fewer documents with exactly the moments of the distribution."""
    mean, squares = made.total / made.documents, made.total_squares / made.documents
    # E ‖mean of n‖² = ‖μ‖² + tr Σ / n: what an average baseline of n documents shows.
    variance = float(squares.sum() - mean @ mean)
    longer = np.sqrt(1 + variance / documents / (mean @ mean))
    return {"documents": documents, "total": mean * documents * longer, "total_squares": squares * documents}


@pytest.mark.parametrize("dimensions", [2, 3, 10])
@pytest.mark.parametrize("documents", [50, 500])
def test_twice_the_floor_holds_in_few_dimensions(dimensions: int, documents: int) -> None:
    """With few directions, random variation far exceeds its expectation; the floor is then half of the tail."""
    vectors = unit_rows(np.random.default_rng(0), 20_000, dimensions, shift=3)
    generator = np.random.default_rng(2)
    above = np.zeros(2)
    for _ in range(400):
        then, now = (vectors[generator.integers(len(vectors), size=documents)] for _ in range(2))
        made, mean = baseline(then), now.mean(axis=0, dtype=np.float64)
        before = made.total / documents
        above += [
            cosine_drift(before, mean) > 2 * cosine_floor(made, documents),
            centroid_euclidean(before, mean) > 2 * euclidean_floor(made, documents),
        ]
    assert (above <= 4).all(), above


def test_without_a_direction_nothing_exceeds_the_floor() -> None:
    """Twice the floor is then 2, the maximum of cosine_drift."""
    vectors = np.concatenate([np.eye(8), -np.eye(8)]).astype(np.float32)
    assert cosine_floor(baseline(vectors), 1_000_000) == 1
    assert cosine_floor(baseline(vectors[:1]), 1000) == 1


def test_twenty_documents_move_by_chance_alone() -> None:
    """Design §5.3: with 20 documents, the floor of real embeddings is about 0.4."""
    vectors = unit_rows(np.random.default_rng(0), 20_000, 384, shift=6.9)
    floors = [cosine_floor(baseline(vectors[first : first + 20]), 20) for first in range(0, 400, 20)]
    assert np.median(floors) == pytest.approx(0.4, abs=0.1)


@pytest.mark.parametrize("rows", [100, 2000])
def test_degrees_of_freedom_of_a_known_covariance(rows: int) -> None:
    scales = np.linspace(0.2, 2, 60)
    drawn = np.random.default_rng(0).normal(size=(rows, 60)) * scales
    assert degrees_of_freedom(drawn) == pytest.approx(np.sum(scales**2) ** 2 / np.sum(scales**4), rel=0.15)


@pytest.mark.parametrize("sample", [np.ones((5, 4)), np.zeros((1, 4)), np.arange(8.0).reshape(2, 4)])
def test_degrees_of_freedom_of_too_little(sample: Doubles) -> None:
    assert degrees_of_freedom(sample) == 1


@pytest.mark.parametrize("degrees", [1.0, 1.5, 2.0, 7.3, 100.0])
def test_tail_as_scipy_computes_it(degrees: float) -> None:
    assert tail(degrees) == pytest.approx(chi2.ppf(0.995, degrees) / degrees, rel=0.01)


def test_cosine_drift_of_centred_embeddings_names_other_metrics() -> None:
    """The floor is 1 and the metric's maximum 2, so that it can never fire; other metrics detect the change."""
    generator = np.random.default_rng(0)
    drawn = unit_rows(generator, 1_000, 20, 0.0)
    centred = drawn - drawn.mean(axis=0)
    left = baseline_of(centred, centred[:2])
    now = profile_of(unit_rows(generator, 1_000, 20, 3.0), centred[:2])
    found = measure("cosine_drift", left, now, 0)
    assert found.noise_floor == 1
    assert found.advice is not None
    assert "cosine_drift can never fire on them: set metric to mmd_rbf, domain_auc or assignment_js" in found.advice
    other = measure("mmd_rbf", left, now, 0)
    assert other.value > 2 * other.noise_floor
    assert other.advice is None


def test_ordinary_embeddings_get_no_advice() -> None:
    drawn = unit_rows(np.random.default_rng(0), 500, 20, 2.0)
    left, now = baseline_of(drawn, drawn[:2]), profile_of(drawn, drawn[:2])
    for metric in get_args(DriftMetric):
        assert measure(metric, left, now, 0).advice is None


@pytest.mark.parametrize("clusters", [0, 1])
@pytest.mark.parametrize("metric", ["assignment_js", "assignment_psi", "cosine_drift"])
def test_a_baseline_without_two_clusters_names_metrics_that_can_fire(metric: DriftMetric, clusters: int) -> None:
    """All documents have the same cluster, then and now, so that the shares never change."""
    generator = np.random.default_rng(0)
    centred = unit_rows(generator, 500, 20, 0.0)
    centred = centred - centred.mean(axis=0)
    left = baseline_of(centred, centred[:1])
    now = profile_of(unit_rows(generator, 500, 20, 3.0), centred[:1])
    left = replace(left, centroids=left.centroids[:clusters], shares=left.shares[:clusters])
    now = replace(now, counts=now.counts[:clusters])
    found = measure(metric, left, now, 0)
    assert found.value <= 2 * found.noise_floor
    assert found.advice is not None
    assert found.advice.endswith("set metric to mmd_rbf or domain_auc")
    for other in ("mmd_rbf", "domain_auc"):
        detected = measure(other, left, now, 0)
        assert detected.value > 2 * detected.noise_floor
        assert detected.advice is None


def test_so_few_documents_that_domain_auc_cannot_fire() -> None:
    generator = np.random.default_rng(0)
    few, others = unit_rows(generator, 3, 20, 0.0), unit_rows(generator, 3, 20, 9.0)
    found = measure("domain_auc", baseline_of(few, few), profile_of(others, few), 0)
    assert 2 * found.noise_floor >= 1
    assert found.advice == (
        "with 3 documents in the baseline and 3 now, chance alone reaches the maximum of domain_auc, which can never "
        "fire: add documents, or set metric to centroid_euclidean"
    )


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6])
def test_means_far_from_the_origin(offset: float) -> None:
    """The error of sums in single precision would exceed the random variation of the mean."""
    generator = np.random.default_rng(3)
    drawn = [(generator.normal(size=(3_000, 5)) + offset).astype(np.float32) for _ in range(2)]
    left = baseline_of(drawn[0], drawn[0][:2], "euclidean")
    profiling = Profiling(left, 0)
    profiling.add(Batch(None, drawn[1], 0, FilePlace("a.parquet", 0)))
    assert profiling.profile().mean == pytest.approx(drawn[1].astype(np.float64).mean(axis=0), abs=1e-5 + 1e-9 * offset)


@pytest.mark.parametrize(("then", "now"), [(1, 50), (2, 2), (2, 50), (3, 50), (5, 50), (10, 200)])
@pytest.mark.parametrize(("dimensions", "decay"), [(1, 0), (4, 0), (64, 0), (64, 1)])
def test_twice_the_floor_holds_for_few_documents(then: int, now: int, dimensions: int, decay: int) -> None:
    """The variance of few documents is an estimate, and of one document it is unknown."""
    generator = np.random.default_rng(3)
    scales = 1 / np.arange(1, dimensions + 1) ** decay
    above = np.zeros(2)
    for _ in range(300):
        before, after = (1 + generator.normal(size=(rows, dimensions)) * scales for rows in (then, now))
        made = baseline(before.astype(np.float32))
        above[0] += centroid_euclidean(made.total / then, after.mean(axis=0)) > 2 * euclidean_floor(made, now)
        before, after = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (before, after))
        made = baseline(before.astype(np.float32))
        above[1] += cosine_drift(made.total / then, after.mean(axis=0)) > 2 * cosine_floor(made, now)
    assert (above <= 7).all(), above  # 1 % of 300, with its random variation


@pytest.mark.parametrize("degrees", [1, 2, 5, 20, 100])
@pytest.mark.parametrize("estimated", [4, 9, 30, 1_000])
def test_the_tail_of_an_estimated_variance(degrees: float, estimated: float) -> None:
    exact = f.ppf(0.995, degrees, estimated)
    assert 0.97 * exact < tail(degrees, estimated) < 1.4 * exact
    assert tail(degrees, 1) == np.inf


@pytest.mark.parametrize("vector", [[1.0, 0.0], [0.6, 0.8]])
def test_two_equal_documents_show_no_variance_that_could_be_estimated(vector: list[float]) -> None:
    """The floor was NaN, which ended each check with an internal error."""
    assert cosine_floor(baseline(np.array([vector, vector], np.float32)), 100) == 1.0


def test_advice_for_a_baseline_of_one_document_does_not_name_a_metric_that_cannot_fire() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    one, now = baseline(vectors[:1]), profile_of(vectors, vectors[:2])
    for metric in ("mmd_rbf", "domain_auc", "centroid_euclidean"):
        found = measure(metric, one, now, 0)
        assert np.isfinite(found.noise_floor)
        assert found.value <= 2 * found.noise_floor
        assert found.advice is not None
        assert "never fire" in found.advice
        assert "set metric" not in found.advice
    advice = measure("mmd_rbf", baseline(vectors[:20]), profile_of(vectors[:1], vectors[:2]), 0).advice
    assert advice is not None
    assert "set metric to centroid_euclidean" in advice
