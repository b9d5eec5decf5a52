"""A uniform sample of a stream of documents."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from clusterworker.data.arrays import NOISE, Doubles, Labels, Rows, Vectors


class Reservoir:
    """Keeps the documents with the smallest of independent uniform keys, which is a uniform sample.

    Its first m documents are a uniform sample of size m, so that one reservoir serves several uses.

    Args:
        size: documents to keep.
        dimensions: of the vectors.
        seed: of the keys.
        first: row number of the first document, if this takes in a part of the stream: keys belong to row numbers.
        total: documents of the whole stream, if this takes in a part of it, which then keeps few in vain.
    """

    def __init__(self, size: int, dimensions: int, seed: int, first: int = 0, total: int | None = None) -> None:
        self._size = size
        bits = np.random.PCG64(seed)
        bits.advance(first)
        self._generator = np.random.Generator(bits)
        none = np.empty((0, dimensions), np.float32)
        self._kept = _Rows(np.empty(0), none, np.empty(0, np.int32), np.empty(0, np.int64))
        self._waiting: list[_Rows] = []
        # Of all keys, the smallest ones are below this, but for one time in 10^1000 where it is below 1.
        self._worst = 1.0 if total is None else min(1.0, 3 * size / total)

    def add(self, first: int, vectors: Vectors, labels: Labels) -> None:
        """Take in a batch that begins at row number `first`."""
        keys = self._generator.random(len(vectors))
        chosen = np.flatnonzero(keys < self._worst)
        if chosen.size:
            self._waiting.append(_Rows(keys[chosen], vectors[chosen], labels[chosen], first + chosen))
        if sum(len(rows.keys) for rows in self._waiting) >= self._size:
            self._merge()

    def state(self) -> dict[str, Any]:
        """Return the sample as arrays, for `merge` in another process."""
        kept = self._merge()
        return {"keys": kept.keys, "vectors": kept.vectors, "labels": kept.labels, "rows": kept.rows}

    def merge(self, state: Mapping[str, Any]) -> None:
        """Take in the sample of the documents that come next, from `state`."""
        self._waiting.append(_Rows(state["keys"], state["vectors"], state["labels"], state["rows"]))
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
