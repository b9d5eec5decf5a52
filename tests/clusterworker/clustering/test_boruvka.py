"""The spanning tree over a k-d tree, compared with one over all pairs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.spatial.distance import cdist

from clusterworker.clustering.algorithms import boruvka
from clusterworker.clustering.algorithms.boruvka import reachability_tree
from clusterworker.data.arrays import Doubles, Rows, Vectors

ROWS = 2_100
Make = Callable[[np.random.Generator], Vectors]


def groups(random: np.random.Generator) -> Vectors:
    """Returns groups that lie apart, each of its own density, and documents between them."""
    centers = random.normal(size=(40, 5)) * 4
    spreads = 10 ** random.uniform(-3, 0, 40)
    of = random.integers(0, 40, ROWS - 100)
    near = centers[of] + spreads[of, None] * random.normal(size=(ROWS - 100, 5))
    return np.concatenate([near, random.normal(size=(100, 5)) * 6]).astype(np.float32)


def grid(_: np.random.Generator) -> Vectors:
    """Returns a grid, in which most distances are equal."""
    return np.stack(np.meshgrid(*[np.arange(13)] * 3), axis=-1).reshape(-1, 3).astype(np.float32)[:ROWS]


def line(random: np.random.Generator) -> Vectors:
    return np.unique(1e3 * random.random(ROWS, dtype=np.float32) ** 4)[:, None]


def uniform(dimensions: int) -> Make:
    return lambda random: random.random((ROWS, dimensions), dtype=np.float32)


def lengths_of_all_pairs(vectors: Vectors, min_samples: int) -> Doubles:
    """Returns the lengths of a minimum spanning tree's edges, ascending: they are the same for all of them."""
    exact = cdist(vectors, vectors)
    cores = np.partition(exact, min_samples - 1, axis=1)[:, min_samples - 1]
    reach = np.maximum(np.maximum(exact, cores[:, None]), cores)
    return np.sort(minimum_spanning_tree(csr_array(np.triu(reach, 1))).data)


@pytest.mark.parametrize("min_samples", [2, 15, 200])
@pytest.mark.parametrize("make", [groups, grid, line, uniform(2), uniform(15)])
def test_as_short_as_over_all_pairs(make: Make, min_samples: int) -> None:
    vectors = make(np.random.default_rng(min_samples))
    ends, lengths = reachability_tree(vectors, min_samples)
    assert np.sort(lengths) == pytest.approx(lengths_of_all_pairs(vectors, min_samples), rel=1e-5)
    assert joins_all(ends, len(vectors))
    apart = np.linalg.norm(vectors[ends[:, 0]].astype(float) - vectors[ends[:, 1]], axis=1)
    assert (apart <= lengths * (1 + 1e-5)).all(), "the edge of two other vectors"


def test_in_many_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """What bounds the memory changes nothing in the result."""
    vectors = groups(np.random.default_rng(3))
    _, lengths = reachability_tree(vectors, 15)
    for name, value in {"FEWEST_NODES": 40, "NODES_PER_VECTOR": 0, "FEWEST_LEAVES": 7, "LEAVES_PER_VECTOR": 0}.items():
        monkeypatch.setattr(boruvka, name, value)
    ends, again = reachability_tree(vectors, 15)
    assert (np.sort(again) == np.sort(lengths)).all()
    assert joins_all(ends, len(vectors))


def test_the_same_tree_every_time() -> None:
    vectors = groups(np.random.default_rng(4))
    first, second = reachability_tree(vectors, 15), reachability_tree(vectors, 15)
    assert all((one == other).all() for one, other in zip(first, second, strict=True))


def joins_all(ends: Rows, rows: int) -> bool:
    edges = csr_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(rows, rows))
    return len(ends) == rows - 1 and connected_components(edges, directed=False)[0] == 1
