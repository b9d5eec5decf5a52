"""Distances of many pairs by matrix products."""

import numpy as np

from clusterworker.arrays import Rows, Vectors


class Pairs:
    """Distances between vectors, 1 - cos or Euclidean, of some rows to some others at a time.

    Args:
        vectors: shape (rows, dimensions); of unit length with metric cosine.
        metric: cosine or euclidean.
    """

    def __init__(self, vectors: Vectors, metric: str) -> None:
        self._cosine = metric == "cosine"
        if not self._cosine:
            # Far from the origin, the difference of large squares would be all rounding.
            vectors = (vectors - vectors.mean(axis=0, dtype=np.float64)).astype(np.float32)
        self._vectors = np.ascontiguousarray(vectors)
        self._squares = np.einsum("ij,ij->i", self._vectors, self._vectors)

    def __len__(self) -> int:
        return len(self._vectors)

    def distances(self, rows: slice | Rows, columns: slice = slice(None)) -> Vectors:
        """Return the distances of some rows to others, shape (rows, columns); of a row to itself exactly 0."""
        distances: Vectors = self._vectors[rows] @ self._vectors[columns].T
        if self._cosine:
            np.subtract(1, distances, out=distances)
        else:
            distances *= -2
            distances += self._squares[rows, None]
            distances += self._squares[columns]
        np.maximum(distances, 0, out=distances)
        own = np.arange(len(self))[rows] - columns.indices(len(self))[0]
        inside = (own >= 0) & (own < distances.shape[1])
        distances[np.flatnonzero(inside), own[inside]] = 0
        return distances if self._cosine else np.sqrt(distances, out=distances)

    def block(self, most: int) -> int:
        """How many rows at a time keep a block of distances to all others within so many bytes."""
        return max(1, most // (4 * len(self)))
