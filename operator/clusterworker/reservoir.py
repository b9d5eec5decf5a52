"""A uniform sample of a stream of documents."""

import numpy as np

from clusterworker.arrays import Labels, Rows, Vectors


class Reservoir:
    """Keeps the documents with the smallest of independent uniform keys, which is a uniform sample.

    Its first m documents are a uniform sample of size m, so that one reservoir serves several uses.

    Args:
        size: documents to keep.
        dimensions: of the vectors.
        seed: of the keys.
    """

    def __init__(self, size: int, dimensions: int, seed: int) -> None:
        self._size = size
        self._generator = np.random.default_rng(seed)
        self._keys = np.empty(0)
        self.vectors: Vectors = np.empty((0, dimensions), np.float32)
        self.labels: Labels = np.empty(0, np.int32)
        self.rows: Rows = np.empty(0, np.int64)

    def add(self, first: int, vectors: Vectors, labels: Labels) -> None:
        """Take in a batch that begins at row number `first`."""
        keys = self._generator.random(len(vectors))
        worst = self._keys[-1] if len(self._keys) == self._size else 1.0
        candidates = np.flatnonzero(keys < worst)
        if not candidates.size:
            return
        merged = np.concatenate([self._keys, keys[candidates]])
        order = np.argsort(merged, kind="stable")[: self._size]
        self._keys = merged[order]
        self.vectors = np.concatenate([self.vectors, vectors[candidates]])[order]
        self.labels = np.concatenate([self.labels, labels[candidates]])[order]
        self.rows = np.concatenate([self.rows, first + candidates])[order]
