"""Tests of what is kept of a stream of documents."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from clusterworker.clustering.algorithms.nearest import NearestDirection
from clusterworker.clustering.central import CentralDocuments
from clusterworker.clustering.reservoir import Reservoir


def test_central_documents_are_the_nearest_whatever_the_batches() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(-1, 6, 1_000).astype(np.int32)
    distances = generator.random(1_000).astype(np.float32)
    distances[labels == -1] = np.nan
    ids = np.array([f"doc-{row}" for row in range(1_000)])
    for size in (7, 100, 1_000):
        central = CentralDocuments()
        for first in range(0, 1_000, size):
            part = slice(first, first + size)
            central.add(first, pa.array(ids[part]), labels[part], distances[part])
        for cluster in range(6):
            rows = np.flatnonzero(labels == cluster)
            nearest = rows[np.argsort(distances[rows])[:3]]
            assert [document.row for document in central.of(cluster)] == nearest.tolist()
            assert [document.document_id for document in central.of(cluster)] == ids[nearest].tolist()


def test_of_equal_documents_the_first_are_central() -> None:
    central = CentralDocuments()
    for first in (0, 4):
        ids = pa.array(range(first, first + 4))
        central.add(first, ids, np.zeros(4, np.int32), np.full(4, 0.5, np.float32))
    assert [document.row for document in central.of(0)] == [0, 1, 2]


def test_reservoir_is_uniform_over_the_stream() -> None:
    hits = np.zeros(200)
    for seed in range(2_000):
        reservoir = Reservoir(20, 1, seed)
        for first in range(0, 200, 30):
            count = min(30, 200 - first)
            reservoir.add(first, np.zeros((count, 1), np.float32), np.zeros(count, np.int32))
        assert len(np.unique(reservoir.rows)) == 20
        hits[reservoir.rows] += 1
    expected = 2_000 * 20 / 200
    chi_squared = float(((hits - expected) ** 2 / expected).sum())
    assert chi_squared < 270, "200 cells: 270 is the 99.9th percentile"


@pytest.mark.parametrize("length", [1e-30, 1e-13, 1e-3, 1.0, 1e6, 1e13, 1e30])
@pytest.mark.parametrize("spread", [1.0, 1e-4], ids=["everywhere", "in nearly one direction"])
def test_the_nearest_direction_whatever_the_lengths(length: float, spread: float) -> None:
    generator = np.random.default_rng(1)
    exact = np.eye(1, 16) + spread * generator.normal(size=(300, 16))
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    centroids = exact[:12].astype(np.float32)
    lengths = length * generator.uniform(0.5, 2, 300)
    found, apart = NearestDirection(centroids)(
        (exact * lengths[:, None]).astype(np.float32), lengths.astype(np.float32)
    )
    squares = ((exact[:, None] - centroids[None].astype(np.float64)) ** 2).sum(axis=2)
    best = squares.min(axis=1)
    assert apart.min() >= 0
    assert np.abs(apart - best / 2).max() <= 1e-6
    assert (squares[np.arange(300), found] <= best + (1e-6 if spread == 1 else 1e-2 * best.max())).all()
    assert (found[:12] == np.arange(12)).all()


def test_reservoir_keeps_rows_vectors_and_labels_together() -> None:
    reservoir = Reservoir(50, 2, seed=3)
    for first in range(0, 500, 64):
        rows = np.arange(first, min(first + 64, 500))
        reservoir.add(first, np.stack([rows, -rows], axis=1).astype(np.float32), (rows % 7).astype(np.int32))
    assert reservoir.vectors[:, 0].tolist() == reservoir.rows.tolist()
    assert reservoir.labels.tolist() == (reservoir.rows % 7).tolist()
