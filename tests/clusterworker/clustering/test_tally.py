"""Tests of the sums that passes of runs and checks compute, compared with numpy on all documents at once."""

from __future__ import annotations

import numpy as np
import pytest

from clusterworker.clustering.tally import Tally
from clusterworker.data.arrays import NOISE
from tests.clusterworker.planted import planted


@pytest.mark.parametrize("around", [None, np.full(16, 0.3, np.float32)])
def test_a_run_and_a_check_add_up_the_same(around: np.ndarray[tuple[int], np.dtype[np.float32]] | None) -> None:
    vectors, centroids = planted(1_000, 5, 16).vectors, planted(4, 4, 16, seed=2).vectors
    tally = Tally(centroids, kept=50, seed=1, around=around)
    nearest = np.concatenate([tally.add(part) for part in np.array_split(vectors, 3)])
    distances = ((vectors[:, None] - centroids[None]).astype(np.float64) ** 2).sum(axis=2)
    assert np.array_equal(nearest, distances.argmin(axis=1))
    assert np.array_equal(tally.counts, np.bincount(nearest, minlength=4))
    assert tally.documents == 1_000
    assert tally.total == pytest.approx(vectors.sum(axis=0, dtype=np.float64), abs=1e-3)
    assert tally.total_squares == pytest.approx((vectors.astype(np.float64) ** 2).sum(axis=0), rel=1e-5)


def test_the_sample_knows_the_rows_and_labels_of_its_documents() -> None:
    vectors = planted(300, 5, 16).vectors
    labels = np.arange(300, dtype=np.int32)
    tally = Tally(vectors[:2], kept=20, seed=1)
    for first in range(0, 300, 100):
        tally.offer(vectors[first : first + 100], labels[first : first + 100])
    sample = tally.reservoir
    assert len(sample.rows) == 20
    assert np.array_equal(sample.labels, sample.rows)
    assert np.array_equal(sample.vectors, vectors[sample.rows])


def test_without_centroids_no_document_is_near_one() -> None:
    vectors = planted(10, 2, 16).vectors
    tally = Tally(vectors[:0], kept=5, seed=1)
    assert (tally.add(vectors) == NOISE).all()
    assert len(tally.counts) == 0
