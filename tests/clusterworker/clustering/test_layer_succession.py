"""Tests of which layer continues which previous layer, and of the IDs of their clusters."""

from __future__ import annotations

import numpy as np
import pytest

from clusterworker.clustering.layer_succession import Counterpart, counterparts, gone, number_layers
from clusterworker.clustering.succession import Ancestors, anew
from clusterworker.data.arrays import Vectors


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        ([], [9, 3], [None, None]),
        ([9, 3], [], []),
        ([100, 30, 8], [110, 28, 9], [0, 1, 2]),
        ([100, 30, 8], [95, 9], [0, 2]),
        ([95, 9], [100, 30, 8], [0, None, 1]),
        ([100, 30, 8], [95, 31, 12, 5], [0, 1, 2, None]),
        ([10, 20], [25, 30], [0, 1]),
        ([40], [400, 12], [None, 0]),
        ([12], [12], [0]),
    ],
)
def test_counterparts(before: list[int], now: list[int], found: list[int | None]) -> None:
    assert counterparts(before, now) == found


def corners(*places: int) -> Vectors:
    return np.eye(8, dtype=np.float32)[list(places)]


def sizes(count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.arange(count, 0, -1, dtype=np.int64) * 10


def test_clusters_of_all_layers_have_numbers_of_their_own() -> None:
    clusters = anew(sizes(2), 0)
    layers = [corners(0, 1, 2, 3), corners(0, 1)]
    numbered, next_id = number_layers(1, clusters, [None, None], layers, [sizes(4), sizes(2)], "cosine", 0.2)
    assert [own.ids.tolist() for own in numbered] == [[2, 3, 4, 5], [0, 1]]
    assert next_id == 6


def test_a_layer_goes_on_from_its_counterpart() -> None:
    before = Ancestors("nightly-1", np.array([7, 9]), corners(4, 2), np.array([30, 20]))
    layers = [corners(2, 3, 4), corners(0, 1)]
    others = [Counterpart(before, None), None]
    numbered, next_id = number_layers(1, anew(sizes(2), 20), others, layers, [sizes(3), sizes(2)], "cosine", 0.2)
    assert [own.ids.tolist() for own in numbered] == [[9, 22, 7], [20, 21]]
    assert [step.event for step in numbered[0].steps] == ["kept", "new", "kept"]
    assert next_id == 23


def test_clusters_of_a_layer_that_is_gone() -> None:
    steps = gone(Ancestors("nightly-1", np.array([7, 9]), corners(4, 2), np.array([30, 20])))
    assert [(step.cluster_id, step.event, step.documents_before, step.documents) for step in steps] == [
        (7, "gone", 30, 0),
        (9, "gone", 20, 0),
    ]
