"""Makes vectors of one direction equal that differ by rounding."""

import numpy as np

from clusterworker.data.arrays import Flags, Rows, Vectors
from clusterworker.data.sources.batch import BATCH_ROWS

ROUNDING = 1.25e-7
"""Maximum difference of two vectors by rounding, as a share of their length: half a unit in the last place of each
number, on both sides.
"""
_LONGEST = 2.0
"""Maximum length of the difference of two unit vectors."""
NEXT_FEW = 4
_SEED = 20_261_128
"""Seed of the direction along which vectors are sorted; any number works."""


def settle(vectors: Vectors) -> Rows | None:
    """Makes vectors of one direction equal, in place, if they differ by rounding only, of the given or stored numbers.

    Along a random direction, such vectors are next to each other; each is compared with the next few there. Where many
    different directions lie that close together, all stay as they are.

    Args:
        vectors: Vectors of unit length, or what they differ by from a common one, shape (rows, dimensions).

    Returns:
        The row that each one equals now, shape (rows,), for `equate`; None if none was changed.
    """
    direction = np.random.default_rng(_SEED).normal(size=vectors.shape[1])
    places = np.empty(len(vectors))
    for start in range(0, len(vectors), BATCH_ROWS):
        places[start : start + BATCH_ROWS] = vectors[start : start + BATCH_ROWS] @ direction
    order = np.argsort(places, kind="stable")
    widest = ROUNDING * (1 + _LONGEST) * float(np.linalg.norm(direction))
    links = []
    for step in range(1, NEXT_FEW + 1):
        ahead = np.flatnonzero(places[order[step:]] - places[order[:-step]] <= widest)
        for start in range(0, len(ahead), BATCH_ROWS):
            one, other = order[ahead[start : start + BATCH_ROWS]], order[ahead[start : start + BATCH_ROWS] + step]
            close = _same(vectors[one], vectors[other])
            links.append(np.stack([one[close], other[close]]))
    pairs = np.concatenate([np.empty((2, 0), np.int64), *links], axis=1)
    if not pairs.size:
        return None
    from scipy import sparse

    graph = sparse.coo_array((np.ones(pairs.shape[1], np.int8), (pairs[0], pairs[1])), shape=(len(vectors),) * 2)
    parts: Rows = sparse.csgraph.connected_components(graph, directed=False)[1].astype(np.int64)
    first = np.unique(parts, return_index=True)[1][parts]
    first = np.where(_wide(vectors, first, parts)[parts], np.arange(len(vectors)), first)
    equate(vectors, first)
    return np.asarray(first, np.int64)


def _wide(vectors: Vectors, first: Rows, parts: Rows) -> Flags:
    """Returns which parts contain directions that rounding does not explain, shape (parts,).

    Where many directions lie close together, small steps lead from one to another that is different.
    """
    wide = np.zeros(int(parts.max()) + 1, bool)
    others = np.flatnonzero(first != np.arange(len(vectors)))
    for start in range(0, len(others), BATCH_ROWS):
        rows = others[start : start + BATCH_ROWS]
        wide[parts[rows[~_same(vectors[rows], vectors[first[rows]])]]] = True
    return wide


def _same(some: Vectors, others: Vectors) -> Flags:
    """Returns which vectors can differ from their counterparts by rounding only, shape (rows,)."""
    apart = some.astype(np.float64) - others
    limits = ROUNDING * (1 + np.sqrt(np.vecdot(some, some)))  # The given vectors had unit length.
    return np.asarray(np.vecdot(apart, apart) <= limits**2)


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
