"""Tests of the protection against false alarms, by Monte Carlo simulation on real text embeddings.

A short form on examples/data runs always. The long one draws 1,000 times for each case from more packages, and takes
about an hour: `MONTE_CARLO=1000 PACKAGES=FILE python -m pytest -s -m fuzz tests/clusterworker`. FILE is a Parquet file
like that of examples/data.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

import faiss
import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from threadpoolctl import threadpool_limits

from clustercontract.drift import DriftMetric
from clusterworker.data.arrays import Vectors
from clusterworker.drift.measure import Drift, measure
from tests.clusterworker.drift.drifting import baseline_of, profile_of

DRAWS = int(os.environ.get("MONTE_CARLO", "0"))
ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples" / "data" / "debian-packages.parquet"
PACKAGES = os.environ.get("PACKAGES", "")
NO_TOPICS = {"libs", "libdevel", "oldlibs", "doc", "devel", "utils", "misc", "metapackages", "debug", "tasks"}
"""Sections that describe how something is packaged, or that contain what fits nowhere else."""
CLUSTERS = 12
THRESHOLDS = (0.05, 0.3)
CHEAP: tuple[DriftMetric, ...] = ("cosine_drift", "centroid_euclidean", "assignment_js", "assignment_psi")
DEAR: tuple[DriftMetric, ...] = ("mmd_rbf", "domain_auc")


Pair: TypeAlias = tuple[Vectors, Vectors]


@dataclass(frozen=True)
class Data:
    vectors: Vectors
    sections: npt.NDArray[np.str_]

    def topics(self, least: int) -> list[str]:
        names, counts = np.unique(self.sections, return_counts=True)
        return [
            str(name) for name, count in zip(names, counts, strict=True) if count >= least and name not in NO_TOPICS
        ]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for each other on a busy machine make these small steps ten times as slow."""
    with threadpool_limits(1):
        yield


@cache
def load(file: Path) -> Data:
    table = pq.read_table(file, columns=["section", "embedding"])
    vectors = table["embedding"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
    return Data(vectors, np.array(table["section"].to_pylist()))


def compare(metrics: Sequence[DriftMetric], then: Vectors, now: Vectors, seed: int) -> dict[DriftMetric, Drift]:
    """Clusters the earlier documents as a run does, and measures both samples against the clusters."""
    index = faiss.Kmeans(then.shape[1], CLUSTERS, niter=8, spherical=True, seed=seed, min_points_per_centroid=1)
    index.train(then)
    centroids = np.asarray(index.centroids)
    before, after = baseline_of(then, centroids), profile_of(now, centroids)
    return {metric: measure(metric, before, after, seed) for metric in metrics}


def compare_pairs(metrics: Sequence[DriftMetric], pairs: Iterable[Pair]) -> dict[DriftMetric, list[Drift]]:
    found = [compare(metrics, *pair, seed) for seed, pair in enumerate(pairs)]
    return {metric: [drift[metric] for drift in found] for metric in metrics}


def fires(drift: Drift, threshold: float) -> bool:
    """Design §5.3 without min_documents, which would reject the smallest samples."""
    return drift.value > threshold and drift.value > 2 * drift.noise_floor


def unchanged(data: Data, size: int, draws: int) -> Iterator[Pair]:
    """Two samples of one distribution: different documents, if there are enough."""
    generator = np.random.default_rng(size)
    for _ in range(draws):
        if 2 * size <= len(data.vectors):
            drawn = generator.permutation(len(data.vectors))[: 2 * size]
        else:
            drawn = generator.integers(len(data.vectors), size=2 * size)
        yield data.vectors[drawn[:size]], data.vectors[drawn[size:]]


def half_replaced(data: Data, size: int, draws: int, least: int) -> Iterator[Pair]:
    """The first sample has all topics except one; half of the second sample is about that one."""
    generator = np.random.default_rng(size)
    topics = data.topics(least)
    for draw in range(draws):
        new = data.sections == topics[draw % len(topics)]
        old, added = np.flatnonzero(~new), np.flatnonzero(new)
        then = generator.choice(old, size)
        now = np.concatenate([generator.choice(old, size - size // 2), generator.choice(added, size // 2)])
        yield data.vectors[then], data.vectors[generator.permutation(now)]


@pytest.mark.parametrize(
    ("metrics", "size", "draws"), [(CHEAP, 50, 100), (CHEAP, 500, 100), (DEAR, 50, 40), (DEAR, 200, 40)]
)
def test_unchanged_data_does_not_fire(metrics: Sequence[DriftMetric], size: int, draws: int) -> None:
    found = compare_pairs(metrics, unchanged(load(EXAMPLES), size, draws))
    for metric in metrics:
        for threshold in THRESHOLDS:
            assert sum(fires(drift, threshold) for drift in found[metric]) <= draws // 100, (metric, threshold)


@pytest.mark.parametrize("size", [500, 1000])
def test_half_replaced_is_found_by_cosine_drift(size: int) -> None:
    found = compare_pairs(["cosine_drift"], half_replaced(load(EXAMPLES), size, 100, least=100))
    assert sum(fires(drift, 0.05) for drift in found["cosine_drift"]) >= 99


def test_the_guard_is_needed() -> None:
    """Without the noise floor, 50 documents would fire every time."""
    found = compare_pairs(["cosine_drift"], unchanged(load(EXAMPLES), 50, 20))
    assert all(drift.value > 0.05 for drift in found["cosine_drift"])


long = [
    pytest.mark.fuzz,
    pytest.mark.timeout(0),
    pytest.mark.skipif(not (DRAWS and PACKAGES), reason="set MONTE_CARLO=1000 and PACKAGES=FILE"),
]


@pytest.mark.parametrize(
    ("metrics", "size"),
    [
        pytest.param(metrics, size, marks=long, id=f"{name}-{size}")
        for name, metrics in (("cheap", CHEAP), ("dear", DEAR))
        for size in (50, 200, 1000, 5000)
    ],
)
def test_unchanged_data_does_not_fire_in_the_long_run(metrics: Sequence[DriftMetric], size: int) -> None:
    found = compare_pairs(metrics, unchanged(load(Path(PACKAGES)), size, DRAWS))
    for metric in metrics:
        at = [sum(fires(drift, threshold) for drift in found[metric]) / DRAWS for threshold in (*THRESHOLDS, 0.0)]
        outcome = f"fires at 0.05: {at[0]:.2%}, at 0.3: {at[1]:.2%}, at 0: {at[2]:.2%}"
        told(f"{metric} unchanged, n={size}", found[metric], outcome)
        assert max(at) <= 0.01, metric


@pytest.mark.parametrize("size", [pytest.param(size, marks=long) for size in (200, 500, 1000, 5000)])
def test_half_replaced_is_found_in_the_long_run(size: int) -> None:
    found = compare_pairs(CHEAP, half_replaced(load(Path(PACKAGES)), size, DRAWS, least=180))
    rates = {metric: sum(fires(drift, 0.05) for drift in found[metric]) / DRAWS for metric in CHEAP}
    for metric, rate in rates.items():
        told(f"{metric} half replaced, n={size}", found[metric], f"found at 0.05: {rate:.2%}")
    assert size < 500 or rates["cosine_drift"] >= 0.99


def told(case: str, found: Sequence[Drift], outcome: str) -> None:
    low, middle, high = np.quantile([drift.value for drift in found], [0.01, 0.5, 0.99])
    floor = np.median([drift.noise_floor for drift in found])
    sys.stdout.write(f"{case}: {middle:.4f} ({low:.4f} to {high:.4f}), floor {floor:.4f}, {outcome}\n")
    sys.stdout.flush()
