"""What an algorithm returns, and the arithmetic that all of them share."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from clusterworker.clustering.algorithms.start import Begun, Positions
from clusterworker.data.arrays import NOISE, Doubles, Labels, Rows, Vectors
from clusterworker.data.sources.batch import BATCH_ROWS


@dataclass(frozen=True)
class LayeredClusters:
    """Clusterings of several granularities, the finest first.

    Attributes:
        labels: per layer, shape (rows,): 0 the largest cluster, or NOISE.
        centroids: per layer, shape (clusters, dimensions); of unit length with metric cosine.
        persistence: per layer, how much it stands out from other granularities.
        parents: per layer and cluster, the layer and number of the coarser cluster that holds it, or None.
        chosen: number of the layer that is the clustering itself.
    """

    labels: Sequence[Labels]
    centroids: Sequence[Vectors]
    persistence: Sequence[float]
    parents: Sequence[Sequence[tuple[int, int] | None]]
    chosen: int

    @property
    def sizes(self) -> list[Rows]:
        """Documents per cluster of each layer, shape (clusters,)."""
        counted = zip(self.labels, self.centroids, strict=True)
        return [np.bincount(labels[labels != NOISE], minlength=len(own)) for labels, own in counted]


@dataclass
class Clustering:
    """Clusters numbered from 0, the largest first.

    Attributes:
        centroids: shape (clusters, dimensions); of unit length with metric cosine.
        means: arithmetic means of the clusters' vectors, which the quality measures refer to; same shape.
        labels: shape (rows,); None: every document belongs to its nearest centroid.
        has_inertia: whether the algorithm minimises the sum of squared distances, so that it means something.
        notes: what was decided by itself, for people.
        layered: other granularities, if the algorithm finds any.
        begun: what the clusters started from, where there was a run before whose clusters or layout could be used.
        layout: where documents lay while clusters were looked for, if a layout of them was made.
        modes: of mean_shift: where the window of each cluster rests, in the layout if there is one, shape (clusters,
            dimensions).
    """

    centroids: Vectors
    means: Doubles
    labels: Labels | None
    has_inertia: bool = False
    notes: list[str] = field(default_factory=list)
    layered: LayeredClusters | None = None
    begun: Begun | None = None
    layout: Positions | None = None
    modes: Vectors | None = None


def by_size(labels: Labels) -> Labels:
    """Renumber clusters by size, from 0 and without gaps; equal sizes keep their order. Noise stays noise."""
    found, positions, counts = np.unique(labels, return_inverse=True, return_counts=True)
    clusters = np.flatnonzero(found != NOISE)
    order = clusters[np.argsort(-counts[clusters], kind="stable")]
    numbers = np.full(len(found), NOISE, np.int32)
    numbers[order] = np.arange(len(order), dtype=np.int32)
    return numbers[positions]


def sums_by_label(vectors: Vectors | Doubles, labels: Labels, clusters: int) -> Doubles:
    """Sum of the vectors of each cluster, shape (clusters, dimensions); noise is left out."""
    inside = np.flatnonzero(labels != NOISE)
    ones = np.ones(len(inside), np.float64)
    members = sparse.csr_array((ones, (labels[inside], inside)), shape=(clusters, len(labels)))
    return np.asarray(members @ vectors.astype(np.float64), dtype=np.float64)


def labelled(
    vectors: Vectors, labels: Labels, metric: str, *, notes: list[str], has_inertia: bool = False
) -> Clustering:
    """Return the clustering that labels say, its clusters numbered by size.

    Args:
        vectors: the documents' own, shape (rows, dimensions).
        labels: any numbers, or NOISE, shape (rows,).
        metric: cosine or euclidean.
        notes: what was decided by itself, for people.
        has_inertia: whether the algorithm minimises it.
    """
    labels = by_size(labels)
    mean = means(vectors, labels)
    return Clustering(centroids_of(mean, metric), mean, labels, has_inertia, notes)


def too_few_distinct(labels: Labels, wanted: int | None) -> list[str]:
    """Say so where there are fewer clusters than were asked for, since equal vectors are never cut apart."""
    clusters = len(np.unique(labels))
    if wanted is None or clusters >= wanted:
        return []
    return [f"{clusters} clusters instead of {wanted}: the documents have only that many distinct vectors"]


def means(vectors: Vectors, labels: Labels) -> Doubles:
    """Arithmetic mean of each cluster, shape (clusters, dimensions)."""
    clusters = int(labels.max(initial=NOISE)) + 1
    total = np.zeros((clusters, vectors.shape[1]))
    for first in range(0, len(vectors), BATCH_ROWS):
        rows = slice(first, first + BATCH_ROWS)
        total += sums_by_label(vectors[rows], labels[rows], clusters)
    counts = np.bincount(labels[labels != NOISE], minlength=clusters)
    return np.asarray(total / counts[:, None], dtype=np.float64)


def centroids_of(mean: Doubles, metric: str) -> Vectors:
    """Centres that documents are compared with: the means, and with cosine their directions."""
    if metric == "cosine":
        mean = mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return np.ascontiguousarray(mean, dtype=np.float32)
