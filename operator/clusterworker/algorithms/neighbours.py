"""Nearest neighbours of every document, by faiss."""

import math

import faiss
import numpy as np
import numpy.typing as npt
from scipy import sparse

from clusterworker.arrays import Vectors

EXACT_ROWS = 50_000
"""Above it, an inverted file looks through a part of the vectors: comparing all pairs grows with their square."""
PROBED = 24
"""Lists of the inverted file that each query looks through."""


def nearest_neighbours(vectors: Vectors, count: int, metric: str, seed: int) -> tuple[npt.NDArray[np.int64], Vectors]:
    """Return each vector's neighbours, itself first.

    Args:
        vectors: shape (rows, dimensions), of unit length with metric cosine.
        count: neighbours per vector, itself included; at most rows.
        metric: cosine or euclidean.
        seed: of the inverted file's training.

    Returns:
        Indices and distances (cosine distance, or Euclidean), both of shape (rows, count), ascending by distance.
    """
    index = _index(vectors, seed)
    indices = np.empty((len(vectors), count), np.int64)
    squared = np.empty((len(vectors), count), np.float32)
    for first in range(0, len(vectors), EXACT_ROWS):
        part = slice(first, first + EXACT_ROWS)
        squared[part], indices[part] = index.search(np.ascontiguousarray(vectors[part]), count)
    np.maximum(squared, 0, out=squared)
    _self_first(indices, squared)
    # Of unit vectors, the squared distance is twice the cosine distance.
    distances: Vectors = squared / np.float32(2) if metric == "cosine" else np.sqrt(squared)
    return indices, distances


def neighbour_graph(vectors: Vectors, count: int, seed: int) -> sparse.csr_array:
    """Return the Euclidean distances from each vector to its nearest others, shape (rows, rows), `count` in each row.

    Zeros that are stored are distances between duplicates.
    """
    indices, distances = nearest_neighbours(vectors, count + 1, "euclidean", seed)
    rows = len(vectors)
    ends = np.arange(0, rows * count + 1, count)
    return sparse.csr_array((distances[:, 1:].ravel(), indices[:, 1:].ravel(), ends), shape=(rows, rows))


def _index(vectors: Vectors, seed: int) -> faiss.Index:
    rows, dimensions = vectors.shape
    flat = faiss.IndexFlatL2(dimensions)
    if rows <= EXACT_ROWS:
        flat.add(np.ascontiguousarray(vectors))
        return flat
    lists = 4 * math.isqrt(rows)
    index = faiss.IndexIVFFlat(flat, dimensions, lists)
    index.cp.seed = seed % 2**31
    index.nprobe = PROBED
    chosen = np.sort(np.random.default_rng(seed).choice(rows, min(rows, 64 * lists), replace=False))
    index.train(vectors[chosen])
    for first in range(0, rows, EXACT_ROWS):
        index.add(np.ascontiguousarray(vectors[first : first + EXACT_ROWS]))
    return index


def _self_first(indices: npt.NDArray[np.int64], squared: Vectors) -> None:
    """Put every vector first among its own neighbours, where duplicates may have taken its place."""
    rows = np.arange(len(indices))
    found = indices == rows[:, None]
    place = np.where(found.any(axis=1), found.argmax(axis=1), indices.shape[1] - 1)
    indices[rows, place] = indices[:, 0]
    squared[rows, place] = squared[:, 0]
    indices[:, 0] = rows
    squared[:, 0] = 0
    missing = indices < 0  # an inverted file may find fewer than asked for
    indices[missing] = np.broadcast_to(rows[:, None], indices.shape)[missing]
    squared[missing] = np.broadcast_to(squared.max(axis=1, keepdims=True, where=~missing, initial=0), squared.shape)[
        missing
    ]
