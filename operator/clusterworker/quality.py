"""How good a clustering is: scikit-learn's measures, from sums gathered in one pass.

Noise is left out. Vectors are what the clustering saw: of unit length with metric cosine.
"""

from dataclasses import dataclass

import numpy as np

from clusterworker.algorithms.clustering import sums_by_label
from clusterworker.arrays import NOISE, Doubles, Labels, Rows, Vectors

SILHOUETTE_ROWS = 2_000
MOST_CLUSTERS = 20_000
"""Above it davies_bouldin_index, which compares all pairs of clusters, is not computed."""


@dataclass(frozen=True)
class Quality:
    """None where a measure does not apply."""

    silhouette_score: float | None
    davies_bouldin_index: float | None
    calinski_harabasz_score: float | None
    inertia: float | None
    notes: tuple[str, ...] = ()

    def measures(self, *, with_inertia: bool) -> dict[str, float | None]:
        """By name, as in metrics.json; inertia only where the algorithm has one."""
        measures = {
            "silhouette_score": self.silhouette_score,
            "davies_bouldin_index": self.davies_bouldin_index,
            "calinski_harabasz_score": self.calinski_harabasz_score,
        }
        return measures | ({"inertia": self.inertia} if with_inertia else {})


class ClusterSums:
    """Gathers what the measures need while documents stream by.

    Args:
        means: of the clusters, shape (clusters, dimensions).
    """

    def __init__(self, means: Doubles) -> None:
        self._means = means
        self.counts: Rows = np.zeros(len(means), np.int64)
        self._sums = np.zeros_like(means)
        self._squares = 0.0
        self._distances = np.zeros(len(means))

    def add(self, vectors: Vectors, labels: Labels) -> None:
        """Take in a batch."""
        inside = labels != NOISE
        if not inside.any():
            return
        vectors, labels = vectors[inside], labels[inside]
        clusters = len(self._means)
        self.counts += np.bincount(labels, minlength=clusters)
        self._sums += sums_by_label(vectors, labels, clusters)
        self._squares += float(np.einsum("ij,ij->", vectors, vectors, dtype=np.float64))
        apart = np.linalg.norm(vectors - self._means[labels], axis=1)
        self._distances += np.bincount(labels, weights=apart, minlength=clusters)

    def quality(self, sample: Vectors, sample_labels: Labels, metric: str, *, has_inertia: bool) -> Quality:
        """Return the measures.

        Args:
            sample: uniform sample of the documents, shape (m, dimensions), for the silhouette.
            sample_labels: shape (m,).
            metric: of the silhouette's distances.
            has_inertia: whether the algorithm has one.
        """
        clusters, documents = len(self.counts), int(self.counts.sum())
        explained = float((np.einsum("ij,ij->i", self._sums, self._sums) / np.maximum(self.counts, 1)).sum())
        within = max(self._squares - explained, 0.0)
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
            notes.append(f"davies_bouldin_index: not computed above {MOST_CLUSTERS} clusters")
        total = self._sums.sum(axis=0)
        between = explained - float(total @ total) / documents
        calinski = (between / (clusters - 1)) / (within / (documents - clusters)) if within > 0 else None
        if calinski is None:
            notes.append("calinski_harabasz_score: the documents of each cluster are all equal")
        return Quality(silhouette, davies_bouldin, calinski, inertia, tuple(notes))

    def _davies_bouldin(self) -> float:
        """Davies and Bouldin 1979: each cluster's worst ratio of spread to separation, on average."""
        spread = self._distances / np.maximum(self.counts, 1)
        squares = np.einsum("ij,ij->i", self._means, self._means)
        worst = np.zeros(len(spread))
        block = max(1, (64 << 20) // (8 * len(spread)))
        for first in range(0, len(spread), block):
            rows = slice(first, first + block)
            apart = np.sqrt(
                np.maximum(squares[rows, None] + squares[None, :] - 2 * self._means[rows] @ self._means.T, 0)
            )
            apart[apart < 1e-12 * max(1.0, float(squares.max()))] = np.inf
            apart[np.arange(apart.shape[0]), np.arange(first, first + apart.shape[0])] = np.inf
            worst[rows] = ((spread[rows, None] + spread[None, :]) / apart).max(axis=1)
        return float(worst.mean())


def _silhouette(sample: Vectors, labels: Labels, metric: str) -> float | None:
    """Rousseeuw 1987, on at most SILHOUETTE_ROWS documents."""
    from sklearn.metrics import silhouette_score

    sample, labels = sample[:SILHOUETTE_ROWS], labels[:SILHOUETTE_ROWS]
    sample, labels = sample[labels != NOISE], labels[labels != NOISE]
    if not 2 <= len(np.unique(labels)) < len(labels):
        return None
    return float(silhouette_score(sample, labels, metric=metric))
