"""Sums up the documents of a pass: in a run, and in a check, which compares its sums with the run's."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from clusterworker.clustering.algorithms.nearest import NearestCentroid
from clusterworker.clustering.reservoir import Reservoir
from clusterworker.data.arrays import NOISE, Doubles, Labels, Rows, Vectors

_SAMPLE = "sample."
"""Prefix of the arrays of the sample."""


class Tally:
    """Sums over documents while they are read.

    Args:
        centroids: of which each document's nearest is counted, shape (clusters, dimensions); there may be none.
        kept: documents of the sample.
        seed: of the sample.
        around: where given, sums are of the differences from it and in single precision, which is fast; they are as
            exact for at most a thousand vectors at a time, which stay in the processor's cache. Shape (dimensions,).
        first: row number of the first document, if this takes in a part of the documents.
        rows: all documents, if this takes in a part of them.

    Attributes:
        documents: how many were added.
        counts: documents per nearest centroid, shape (clusters,).
        total_squares: sum of the squares of all vectors, shape (dimensions,).
        reservoir: uniform sample of those that were offered.
    """

    def __init__(
        self,
        centroids: Vectors,
        kept: int,
        seed: int,
        around: Vectors | None = None,
        *,
        first: int = 0,
        rows: int | None = None,
    ) -> None:
        clusters, dimensions = centroids.shape
        self.documents = 0
        self.counts: Rows = np.zeros(clusters, np.int64)
        self.total_squares: Doubles = np.zeros(dimensions)
        self.reservoir = Reservoir(kept, dimensions, seed, first, rows)
        self._total = np.zeros(dimensions)
        self._around = around
        self._nearest = NearestCentroid(centroids) if clusters else None
        self._offered = first

    @property
    def total(self) -> Doubles:
        """Sum of all vectors, shape (dimensions,)."""
        if self._around is None:
            return self._total
        return np.asarray(self._total + self.documents * self._around.astype(np.float64))

    def add(self, vectors: Vectors) -> Labels:
        """Adds vectors, and returns the nearest centroid of each; NOISE if there is no centroid."""
        if self._around is None:
            self._total += vectors.sum(axis=0, dtype=np.float64)
            self.total_squares += np.einsum("ij,ij->j", vectors, vectors, dtype=np.float64)
        else:
            self._total += (vectors - self._around).sum(axis=0)  # Sums in float32 lose precision far from the origin.
            self.total_squares += np.einsum("ij,ij->j", vectors, vectors)
        self.documents += len(vectors)
        if self._nearest is None:
            return np.full(len(vectors), NOISE, np.int32)
        nearest = self._nearest(vectors)
        self.counts += np.bincount(nearest[nearest != NOISE], minlength=len(self.counts))
        return nearest

    def state(self) -> dict[str, Any]:
        """Returns the sums and the sample as arrays, for `merge` in another process."""
        sample = {f"{_SAMPLE}{name}": value for name, value in self.reservoir.state().items()}
        sums = {"counts": self.counts, "total": self._total, "total_squares": self.total_squares}
        return {"documents": np.array(self.documents), **sums, **sample}

    def merge(self, state: Mapping[str, Any]) -> None:
        """Adds the following documents, which another process has added to a tally with the same arguments.

        Args:
            state: Result of `state` in the other process.
        """
        self.documents += int(state["documents"])
        self.counts += state["counts"]
        self._total += state["total"]
        self.total_squares += state["total_squares"]
        sample = {name.removeprefix(_SAMPLE): value for name, value in state.items() if name.startswith(_SAMPLE)}
        self.reservoir.merge(sample)

    def offer(self, vectors: Vectors, labels: Labels | None = None) -> None:
        """Offers a batch to the sample; every batch once, in the order of the documents.

        Args:
            vectors: as the sample shall hold them.
            labels: beside them, shape (rows,).
        """
        labels = np.full(len(vectors), NOISE, np.int32) if labels is None else labels
        self.reservoir.add(self._offered, vectors, labels)
        self._offered += len(vectors)
