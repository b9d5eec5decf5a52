"""Draws a uniform sample from a stream of documents."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from clusterworker.data.arrays import NOISE, Doubles, Labels, Rows, Vectors


class Reservoir:
    """Keeps the documents with the smallest of independent uniform keys, which is a uniform sample.

    Its first m documents are a uniform sample of size m, so one reservoir serves several purposes.

    Args:
        size: Number of documents to keep.
        dimensions: Dimensions of the vectors.
        seed: Seed of the keys.
        first: Row number of the first document, if only a part of the stream is added; keys belong to row numbers.
        total: Number of documents of the whole stream, if only a part of it is added, which then keeps few unnecessary
            ones.
    """

    def __init__(self, size: int, dimensions: int, seed: int, first: int = 0, total: int | None = None) -> None:
        self._size = size
        bits = np.random.PCG64(seed)
        bits.advance(first)
        self._generator = np.random.Generator(bits)
        none = np.empty((0, dimensions), np.float32)
        self._kept = _Rows(np.empty(0), none, np.empty(0, np.int32), np.empty(0, np.int64))
        self._waiting: list[_Rows] = []
        # The smallest of all keys are below this value, except with a probability of 10^-1000 if it is below 1.
        self._worst = 1.0 if total is None else min(1.0, 3 * size / total)

    def add(self, first: int, vectors: Vectors, labels: Labels) -> None:
        """Adds a batch that begins at row number `first`."""
        keys = self._generator.random(len(vectors))
        chosen = np.flatnonzero(keys < self._worst)
        if chosen.size:
            self._waiting.append(_Rows(keys[chosen], vectors[chosen], labels[chosen], first + chosen))
        if sum(len(rows.keys) for rows in self._waiting) >= self._size:
            self._merge()

    def state(self) -> dict[str, Any]:
        """Returns the sample as arrays, for `merge` in another process."""
        kept = self._merge()
        return {"keys": kept.keys, "vectors": kept.vectors, "labels": kept.labels, "rows": kept.rows}

    def merge(self, state: Mapping[str, Any]) -> None:
        """Adds the sample of the next documents, from `state`."""
        self._waiting.append(_Rows(state["keys"], state["vectors"], state["labels"], state["rows"]))
        self._merge()

    @property
    def vectors(self) -> Vectors:
        """Vectors, shape (at most size, dimensions)."""
        return self._merge().vectors

    @property
    def labels(self) -> Labels:
        """Labels of the same documents."""
        return self._merge().labels

    @property
    def rows(self) -> Rows:
        """Row numbers of the same documents."""
        return self._merge().rows

    def renumber(self, places: Rows) -> None:
        """Renumbers the clusters, after all documents have been added.

        Args:
            places: New number of each cluster, shape (clusters,); noise stays noise.
        """
        kept = self._merge()
        labels = np.append(places, NOISE).astype(np.int32)[kept.labels]
        self._kept = _Rows(kept.keys, kept.vectors, labels, kept.rows)

    def scale(self) -> None:
        """Scales the kept vectors, none of which is all zeros, to unit length, after all documents have been added."""
        kept = self._merge()
        norms = np.linalg.norm(kept.vectors.astype(np.float64), axis=1, keepdims=True)
        self._kept = replace(kept, vectors=(kept.vectors / norms).astype(np.float32))

    def _merge(self) -> "_Rows":
        """Keeps the best of the candidates.

        It is called once for many batches, because each call copies the whole reservoir.
        """
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
