"""Tests of the start of a layout, given the layout of the previous run."""

from __future__ import annotations

import numpy as np

from clusterworker.clustering.algorithms.neighbours import nearest_neighbours
from clusterworker.clustering.algorithms.start import OUTSIDE, placed
from tests.clusterworker.planted import planted

DATA = planted(400, 4, dimensions=8, spread=0.05)
MIDDLES = np.array([[0, 0], [4, 0], [0, 4], [4, 4]], np.float32)
POSITIONS = MIDDLES[DATA.labels] + np.random.default_rng(0).normal(size=(400, 2), scale=0.1).astype(np.float32)
NEIGHBOURS, _ = nearest_neighbours(DATA.vectors, 15, "cosine", 0)


def test_documents_that_were_there_stay_where_they_were() -> None:
    assert np.array_equal(placed(POSITIONS, NEIGHBOURS, 1), POSITIONS)


def test_others_begin_among_their_neighbours() -> None:
    last = POSITIONS.copy()
    last[::10] = np.nan
    found = placed(last, NEIGHBOURS, 1)
    known = np.isfinite(last[:, 0])
    assert np.array_equal(found[known], last[known])
    assert np.linalg.norm(found[~known] - MIDDLES[DATA.labels[~known]], axis=1).max() < 0.3


def test_a_topic_that_was_not_there_begins_together_and_apart_from_others() -> None:
    last = POSITIONS.copy()
    last[DATA.labels == 3] = np.nan
    found = placed(last, NEIGHBOURS, 1)
    new, old = found[DATA.labels == 3], found[DATA.labels != 3]
    centre = old.mean(axis=0)
    assert np.linalg.norm(new - new.mean(axis=0), axis=1).max() < 1
    assert np.linalg.norm(new.mean(axis=0) - centre) > 0.9 * OUTSIDE * np.linalg.norm(old - centre, axis=1).max()
    assert np.array_equal(found, placed(last, NEIGHBOURS, 1)), "the same every time"
