"""Nearest centroid of each vector, by faiss (exact)."""

import faiss
import numpy as np

from clusterworker.arrays import Labels, Vectors
from clusterworker.sources.parquet import BATCH_ROWS


class NearestCentroid:
    """Assigns vectors to centroids; squared Euclidean distance, which orders unit vectors as cosine does.

    Args:
        centroids: shape (clusters, dimensions), at least one.
    """

    def __init__(self, centroids: Vectors) -> None:
        self._index = faiss.IndexFlatL2(centroids.shape[1])
        self._index.add(np.ascontiguousarray(centroids))

    def __call__(self, vectors: Vectors) -> Labels:
        """Return the number of the nearest centroid of each vector, shape (rows,)."""
        labels = np.empty(len(vectors), np.int32)
        for first in range(0, len(vectors), BATCH_ROWS):
            rows = slice(first, first + BATCH_ROWS)
            labels[rows] = self._index.search(np.ascontiguousarray(vectors[rows]), 1)[1][:, 0]
        return labels
