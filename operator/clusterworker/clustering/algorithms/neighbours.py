"""Nearest neighbours of every document, by faiss."""

import math
from collections.abc import Callable

import faiss
import numpy as np
import numpy.typing as npt

from clusterworker.clustering.algorithms.frame import Frame
from clusterworker.clustering.algorithms.pairs import Pairs
from clusterworker.data.arrays import Vectors

EXACT_ROWS = 50_000
"""Above it, an inverted file looks through a part of the vectors: comparing all pairs grows with their square."""
BLOCK_BYTES = 64 << 20
CLOSE, LOST = 1e-3, 1e-5
"""Shares of ‖a‖² + ‖b‖²: below the first, squared distances are computed by differences; below the second, even their
order may be rounding."""
PROBED = 24
"""Lists of the inverted file that each query looks through."""


def nearest_neighbours(
    vectors: Vectors, count: int, metric: str, seed: int, told: Callable[[float], None] = lambda _done: None
) -> tuple[npt.NDArray[np.int64], Vectors]:
    """Return each vector's neighbours, itself first.

    Args:
        vectors: shape (rows, dimensions), of unit length with metric cosine.
        count: neighbours per vector, itself included; at most rows.
        metric: cosine or euclidean.
        seed: of the inverted file's training.
        told: called with the share that is done.

    Returns:
        Indices and distances (cosine distance, or Euclidean), both of shape (rows, count), ascending by distance.
    """
    frame = Frame.of(vectors)
    framed = frame.into(vectors)
    scale = frame.scale if frame.needed else 1.0
    index = index_of(framed, seed)
    indices = np.empty((len(vectors), count), np.int64)
    squared = np.empty((len(vectors), count), np.float32)
    for first in range(0, len(vectors), EXACT_ROWS):
        part = slice(first, first + EXACT_ROWS)
        squared[part], indices[part] = index.search(np.ascontiguousarray(framed[part]), count)
        told(min(first + EXACT_ROWS, len(vectors)) / len(vectors))
    _look_closer(Pairs(vectors, "euclidean", frame=frame), framed, indices, squared, scale)
    _self_first(indices, squared)
    # Of unit vectors, the squared distance is twice the cosine distance.
    exact = squared.astype(np.float64) / scale**2
    distances = np.asarray(exact / 2 if metric == "cosine" else np.sqrt(exact), np.float32)
    return indices, distances


def _look_closer(pairs: Pairs, framed: Vectors, indices: npt.NDArray[np.int64], squared: Vectors, scale: float) -> None:
    """Compute distances by differences where faiss's, by matrix products, may be rounding.

    Where even the farthest of a vector's neighbours is so near that faiss may have missed nearer ones, all vectors are
    looked at, as long as these are few enough to be compared pair by pair.
    """
    lengths = np.vecdot(framed, framed)
    sums = lengths[:, None] + lengths[np.maximum(indices, 0)]
    lost = np.flatnonzero(squared[:, -1] <= LOST * sums[:, -1]) if len(pairs) <= EXACT_ROWS else np.empty(0, np.int64)
    close = (squared <= CLOSE * sums) & (indices >= 0)
    close[lost] = False
    here, place = np.nonzero(close)
    squared[here, place] = pairs.single_squares(here, indices[here, place]) * scale**2
    changed = np.unique(here)
    order = np.argsort(squared[changed], axis=1, kind="stable")
    squared[changed] = np.take_along_axis(squared[changed], order, axis=1)
    indices[changed] = np.take_along_axis(indices[changed], order, axis=1)
    count, size = indices.shape[1], pairs.block(BLOCK_BYTES)
    for first in range(0, len(lost), size):
        rows = lost[first : first + size]
        exact = pairs.squares(rows)
        nearest = np.argpartition(exact, count - 1, axis=1)[:, :count]
        found = np.take_along_axis(exact, nearest, axis=1)
        order = np.argsort(found, axis=1, kind="stable")
        squared[rows] = np.take_along_axis(found, order, axis=1) * scale**2
        indices[rows] = np.take_along_axis(nearest, order, axis=1)
    np.maximum(squared, 0, out=squared)


def index_of(vectors: Vectors, seed: int) -> faiss.Index:
    """Return what finds their nearest neighbours: exactly, or above EXACT_ROWS in an inverted file.

    Args:
        vectors: within their frame, shape (rows, dimensions).
        seed: of the inverted file's training.
    """
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
