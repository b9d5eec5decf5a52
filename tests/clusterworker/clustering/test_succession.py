"""Tests of the cluster IDs of a run after a previous run: tables of cases, and the optimum for random ones."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from clusterworker.clustering import succession
from clusterworker.clustering.succession import COSINE_LIMIT, STEP, Ancestors, anew, in_words, match, succeed
from clusterworker.data.arrays import Doubles, Vectors


def unit(*degrees: float) -> Vectors:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def ancestors(*degrees: float, ids: list[int] | None = None, sizes: list[int] | None = None) -> Ancestors:
    numbers = np.array(ids or range(len(degrees)), np.int64)
    return Ancestors("before", numbers, unit(*degrees), np.array(sizes or [10] * len(degrees), np.int64))


@pytest.mark.parametrize(
    ("case", "before", "now", "next_id", "expected"),
    [
        ("the same", (0, 90, 180), (0, 90, 180), 3, [0, 1, 2]),
        ("another order", (0, 90, 180), (180, 0, 90), 3, [2, 0, 1]),
        ("a little off", (0, 90, 180), (91, 2, 177), 3, [1, 0, 2]),
        ("a new one", (0, 90), (0, 90, 200), 2, [0, 1, 2]),
        ("a new one, after others that are gone", (0, 90), (0, 90, 200), 7, [0, 1, 7]),
        ("one is gone, and another one is new", (0, 90), (0, 200), 2, [0, 2]),
        ("nothing is left", (0, 90), (180, 270), 2, [2, 3]),
        ("none before", (), (0, 90), 4, [4, 5]),
        ("none now", (0, 90), (), 2, []),
        ("the nearest partner is taken by one that is nearer", (0, 20), (21, 40), 2, [0, 1]),
    ],
)
def test_numbers(
    case: str, before: tuple[float, ...], now: tuple[float, ...], next_id: int, expected: list[int]
) -> None:
    sizes = np.full(len(now), 10)
    found = succeed(ancestors(*before), unit(*now), sizes, None, "cosine", COSINE_LIMIT, next_id)
    assert found.ids.tolist() == expected, case
    assert found.next_id == max([next_id, *(number + 1 for number in expected)])


def test_numbers_of_clusters_that_are_gone_are_not_given_again() -> None:
    first = succeed(ancestors(0, 90, 180), unit(0, 90), np.full(2, 10), None, "cosine", COSINE_LIMIT, 3)
    assert first.next_id == 3
    then = Ancestors("then", first.ids, unit(0, 90), np.full(2, 10))
    second = succeed(then, unit(0, 90, 180), np.full(3, 10), None, "cosine", COSINE_LIMIT, first.next_id)
    assert second.ids.tolist() == [0, 1, 3]


def test_shared_documents_decide_ties() -> None:
    """Both of today's clusters are between the two clusters of yesterday."""
    before, now = ancestors(30, 30), unit(30, 30)
    shared = sparse.csr_array(np.array([[0, 9, 0], [8, 1, 0], [0, 0, 0]]))
    assert succeed(before, now, np.array([9, 9]), shared, "cosine", COSINE_LIMIT, 2).ids.tolist() == [1, 0]
    assert succeed(before, now, np.array([9, 9]), shared[[1, 0, 2]], "cosine", COSINE_LIMIT, 2).ids.tolist() == [0, 1]


def test_what_became_of_each() -> None:
    before = ancestors(0, 90, 180, 270, ids=[5, 0, 3, 8], sizes=[100, 80, 60, 40])
    # 3 was merged into 0, half of 5 is a separate cluster now, 8 has no documents, and one cluster is new.
    now, sizes = unit(95, 5, 45, 225), np.array([145, 48, 50, 12])
    shared = np.zeros((5, 5), np.int64)
    shared[0, 1], shared[0, 2] = 40, 50
    shared[1, 0], shared[2, 0], shared[4, 1] = 80, 60, 3
    found = succeed(before, now, sizes, sparse.csr_array(shared), "cosine", COSINE_LIMIT, 9)
    assert found.ids.tolist() == [0, 5, 9, 10]
    told = [
        (s.cluster_id, s.event, s.other, s.documents, s.documents_before, s.kept, s.joined, s.left) for s in found.steps
    ]
    assert told == [
        (0, "kept", None, 145, 80, 80, 65, 0),
        (5, "kept", None, 48, 100, 40, 8, 60),
        (9, "split_from", 5, 50, 0, 0, 50, 0),
        (10, "new", None, 12, 0, 0, 12, 0),
        (3, "merged_into", 0, 0, 60, 0, 0, 60),
        (8, "gone", None, 0, 40, 0, 0, 40),
    ]
    assert found.steps[0].distance == pytest.approx(1 - np.cos(np.radians(5)), abs=1e-6)
    assert found.steps[2].distance == pytest.approx(1 - np.cos(np.radians(45)), abs=1e-6)
    assert found.steps[3].distance is None
    assert in_words(found.steps, [], 233, 110) == (
        "2 clusters kept, 2 new (9 split from 5, 10), 2 gone (3 merged into 0, 8); "
        "52.8% of 233 documents of both runs stayed in their cluster"
    )


