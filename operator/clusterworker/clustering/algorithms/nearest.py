"""Finds the nearest centroid of each vector with faiss; from differences where single precision is too rough."""

from collections.abc import Iterator
from contextlib import contextmanager

import faiss
import numpy as np

from clusterworker.clustering.algorithms.frame import Frame
from clusterworker.clustering.algorithms.pairs import Pairs
from clusterworker.data.arrays import Doubles, Labels, Rows, Vectors
from clusterworker.data.sources.batch import BATCH_ROWS

USUAL_LENGTHS = (1e-12, 1e12)
"""Range of lengths of vectors whose products with unit vectors are accurate in single precision."""
DROWNING = 1e-3
"""Squared distance as a share of the centroid's squared length below which faiss's has an error above 0.1 %."""
BLOCK_BYTES = 32 << 20


class NearestCentroid:
    """Assigns vectors to centroids; squared Euclidean distance, which orders unit vectors as cosine does.

    Small distances are computed again from differences, in double precision, and so is the comparison with other
    centroids if any of these can be nearer.

    Args:
        centroids: Centroids, shape (clusters, dimensions), at least one.
    """

    def __init__(self, centroids: Vectors) -> None:
        self._frame = Frame.of(centroids)
        self._index = faiss.IndexFlatL2(centroids.shape[1])
        framed = np.ascontiguousarray(self._frame.into(centroids))
        self._index.add(framed)
        self._centroids = centroids
        self._lengths = np.vecdot(framed, framed)
        self._apart = np.full(len(centroids), np.nan)

    def __call__(self, vectors: Vectors) -> Labels:
        """Returns the number of the nearest centroid of each vector, shape (rows,)."""
        return self.with_squares(vectors)[0]

    def with_squares(self, vectors: Vectors) -> tuple[Labels, Doubles]:
        """Returns the nearest centroids and the squared Euclidean distances, both of shape (rows,)."""
        labels, squares = np.empty(len(vectors), np.int32), np.empty(len(vectors))
        scale = self._frame.scale if self._frame.needed else 1.0
        for first in range(0, len(vectors), BATCH_ROWS):
            rows = slice(first, first + BATCH_ROWS)
            found, numbers = self._index.search(np.ascontiguousarray(self._frame.into(vectors[rows])), 1)
            labels[rows], squares[rows] = numbers[:, 0], found[:, 0].astype(np.float64) / scale**2
            drowned = np.flatnonzero(found[:, 0] < DROWNING * self._lengths[labels[rows]])
            if drowned.size:
                self._refine(vectors, first + drowned, labels, squares)
        return labels, squares

    def _refine(self, vectors: Vectors, rows: Rows, labels: Labels, squares: Doubles) -> None:
        """Computes the distances of some rows from differences, and finds nearer centroids, in place."""
        pairs = Pairs(vectors, "euclidean", self._centroids, self._frame)
        squares[rows] = pairs.single_squares(rows, labels[rows].astype(np.int64))
        self._measure(np.unique(labels[rows]))
        # By the triangle inequality, no centroid is nearer if the next one is twice as far from the found one.
        rows = rows[4 * squares[rows] >= self._apart[labels[rows]]]
        if rows.size:
            labels[rows], apart = Pairs(vectors[rows], "euclidean", self._centroids, self._frame).nearest(BLOCK_BYTES)
            squares[rows] = apart**2

    def _measure(self, numbers: Rows) -> None:
        """Computes the squared distances of some centroids to the nearest other one, if they are unknown."""
        unknown = numbers[np.isnan(self._apart[numbers])]
        if unknown.size and len(self._centroids) > 1:
            pairs = Pairs(self._centroids[unknown], "euclidean", self._centroids, self._frame)
            self._apart[unknown] = pairs.nearest(BLOCK_BYTES, besides=unknown)[1] ** 2
        else:
            self._apart[unknown] = np.inf


class NearestDirection:
    """Assigns vectors of any length to the centroid with the greatest cosine similarity, without scaling them.

    Args:
        centroids: Centroids of unit length, shape (clusters, dimensions), at least one.
    """

    def __init__(self, centroids: Vectors) -> None:
        self._scaled = NearestCentroid(centroids)
        # Directions that are close together are distinguished within a frame, in which lengths matter.
        self._products = None if Frame.of(centroids).needed else faiss.IndexFlatIP(centroids.shape[1])
        if self._products is not None:
            self._products.add(np.ascontiguousarray(centroids))

    def __call__(self, vectors: Vectors, lengths: Vectors) -> tuple[Labels, Doubles]:
        """Returns the number of the nearest centroid of each vector, and 1 - cos, both of shape (rows,).

        Args:
            vectors: shape (rows, dimensions).
            lengths: Lengths of the vectors, not 0, shape (rows,).
        """
        extremes = lengths.min(initial=1), lengths.max(initial=1)
        if self._products is None or not USUAL_LENGTHS[0] <= extremes[0] <= extremes[1] <= USUAL_LENGTHS[1]:
            unit = (vectors / lengths.astype(np.float64)[:, None]).astype(np.float32)
            labels, squares = self._scaled.with_squares(unit)
            return labels, np.maximum(squares, 0) / 2
        products, numbers = self._products.search(np.ascontiguousarray(vectors), 1)
        labels, apart = numbers[:, 0].astype(np.int32), np.maximum(1 - products[:, 0] / lengths.astype(np.float64), 0)
        drowned = np.flatnonzero(apart < DROWNING / 2)
        if drowned.size:
            unit = (vectors[drowned] / lengths[drowned].astype(np.float64)[:, None]).astype(np.float32)
            labels[drowned], squares = self._scaled.with_squares(unit)
            apart[drowned] = squares / 2
        return labels, apart


@contextmanager
def a_core_for_the_reader() -> Iterator[None]:
    """Assigns with one thread less while another thread reads, because more threads than cores wait for each other."""
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(max(threads - 1, 1))
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)
