"""Makes vectors of one direction equal that differ by rounding."""

import numpy as np

from clusterworker.data.arrays import Rows, Vectors
from clusterworker.data.sources.batch import BATCH_ROWS

SAME_DIRECTION = 2.5e-7
"""Maximum difference by rounding of two unit vectors of one direction: half a unit in the last place of each number, of
the given and the stored vector, on both sides.
"""
NEXT_FEW = 4
_SEED = 20_261_128
"""Seed of the direction along which vectors are sorted; any number works."""


def settle(vectors: Vectors) -> Rows | None:
    """Makes unit vectors of one direction equal, in place, if they differ by rounding only.

    Along a random direction, such vectors are next to each other; each is compared with the next few there.

    Args:
        vectors: Vectors of unit length, shape (rows, dimensions).

    Returns:
        The row that each one equals now, shape (rows,), for `equate`; None if none was changed.
    """
    direction = np.random.default_rng(_SEED).normal(size=vectors.shape[1])
    places = np.empty(len(vectors))
    for start in range(0, len(vectors), BATCH_ROWS):
        places[start : start + BATCH_ROWS] = vectors[start : start + BATCH_ROWS] @ direction
    order = np.argsort(places, kind="stable")
    widest = SAME_DIRECTION * float(np.linalg.norm(direction))
    links = []
    for step in range(1, NEXT_FEW + 1):
        ahead = np.flatnonzero(places[order[step:]] - places[order[:-step]] <= widest)
        for start in range(0, len(ahead), BATCH_ROWS):
            one, other = order[ahead[start : start + BATCH_ROWS]], order[ahead[start : start + BATCH_ROWS] + step]
            apart = vectors[one].astype(np.float64) - vectors[other]
            close = np.vecdot(apart, apart) <= SAME_DIRECTION**2
            links.append(np.stack([one[close], other[close]]))
    pairs = np.concatenate([np.empty((2, 0), np.int64), *links], axis=1)
    if not pairs.size:
        return None
    from scipy import sparse

    graph = sparse.coo_array((np.ones(pairs.shape[1], np.int8), (pairs[0], pairs[1])), shape=(len(vectors),) * 2)
    parts = sparse.csgraph.connected_components(graph, directed=False)[1]
    first = np.unique(parts, return_index=True)[1][parts]
    equate(vectors, first)
    return np.asarray(first, np.int64)


def equate(vectors: Vectors, first: Rows) -> None:
    """Replaces each vector by that of another row, in place.

    Args:
        vectors: shape (rows, dimensions).
        first: The row that replaces each one and stays as it is, shape (rows,).
    """
    moved = np.flatnonzero(first != np.arange(len(vectors)))
    for start in range(0, len(moved), BATCH_ROWS):
        rows = moved[start : start + BATCH_ROWS]
        vectors[rows] = vectors[first[rows]]
