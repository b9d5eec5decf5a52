"""Tests of the pass over the documents against numpy on all of them at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from clustercontract.baseline import RESERVOIR_ROWS
from clustercontract.container import CollectionInput
from clustercontract.source import Source
from clusterworker.data.ahead import ahead
from clusterworker.data.arrays import Vectors
from clusterworker.data.sources.batch import BATCH_ROWS
from clusterworker.data.sources.collections import open_collections
from clusterworker.drift.profile import Profile, profile
from clusterworker.process.progress import Progress
from tests.clusterworker.conftest import Pod
from tests.clusterworker.drift.drifting import baseline_of
from tests.clusterworker.planted import planted, write


def profile_files(folder: Path, vectors: Vectors, metric: str, seed: int = 3) -> Profile:
    """Returns the profile of the vectors in three files."""
    for number, part in enumerate(np.array_split(vectors, 3)):
        write(folder / "data" / f"part-{number}.parquet", part)
    given = CollectionInput(collection_id="col", source=Source(uri="data"), mount_path=str(folder))
    centroids = planted(6, 6, vectors.shape[1], spread=0, seed=5).vectors
    stored = baseline_of(vectors[:10], centroids, metric)
    return profile(open_collections([given], folder), stored, seed, Progress(SimpleNamespace(**QUIET)))  # type: ignore[arg-type]


QUIET: dict[str, Any] = {"write": lambda _: None, "flush": lambda: None, "isatty": lambda: True}


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("documents", [5, 3 * BATCH_ROWS + 100])
def test_sums_and_counts(tmp_path: Path, metric: str, documents: int) -> None:
    vectors = planted(documents, 7, spread=0.4).vectors * np.float32(1.7)
    found = profile_files(tmp_path, vectors, metric)
    exact = vectors.astype(np.float64)
    if metric == "cosine":
        exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    centroids = planted(6, 6, vectors.shape[1], spread=0, seed=5).vectors.astype(np.float64)
    distances = ((exact[:, None, :] - centroids[None]) ** 2).sum(axis=2)
    assert found.documents == documents
    assert found.total == pytest.approx(exact.sum(axis=0), rel=1e-6, abs=1e-6 * documents)
    assert found.total_squares == pytest.approx((exact**2).sum(axis=0), rel=1e-6)
    assert np.abs(found.counts - np.bincount(distances.argmin(axis=1), minlength=6)).sum() <= 2
    assert found.counts.sum() == documents
    assert len(found.reservoir) == min(documents, 2_000)
    rows = {row.tobytes() for row in np.round(exact, 4).astype(np.float32) + 0.0}
    assert all(
        row.tobytes() in rows for row in np.round(found.reservoir.astype(np.float64), 4).astype(np.float32) + 0.0
    )


def test_the_reservoir_is_uniform_and_follows_the_seed(tmp_path: Path) -> None:
    documents = 2 * BATCH_ROWS
    vectors = np.repeat(np.arange(1, documents + 1, dtype=np.float32)[:, None], 2, axis=1)
    one, again, other = (profile_files(tmp_path, vectors, "euclidean", seed).reservoir for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    drawn = np.concatenate([one, other])[:, 0]
    quarters = np.histogram(drawn, bins=4, range=(0, documents))[0] / len(drawn)
    assert quarters == pytest.approx(np.full(4, 0.25), abs=0.04)


def test_errors_of_the_reader_arise_where_the_batches_are_used() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    items = ahead(failing())
    assert next(items) == 1
    with pytest.raises(ZeroDivisionError):
        next(items)


def test_ahead_keeps_the_order_and_reads_one_further() -> None:
    read: list[int] = []

    def watched() -> Iterator[int]:
        for number in range(5):
            read.append(number)
            yield number

    items = ahead(watched())
    assert next(items) == 0
    assert next(items) == 1
    assert len(read) <= 3
    assert list(items) == [2, 3, 4]


def test_as_many_documents_are_kept_as_in_a_baseline(pod: Pod) -> None:
    vectors = planted(RESERVOIR_ROWS + 100, 4).vectors
    write(pod.volume / "data.parquet", vectors)
    spec = pod.spec({"algorithm": "kmeans", "n_clusters": 2})
    pod.run(spec)
    with np.load(pod.folder(spec) / "baseline.npz") as baseline:
        kept = len(baseline["reservoir"])
    assert kept == RESERVOIR_ROWS == len(profile_files(pod.root / "now", vectors, "cosine").reservoir)
