"""Computes scikit-learn's quality measures of a clustering from sums of one pass.

Noise is left out. Vectors are those of the clustering: of unit length with metric cosine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from clusterworker.clustering.algorithms.clustering import sums_by_label
from clusterworker.clustering.algorithms.pairs import Pairs
from clusterworker.data.arrays import NOISE, Doubles, Labels, Rows, Vectors

SILHOUETTE_ROWS = 2_000
BLOCK_BYTES = 64 << 20
MOST_CLUSTERS = 20_000
"""Number of clusters above which davies_bouldin_index, which compares all pairs of clusters, is not computed."""


@dataclass(frozen=True)
class Quality:
    """Values of the measures; None if a measure does not apply."""

    silhouette_score: float | None
    davies_bouldin_index: float | None
    calinski_harabasz_score: float | None
    inertia: float | None
    notes: tuple[str, ...] = ()

    def measures(self, *, with_inertia: bool) -> dict[str, float | None]:
        """Returns the values by name, as in metrics.json; inertia only if the algorithm has one."""
        measures = {
            "silhouette_score": self.silhouette_score,
            "davies_bouldin_index": self.davies_bouldin_index,
            "calinski_harabasz_score": self.calinski_harabasz_score,
        }
        return measures | ({"inertia": self.inertia} if with_inertia else {})


class ClusterSums:
    """Collects the sums for the measures while documents are read.

    Args:
        means: Means of the clusters, shape (clusters, dimensions).
    """

    def __init__(self, means: Doubles) -> None:
        self._means = means
        self.counts: Rows = np.zeros(len(means), np.int64)
        self._apart = np.zeros_like(means)
        self._squares = 0.0
        self._distances = np.zeros(len(means))

    def add(self, vectors: Vectors, labels: Labels) -> None:
        """Adds a batch."""
        inside = labels != NOISE
        if not inside.any():
            return
        vectors, labels = vectors[inside], labels[inside]
        clusters = len(self._means)
        self.counts += np.bincount(labels, minlength=clusters)
        # Differences are summed, because sums of squares lose precision far from the origin.
        apart = vectors - self._means[labels]
        squares = np.vecdot(apart, apart)
        self._apart += sums_by_label(apart, labels, clusters)
        self._squares += float(squares.sum())
        self._distances += np.bincount(labels, weights=np.sqrt(squares), minlength=clusters)

    def state(self) -> dict[str, Any]:
        """Returns the sums as arrays, for `merge` in another process."""
        return {
            "counts": self.counts,
            "apart": self._apart,
            "squares": np.array(self._squares),
            "distances": self._distances,
        }

    def merge(self, state: Mapping[str, Any]) -> None:
        """Adds the sums of other documents.

        Args:
            state: From `state`, of sums with the same means.
        """
        self.counts += state["counts"]
        self._apart += state["apart"]
        self._squares += float(state["squares"])
        self._distances += state["distances"]

    def quality(self, sample: Vectors, sample_labels: Labels, metric: str, *, has_inertia: bool) -> Quality:
        """Returns the measures.

        Args:
            sample: uniform sample of the documents, shape (m, dimensions), for the silhouette.
            sample_labels: shape (m,).
            metric: Metric of the silhouette's distances.
            has_inertia: Whether the algorithm has an inertia.
        """
        clusters, documents = len(self.counts), int(self.counts.sum())
        # The means were given, and those of the documents can differ.
        shifts = self._apart / np.maximum(self.counts, 1)[:, None]
        within = max(self._squares - float(self.counts @ np.vecdot(shifts, shifts)), 0.0)
        inertia = within if has_inertia else None
        if not 2 <= clusters < documents:
            shape = "one cluster" if clusters == 1 else "no cluster" if clusters == 0 else "a cluster per document"
            return Quality(None, None, None, inertia, (f"quality measures compare clusters, and there is {shape}",))
        notes = []
        silhouette = _silhouette(sample, sample_labels, metric)
        if silhouette is None:
            notes.append("silhouette_score: the sample holds too few documents per cluster")
        davies_bouldin = self._davies_bouldin() if clusters <= MOST_CLUSTERS else None
        if davies_bouldin is None:
            reason = f"not computed above {MOST_CLUSTERS} clusters"
            notes.append(f"davies_bouldin_index: {reason if clusters > MOST_CLUSTERS else 'too large for a number'}")
        calinski = self._calinski_harabasz(self._means + shifts, within)
        if calinski is None:
            notes.append("calinski_harabasz_score: the documents of each cluster are all equal")
        return Quality(silhouette, davies_bouldin, calinski, inertia, tuple(notes))

    def _calinski_harabasz(self, means: Doubles, within: float) -> float | None:
        """Caliński and Harabasz 1974; None if it is infinite or indistinguishably large."""
        clusters, documents = len(self.counts), int(self.counts.sum())
        apart = means - self.counts @ means / documents
        between = float(self.counts @ np.vecdot(apart, apart))
        with np.errstate(all="ignore"):
            ratio = np.float64(between / (clusters - 1)) / np.float64(within / (documents - clusters))
        return float(ratio) if np.isfinite(ratio) else None

    def _davies_bouldin(self) -> float | None:
        """Davies and Bouldin 1979: each cluster's worst ratio of spread to separation, on average."""
        spread = self._distances / np.maximum(self.counts, 1)
        pairs = Pairs(self._means, "euclidean")
        worst = np.zeros(len(spread))
        block = pairs.block(BLOCK_BYTES)
        for first in range(0, len(spread), block):
            rows = slice(first, first + block)
            apart = pairs.distances(rows)
            apart[apart == 0] = np.inf
            with np.errstate(over="ignore"):
                worst[rows] = ((spread[rows, None] + spread[None, :]) / apart).max(axis=1)
        return float(worst.mean()) if np.isfinite(worst).all() else None


def _silhouette(sample: Vectors, labels: Labels, metric: str) -> float | None:
    """Rousseeuw 1987, on at most SILHOUETTE_ROWS documents."""
    from sklearn.metrics import silhouette_score

    sample, labels = sample[:SILHOUETTE_ROWS], labels[:SILHOUETTE_ROWS]
    sample, labels = sample[labels != NOISE], labels[labels != NOISE]
    if not 2 <= len(np.unique(labels)) < len(labels):
        return None
    distances = Pairs(sample, metric).distances(slice(None))
    np.fill_diagonal(distances, 0)
    return float(silhouette_score(distances, labels, metric="precomputed"))
