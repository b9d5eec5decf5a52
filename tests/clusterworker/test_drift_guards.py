"""The guards against false alarms, by Monte Carlo on real text embeddings.

A short form on examples/data runs always. The long one, 1,000 draws of each case on ../shared/data where that exists,
runs with MONTE_CARLO=1000, and takes about an hour: `MONTE_CARLO=1000 python -m pytest -s -m fuzz tests/clusterworker`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from threadpoolctl import threadpool_limits

from clustertrigger.api.run import DriftMetric
from clusterworker.arrays import Vectors
from clusterworker.drift.measure import Drift, measure
from tests.clusterworker.drifting import baseline_of, profile_of

DRAWS = int(os.environ.get("MONTE_CARLO", "0"))
ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "data" / "debian-packages.parquet"
SHARED = ROOT.parent / "shared" / "data" / "debian-descriptions.parquet"
NO_TOPICS = {"libs", "libdevel", "oldlibs", "doc", "devel", "utils", "misc", "metapackages", "debug", "tasks"}
"""Sections that say how something is packaged, or that it fits nowhere else."""
CLUSTERS = 12
THRESHOLDS = (0.05, 0.3)
CHEAP: tuple[DriftMetric, ...] = ("cosine_drift", "centroid_euclidean", "assignment_js", "assignment_psi")
DEAR: tuple[DriftMetric, ...] = ("mmd_rbf", "domain_auc")


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


def compare(metric: DriftMetric, then: Vectors, now: Vectors, seed: int) -> Drift:
    """As a run and a check do: clusters of the documents then, and both samples measured against them."""
    index = faiss.Kmeans(then.shape[1], CLUSTERS, niter=8, spherical=True, seed=seed, min_points_per_centroid=1)
    index.train(then)
    return measure(metric, baseline_of(then, index.centroids), profile_of(now, index.centroids), seed)


def fires(drift: Drift, threshold: float) -> bool:
    """Design §5.3 without min_documents, which would let none of the smallest samples pass."""
    return drift.value > threshold and drift.value > 2 * drift.noise_floor


def unchanged(data: Data, size: int, draws: int) -> Iterator[tuple[Vectors, Vectors]]:
    """Two samples of one distribution: different documents, where there are enough."""
    generator = np.random.default_rng(size)
    for _ in range(draws):
        if 2 * size <= len(data.vectors):
            drawn = generator.permutation(len(data.vectors))[: 2 * size]
        else:
            drawn = generator.integers(len(data.vectors), size=2 * size)
        yield data.vectors[drawn[:size]], data.vectors[drawn[size:]]


def half_replaced(data: Data, size: int, draws: int, least: int) -> Iterator[tuple[Vectors, Vectors]]:
    """All topics but one; and then half of the documents are of that one."""
    generator = np.random.default_rng(size)
    topics = data.topics(least)
    for draw in range(draws):
        new = data.sections == topics[draw % len(topics)]
        old, added = np.flatnonzero(~new), np.flatnonzero(new)
        then = generator.choice(old, size)
        now = np.concatenate([generator.choice(old, size - size // 2), generator.choice(added, size // 2)])
        yield data.vectors[then], data.vectors[generator.permutation(now)]


@pytest.mark.parametrize(("metric", "size", "draws"), [
    *((metric, size, 100) for metric in CHEAP for size in (50, 500)),
    *((metric, size, 40) for metric in DEAR for size in (50, 200)),
])  # fmt: skip
def test_unchanged_data_does_not_fire(metric: DriftMetric, size: int, draws: int) -> None:
    found = [compare(metric, *pair, seed) for seed, pair in enumerate(unchanged(load(EXAMPLES), size, draws))]
    for threshold in THRESHOLDS:
        assert sum(fires(drift, threshold) for drift in found) <= draws // 100


@pytest.mark.parametrize("size", [500, 1000])
def test_half_replaced_is_found_by_cosine_drift(size: int) -> None:
    pairs = half_replaced(load(EXAMPLES), size, 100, least=100)
    found = [compare("cosine_drift", *pair, seed) for seed, pair in enumerate(pairs)]
    assert sum(fires(drift, 0.05) for drift in found) >= 99


def test_the_guard_is_needed() -> None:
    """Without the noise floor, 50 documents would fire every time."""
    found = [compare("cosine_drift", *pair, 0) for pair in unchanged(load(EXAMPLES), 50, 20)]
    assert all(drift.value > 0.05 for drift in found)


@pytest.mark.fuzz
@pytest.mark.timeout(0)
@pytest.mark.skipif(not (DRAWS and SHARED.exists()), reason="set MONTE_CARLO=1000, and have ../shared/data")
@pytest.mark.parametrize("size", [50, 200, 1000, 5000])
@pytest.mark.parametrize("metric", [*CHEAP, *DEAR])
def test_unchanged_data_does_not_fire_in_the_long_run(metric: DriftMetric, size: int) -> None:
    found = [compare(metric, *pair, seed) for seed, pair in enumerate(unchanged(load(SHARED), size, DRAWS))]
    rates = [sum(fires(drift, threshold) for drift in found) / DRAWS for threshold in (*THRESHOLDS, 0.0)]
    told(f"unchanged {metric} n={size}: median {np.median([drift.value for drift in found]):.4f}, "
         f"floor {np.median([drift.noise_floor for drift in found]):.4f}, "
         f"fires at 0.05: {rates[0]:.2%}, at 0.3: {rates[1]:.2%}, at 0: {rates[2]:.2%}")  # fmt: skip
    assert max(rates[:2]) <= 0.01


@pytest.mark.fuzz
@pytest.mark.timeout(0)
@pytest.mark.skipif(not (DRAWS and SHARED.exists()), reason="set MONTE_CARLO=1000, and have ../shared/data")
@pytest.mark.parametrize("size", [200, 500, 1000, 5000])
@pytest.mark.parametrize("metric", CHEAP)
def test_half_replaced_is_found_in_the_long_run(metric: DriftMetric, size: int) -> None:
    pairs = half_replaced(load(SHARED), size, DRAWS, least=180)
    found = [compare(metric, *pair, seed) for seed, pair in enumerate(pairs)]
    rate = sum(fires(drift, 0.05) for drift in found) / DRAWS
    low, median = np.quantile([drift.value for drift in found], [0.01, 0.5])
    told(f"half replaced {metric} n={size}: median {median:.4f}, 1st percentile {low:.4f}, found: {rate:.2%}")
    if metric == "cosine_drift" and size >= 500:
        assert rate >= 0.99


def told(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
