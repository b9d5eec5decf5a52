"""Tests of assignment_js and assignment_psi against scipy and the formula, and of their noise floors against χ²."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2

from clusterworker.drift.assignment import (
    assignment_floor,
    assignment_js,
    assignment_psi,
    jensen_shannon,
    stability_index,
)

Counts = npt.NDArray[np.int64]
CASES = [([10, 20, 30], [12, 18, 33]), ([0, 5], [7, 0]), ([1], [900]), ([4000, 0, 1], [0, 0, 17]), ([3] * 50, [9] * 50)]


@pytest.mark.parametrize(("then", "now"), CASES)
def test_js_as_scipy_computes_it(then: list[int], now: list[int]) -> None:
    expected = jensenshannon(np.array(then) + 0.5, np.array(now) + 0.5, base=2)
    assert assignment_js(np.array(then), np.array(now)) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(("then", "now"), CASES)
def test_psi_written_out(then: list[int], now: list[int]) -> None:
    total = 0.0
    for one, other in zip(then, now, strict=True):
        p = (one + 0.5) / (sum(then) + 0.5 * len(then))
        q = (other + 0.5) / (sum(now) + 0.5 * len(now))
        total += (p - q) * math.log(p / q)
    assert assignment_psi(np.array(then), np.array(now)) == pytest.approx(total, abs=1e-12)


def shares_of(clusters: int) -> npt.NDArray[np.float64]:
    return np.random.default_rng(99).dirichlet(np.full(clusters, 3.0))


def counts(documents: int, clusters: int, seed: int) -> Counts:
    return np.random.default_rng(seed).multinomial(documents, shares_of(clusters))


@pytest.mark.parametrize("clusters", [2, 5, 20, 60])
@pytest.mark.parametrize(("documents", "others"), [(5_000, 5_000), (20_000, 3_000)])
def test_floors_agree_with_chi_square(clusters: int, documents: int, others: int) -> None:
    then, now = counts(documents, clusters, 1), counts(others, clusters, 2)
    tail = chi2.ppf(0.999, clusters - 1) * (1 / documents + 1 / others)
    assert 2 * assignment_floor(stability_index, then, now, 0) == pytest.approx(tail, rel=0.3)
    expected = math.sqrt(tail / 8 / math.log(2))
    assert 2 * assignment_floor(jensen_shannon, then, now, 0) == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize(
    ("clusters", "documents", "others"), [(2, 50, 50), (12, 50, 50), (40, 50, 50), (2, 2000, 200), (12, 2000, 200)]
)
def test_unchanged_shares_stay_below_twice_the_floor(clusters: int, documents: int, others: int) -> None:
    above, generator, shares = np.zeros(2), np.random.default_rng(12), shares_of(clusters)
    for draw in range(200):
        then, now = generator.multinomial(documents, shares), generator.multinomial(others, shares)
        above += [
            assignment_js(then, now) > 2 * assignment_floor(jensen_shannon, then, now, draw),
            assignment_psi(then, now) > 2 * assignment_floor(stability_index, then, now, draw),
        ]
    assert (above <= 2).all(), above


def test_floor_leaves_room_below_the_maximum_for_many_small_clusters() -> None:
    """By χ², the floor would be 1.8 here, which no distance can exceed."""
    then, now = counts(4_500, 900, 1), counts(200, 900, 2)
    assert 2 * assignment_floor(jensen_shannon, then, now, 0) < 0.5


def test_one_cluster_tells_nothing() -> None:
    then, now = np.array([500]), np.array([20])
    assert assignment_js(then, now) == assignment_psi(then, now) == 0
    assert assignment_floor(jensen_shannon, then, now, 0) == 0


def test_no_cluster_tells_nothing() -> None:
    """DBSCAN may have found only noise."""
    none = np.zeros(0, np.int64)
    assert assignment_js(none, none) == assignment_psi(none, none) == 0
    assert assignment_floor(jensen_shannon, none, none, 0) == 0


def test_the_seed_decides() -> None:
    then, now = counts(300, 9, 1), counts(200, 9, 2)
    assert assignment_floor(jensen_shannon, then, now, 5) == assignment_floor(jensen_shannon, then, now, 5)
    assert assignment_floor(jensen_shannon, then, now, 5) != assignment_floor(jensen_shannon, then, now, 6)