def test_documents_that_could_not_be_compared() -> None:
    found = succeed(ancestors(0, 90), unit(0, 200), np.array([3, 2]), None, "cosine", COSINE_LIMIT, 2)
    assert [(step.event, step.kept, step.joined, step.left) for step in found.steps] == [
        ("kept", None, None, None),
        ("new", None, None, None),
        ("gone", None, None, None),
    ]
    assert in_words(found.steps, [], None, None) == "1 cluster kept, 1 new (2), 1 gone (1)"
    assert in_words(found.steps, [3], None, None) == "1 cluster kept, 1 renamed (3), 1 new (2), 1 gone (1)"


def test_anew() -> None:
    found = anew(np.array([7, 5]), 4)
    assert (found.ids.tolist(), found.next_id) == ([4, 5], 6)
    assert [(step.event, step.documents) for step in found.steps] == [("new", 7), ("new", 5)]


def test_many_clusters_are_matched_by_mutual_nearness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(succession, "MOST_CLUSTERS", 2)
    found = succeed(ancestors(0, 90, 180), unit(180, 1, 92, 270), np.full(4, 5), None, "cosine", COSINE_LIMIT, 3)
    assert found.ids.tolist() == [2, 0, 1, 3]


def least_cost(distances: Doubles, limit: float) -> float:
    """Returns the best of all pairings, by enumeration: a pair beyond the limit is not matched, and costs the limit."""
    costs = np.minimum(distances, limit) if distances.shape[0] <= distances.shape[1] else np.minimum(distances, limit).T
    rows = np.arange(len(costs))
    return min(float(costs[rows, list(columns)].sum()) for columns in permutations(range(costs.shape[1]), len(rows)))


tables = st.tuples(st.integers(1, 5), st.integers(1, 5)).flatmap(
    lambda shape: st.tuples(
        arrays(np.float64, shape, elements=st.floats(0, 1)), arrays(np.float64, shape, elements=st.integers(0, 50))
    )
)


@given(tables, st.floats(0.05, 1))
def test_matching_reaches_the_optimum(given_table: tuple[Doubles, Doubles], limit: float) -> None:
    distances, shared = given_table
    rows, columns = match(distances, shared, limit)
    assert len(set(rows.tolist())) == len(rows)
    assert len(set(columns.tolist())) == len(columns)
    assert (distances[rows, columns] <= limit).all()
    cost = distances[rows, columns].sum() + limit * (min(distances.shape) - len(rows))
    assert cost == pytest.approx(least_cost(distances, limit), abs=2 * STEP * limit * min(distances.shape))


angles = st.lists(st.floats(0, 360), max_size=8)


@given(st.lists(angles, min_size=1, max_size=6))
def test_no_number_is_given_twice(runs: list[list[float]]) -> None:
    """An ID is used once: by one cluster of a run, and not again after its cluster no longer exists."""
    last, next_id, retired = Ancestors("none", np.empty(0, np.int64), unit(), np.empty(0, np.int64)), 0, set[int]()
    for degrees in runs:
        found = succeed(last, unit(*degrees), np.full(len(degrees), 1), None, "cosine", COSINE_LIMIT, next_id)
        ids = set(found.ids.tolist())
        assert len(ids) == len(degrees)
        assert not ids & retired
        assert max(ids, default=-1) < found.next_id
        assert {step.cluster_id for step in found.steps} == ids | set(last.ids.tolist())
        retired |= set(last.ids.tolist()) - ids
        last, next_id = Ancestors("last", found.ids, unit(*degrees), np.full(len(degrees), 1)), found.next_id
