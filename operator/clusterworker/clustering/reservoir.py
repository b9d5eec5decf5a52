"""A uniform sample of a stream of documents."""

from dataclasses import dataclass, replace

import numpy as np

from clusterworker.data.arrays import NOISE, Doubles, Labels, Rows, Vectors


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
        none = np.empty((0, dimensions), np.float32)
        self._kept = _Rows(np.empty(0), none, np.empty(0, np.int32), np.empty(0, np.int64))
        self._waiting: list[_Rows] = []
        self._worst = 1.0

    def add(self, first: int, vectors: Vectors, labels: Labels) -> None:
        """Take in a batch that begins at row number `first`."""
        keys = self._generator.random(len(vectors))
        chosen = np.flatnonzero(keys < self._worst)
        if chosen.size:
            self._waiting.append(_Rows(keys[chosen], vectors[chosen], labels[chosen], first + chosen))
        if sum(len(rows.keys) for rows in self._waiting) >= self._size:
            self._merge()

    @property
    def vectors(self) -> Vectors:
        """Shape (at most size, dimensions)."""
        return self._merge().vectors

    @property
    def labels(self) -> Labels:
        """Labels of the same documents."""
        return self._merge().labels

    @property
    def rows(self) -> Rows:
        """Numbers of the same documents."""
        return self._merge().rows

    def renumber(self, places: Rows) -> None:
        """Give clusters other numbers, once all documents have been taken in.

        Args:
            places: new number of each, shape (clusters,); noise stays noise.
        """
        kept = self._merge()
        labels = np.append(places, NOISE).astype(np.int32)[kept.labels]
        self._kept = _Rows(kept.keys, kept.vectors, labels, kept.rows)

    def scale(self) -> None:
        """Scale the kept vectors, of which none is all zeros, to unit length, once all documents have been taken in."""
        kept = self._merge()
        norms = np.linalg.norm(kept.vectors.astype(np.float64), axis=1, keepdims=True)
        self._kept = replace(kept, vectors=(kept.vectors / norms).astype(np.float32))

    def _merge(self) -> "_Rows":
        """Keep the best of the candidates, once for many batches, because each time copies the whole reservoir."""
        if self._waiting:
            parts = [self._kept, *self._waiting]
            order = np.argsort(np.concatenate([part.keys for part in parts]), kind="stable")[: self._size]
            self._kept = _Rows(
                np.concatenate([part.keys for part in parts])[order],
                np.concatenate([part.vectors for part in parts])[order],
                np.concatenate([part.labels for part in parts])[order],
                np.concatenate([part.rows for part in parts])[order],
            )
            self._waiting = []
            if len(order) == self._size:
                self._worst = float(self._kept.keys[-1])
        return self._kept


@dataclass(frozen=True)
class _Rows:
    keys: Doubles
    vectors: Vectors
    labels: Labels
    rows: Rows
