"""Nearest centroid of each vector, by faiss (exact)."""

import faiss
import numpy as np

from clusterworker.clustering.algorithms.frame import Frame
from clusterworker.data.arrays import Doubles, Labels, Vectors
from clusterworker.data.sources.batch import BATCH_ROWS


class NearestCentroid:
    """Assigns vectors to centroids; squared Euclidean distance, which orders unit vectors as cosine does.

    Args:
        centroids: shape (clusters, dimensions), at least one.
    """

    def __init__(self, centroids: Vectors) -> None:
        self._frame = Frame.of(centroids)
        self._index = faiss.IndexFlatL2(centroids.shape[1])
        self._index.add(np.ascontiguousarray(self._frame.into(centroids)))

    def __call__(self, vectors: Vectors) -> Labels:
        """Return the number of the nearest centroid of each vector, shape (rows,)."""
        return self.with_squares(vectors)[0]

    def with_squares(self, vectors: Vectors) -> tuple[Labels, Doubles]:
        """Return the same, and the squared Euclidean distances, both of shape (rows,)."""
        labels, squares = np.empty(len(vectors), np.int32), np.empty(len(vectors))
        for first in range(0, len(vectors), BATCH_ROWS):
            rows = slice(first, first + BATCH_ROWS)
            found, numbers = self._index.search(np.ascontiguousarray(self._frame.into(vectors[rows])), 1)
            labels[rows], squares[rows] = numbers[:, 0], found[:, 0]
        scale = self._frame.scale if self._frame.needed else 1.0
        return labels, squares / scale**2
