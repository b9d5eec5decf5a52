"""Tests of the search for values in sorted arrays, including missing values."""

import numpy as np
import pytest

from clusterworker.data.sorted_arrays import places_in


@pytest.mark.parametrize(
    ("ordered", "wanted", "expected"),
    [
        ([2, 5, 9], [9, 2, 5], {0: 2, 1: 0, 2: 1}),
        ([2, 5, 9], [1, 3, 10, 5], {3: 1}),
        ([], [1, 2], {}),
        ([7], [], {}),
    ],
)
def test_where_values_stand(ordered: list[int], wanted: list[int], expected: dict[int, int]) -> None:
    places, known = places_in(np.array(ordered, np.int64), np.array(wanted, np.int64))
    assert {row: int(places[row]) for row in np.flatnonzero(known).tolist()} == expected
    assert len(places) == len(known) == len(wanted)
