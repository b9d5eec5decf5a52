"""Tests of the search for neighbours in cells, as above 50,000 vectors, compared with all pairs."""

from __future__ import annotations

import faiss
import numpy as np
import numpy.typing as npt
import pytest

from clusterworker.clustering.algorithms import neighbours
from clusterworker.clustering.algorithms.neighbours import nearest_neighbours
from clusterworker.data.arrays import Doubles, Vectors
from tests.clusterworker.planted import planted


@pytest.fixture(autouse=True)
def in_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "EXACT_ROWS", 100)


def exact(vectors: Vectors, count: int) -> tuple[Doubles, npt.NDArray[np.int64]]:
    squared = ((vectors[:, None].astype(np.float64) - vectors) ** 2).sum(axis=2)
    indices = np.argsort(squared, axis=1, kind="stable")[:, :count]
    return np.sqrt(np.take_along_axis(squared, indices, axis=1)), indices


@pytest.mark.parametrize(
    ("queries", "tile", "threads"), [(16_384, (1_024, 4_096), 1), (16_384, (1_024, 4_096), 2), (7, (5, 3), 3)]
)
def test_all_cells_give_all_neighbours(
    queries: int, tile: tuple[int, int], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "PROBED", 10_000)
    monkeypatch.setattr(neighbours, "QUERIES", queries)
    monkeypatch.setattr(neighbours, "TILE", tile)
    monkeypatch.setattr(faiss, "omp_get_max_threads", lambda: threads)
    vectors = np.random.default_rng(0).normal(size=(701, 24)).astype(np.float32)
    indices, distances = nearest_neighbours(vectors, 12, "euclidean", 0)
    lengths, order = exact(vectors, 12)
    assert distances == pytest.approx(lengths, rel=1e-4, abs=1e-4)
    assert (indices == order).mean() > 0.999  # ties
    assert (indices[:, 0] == np.arange(701)).all()


def test_near_cells_give_nearly_all_neighbours() -> None:
    vectors = planted(3_000, 12, dimensions=96, spread=0.08).vectors
    shares: list[float] = []
    indices, _ = nearest_neighbours(vectors, 15, "cosine", 0, shares.append)
    _, order = exact(vectors, 15)
    found = np.mean([len(set(row) & set(true)) / 15 for row, true in zip(indices, order, strict=True)])
    assert found > 0.95
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_a_cell_with_fewer_vectors_than_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing neighbour is replaced by the vector itself, at the largest distance that was found."""
    monkeypatch.setattr(neighbours, "PROBED", 1)
    vectors = planted(400, 3, dimensions=16, spread=0.05).vectors
    indices, distances = nearest_neighbours(vectors, 60, "euclidean", 0)
    assert ((indices >= 0) & (indices < 400)).all()
    assert np.isfinite(distances).all()
    assert (np.diff(distances, axis=1) >= 0).all()
