"""Graphs of similarities, whose parts and eigenvectors spectral clustering searches."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import sparse

from clusterworker.clustering.algorithms.neighbours import nearest_neighbours
from clusterworker.clustering.algorithms.pairs import Pairs
from clusterworker.data.arrays import Doubles, Flags, Rows, Vectors

BLOCK_BYTES = 64 << 20
UNCONNECTED = 1e-12
"""Normalized similarity below which an edge does not affect the eigenvectors."""
WEAK = 1e-6
"""Share of the median degree below which a document does not affect the eigenvectors, and its own entries would drown
in rounding.
"""
TINY = float(np.finfo(np.float32).tiny)

Similarity = Vectors | sparse.csr_array


def rbf(pairs: Pairs, gamma: float, into: Vectors | None = None) -> Vectors:
    """Returns exp(-gamma ‖a - b‖²) of all pairs, symmetric, shape (rows, rows).

    Args:
        pairs: Pairs of the rows.
        gamma: How fast the similarity decreases.
        into: Array to write to.
    """
    similarity = np.empty((len(pairs), len(pairs)), np.float32) if into is None else into
    size = pairs.block(BLOCK_BYTES)
    for first in range(0, len(pairs), size):
        rows = slice(first, first + size)
        block = pairs.squares(rows, slice(first, None))
        block *= -gamma
        similarity[rows, first:] = np.exp(block, out=block)
        similarity[first:, rows] = similarity[rows, first:].T
    return similarity


def neighbour_graph(vectors: Vectors, count: int, metric: str, seed: int) -> sparse.csr_array:
    """Returns 1 if each of two is among the other's nearest, ½ if one of them is, including the vector itself."""
    indices, _ = nearest_neighbours(vectors, count, metric, seed)
    rows = np.repeat(np.arange(len(vectors)), count)
    shape = (len(vectors), len(vectors))
    graph = sparse.csr_array((np.ones(rows.size, np.float32), (rows, indices.ravel())), shape=shape)
    return sparse.csr_array((graph + graph.T) * np.float32(0.5))


@dataclass(frozen=True)
class Graph:
    """The parts of a graph of similarities.

    Attributes:
        parts: Part of each row, 0 is the largest, shape (rows,).
        weak: Rows that are nearly similar to no other, shape (rows,); none if that holds for all.
        groups: Number of parts with several documents.
        unconnected: Share of the documents that are in none of these.
        median_degree: Median of the sums of a document's similarities to all others.
    """

    parts: Rows
    weak: Flags
    groups: int
    unconnected: float
    median_degree: float

    @classmethod
    def of(cls, similarity: Vectors, counts: Rows) -> Self:
        """Removes the edges of weak rows from the graph, in place.

        Args:
            similarity: Symmetric, shape (rows, rows).
            counts: Documents per row, shape (rows,).
        """
        degrees = degrees_of(similarity, counts)
        median = float(np.median(np.repeat(degrees, counts)))
        weak = (counts == 1) & (degrees < WEAK * np.median(degrees))
        similarity[weak] = 0
        similarity[:, weak] = 0
        parts = connected_parts(similarity, counts)
        sizes = np.bincount(parts, weights=counts)
        weak |= sizes[parts] == 1
        groups = int((sizes > 1).sum())
        return cls(parts, weak & (not weak.all()), groups, float((sizes == 1).sum() / counts.sum()), median)


def connected_parts(similarity: Similarity, counts: Rows) -> Rows:
    """Numbers the parts of the graph that are almost unconnected, shape (rows,); 0 is the largest.

    Args:
        similarity: Symmetric, shape (rows, rows).
        counts: documents per row, shape (rows,).
    """
    if sparse.issparse(similarity):
        parts: Rows = sparse.csgraph.connected_components(similarity, directed=False)[1].astype(np.int64)
    else:
        parts = _dense_parts(similarity, degrees_of(similarity, counts))
    sizes = np.bincount(parts, weights=counts)
    numbers = np.empty(len(sizes), np.int64)
    numbers[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return np.asarray(numbers[parts])


def _dense_parts(similarity: Vectors, degrees: Doubles) -> Rows:
    """Follows the edges that affect the eigenvectors, part by part; each row is visited once."""
    rows = len(degrees)
    roots = np.sqrt(np.maximum(degrees, TINY))
    parts = np.full(rows, -1, np.int64)
    for start in range(rows):
        if parts[start] >= 0:
            continue
        number = int(parts.max()) + 1
        parts[start], waiting = number, [start]
        while waiting:
            row = waiting.pop()
            reached = np.flatnonzero((parts < 0) & (similarity[row] > UNCONNECTED * roots[row] * roots))
            parts[reached] = number
            waiting.extend(reached.tolist())
    return parts


def degrees_of(similarity: Similarity, counts: Rows) -> Doubles:
    """Returns the sum of each document's connections.

    As in scikit-learn, a document is not connected with itself, but with its copies.
    """
    total = times(similarity, counts[:, None].astype(np.float64)).ravel()
    return np.maximum(total - np.asarray(similarity.diagonal(), np.float64), 0)


def times(similarity: Similarity, vectors: Doubles) -> Doubles:
    """Returns the product with vectors in double precision, a block of rows at a time.

    Args:
        similarity: shape (rows, rows).
        vectors: shape (rows, columns).

    Returns:
        Shape (rows, columns).
    """
    if sparse.issparse(similarity):
        return np.asarray(similarity @ vectors, np.float64)
    product = np.empty(vectors.shape)
    size = max(1, BLOCK_BYTES // (8 * len(similarity)))
    for first in range(0, len(similarity), size):
        rows = slice(first, first + size)
        product[rows] = similarity[rows].astype(np.float64) @ vectors
    return product
