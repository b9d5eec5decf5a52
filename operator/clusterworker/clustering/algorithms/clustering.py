"""Defines the result of an algorithm, and functions that all algorithms share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from clustercontract.counted import counted
from clusterworker.clustering.algorithms.distinct import occurrences
from clusterworker.clustering.algorithms.rule import Find, Rule
from clusterworker.clustering.algorithms.start import Begun, Positions
from clusterworker.data.arrays import NOISE, Doubles, Labels, Rows, Vectors
from clusterworker.data.sources.batch import BATCH_ROWS

NEARLY_ALL = 0.9
"""Share of the documents above which a single cluster is reported."""


@dataclass(frozen=True)
class LayeredClusters:
    """Clusterings of several granularities, the finest first.

    Attributes:
        labels: Labels of each layer, shape (rows,): 0 is the largest cluster; or NOISE.
        centroids: Centroids of each layer, shape (clusters, dimensions); of unit length with metric cosine.
        persistence: Persistence of each layer compared with other granularities.
        parents: For each layer and cluster, the layer and number of the coarser cluster that contains it, or None.
        chosen: Number of the layer that is the clustering itself.
    """

    labels: Sequence[Labels]
    centroids: Sequence[Vectors]
    persistence: Sequence[float]
    parents: Sequence[Sequence[tuple[int, int] | None]]
    chosen: int

    @property
    def sizes(self) -> list[Rows]:
        """Returns the documents per cluster of each layer, shape (clusters,)."""
        counted = zip(self.labels, self.centroids, strict=True)
        return [np.bincount(labels[labels != NOISE], minlength=len(own)) for labels, own in counted]


@dataclass
class Clustering:
    """Clusters numbered from 0, the largest first.

    Attributes:
        centroids: Centroids, shape (clusters, dimensions); of unit length with metric cosine.
        means: Arithmetic means of the clusters' vectors, which the quality measures use; same shape.
        labels: Labels, shape (rows,); None if the clusters were found on a sample.
        has_inertia: Whether the algorithm minimizes the sum of squared distances, so that the sum has a meaning.
        notes: Decisions that were made automatically.
        layered: Other granularities, if the algorithm finds any.
        begun: What the clusters started from, if the clusters or the layout of a previous run could be used.
        layout: Positions of the documents in which clusters were searched, if a layout was computed.
        modes: For mean_shift: the final position of each cluster's window, in the layout if there is one, shape
            (clusters, dimensions).
        rule: Tells the cluster of a document without labels; None if it belongs to its nearest centroid.
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
    rule: Rule | None = None

    def finder(self) -> Find | None:
        """Returns the function that tells the cluster of documents without labels; None for the nearest centroid."""
        return self.rule.finder() if self.rule else None


def by_size(labels: Labels) -> Labels:
    """Renumbers clusters by size, from 0 and without gaps.

    Clusters of equal size keep their order, and noise stays noise.
    """
    found, positions, counts = np.unique(labels, return_inverse=True, return_counts=True)
    clusters = np.flatnonzero(found != NOISE)
    order = clusters[np.argsort(-counts[clusters], kind="stable")]
    numbers = np.full(len(found), NOISE, np.int32)
    numbers[order] = np.arange(len(order), dtype=np.int32)
    return numbers[positions]


def sums_by_label(vectors: Vectors | Doubles, labels: Labels, clusters: int) -> Doubles:
    """Returns the sum of the vectors of each cluster, shape (clusters, dimensions), without noise."""
    inside = np.flatnonzero(labels != NOISE)
    ones = np.ones(len(inside), np.float64)
    members = sparse.csr_array((ones, (labels[inside], inside)), shape=(clusters, len(labels)))
    return np.asarray(members @ vectors.astype(np.float64), dtype=np.float64)


def labelled(
    vectors: Vectors, labels: Labels, metric: str, *, notes: list[str], has_inertia: bool = False
) -> Clustering:
    """Returns the clustering of labels, with clusters numbered by size.

    Args:
        vectors: The documents' own vectors, shape (rows, dimensions).
        labels: Any numbers, or NOISE, shape (rows,).
        metric: cosine or euclidean.
        notes: Decisions that were made automatically.
        has_inertia: Whether the algorithm minimizes it.
    """
    labels = by_size(labels)
    mean = means(vectors, labels)
    return Clustering(centroids_of(mean, metric), mean, labels, has_inertia, notes)


def of_sample(
    training: Vectors, labels: Labels, metric: str, rule: Callable[[Rows], Rule], *, notes: list[str]
) -> Clustering:
    """Returns the clustering of labels of a sample, with clusters numbered by size, and the rule for all documents.

    Args:
        training: The sample, shape (rows, dimensions).
        labels: Any numbers from 0, or NOISE, shape (rows,).
        metric: cosine or euclidean.
        rule: Returns the rule, given which of these numbers each cluster had, shape (clusters,).
        notes: Decisions that were made automatically.
    """
    found = labelled(training, labels, metric, notes=notes)
    if found.labels is None:
        raise TypeError("labels of a sample")
    inside = found.labels != NOISE
    former = np.empty(len(found.centroids), np.int64)
    former[found.labels[inside]] = labels[inside]
    found.labels, found.rule = None, rule(former)
    return found


def is_nearly_one(labels: Labels) -> bool:
    """Returns whether one cluster holds nearly all documents."""
    found = labels[labels != NOISE]
    return bool(found.size and np.bincount(found).max() > NEARLY_ALL * len(labels))


def too_few_distinct(labels: Labels, n_clusters: int | None, vectors: Vectors) -> list[str]:
    """Returns a note if there are fewer clusters than requested.

    Args:
        labels: Cluster of each document, shape (rows,).
        n_clusters: Number of clusters that was requested, if any was.
        vectors: Vectors, shape (rows, dimensions); equal ones are never separated.
    """
    clusters = len(np.unique(labels))
    if n_clusters is None or clusters >= n_clusters:
        return []
    fewer = f"{counted(clusters, 'cluster')} instead of {n_clusters:,}"
    if len(occurrences(vectors)[0]) <= clusters:
        return [f"{fewer}: the documents have only that many distinct vectors"]
    return [f"{fewer}: k-means separates no more of the documents"]


def means(vectors: Vectors, labels: Labels) -> Doubles:
    """Returns the arithmetic mean of each cluster, shape (clusters, dimensions)."""
    clusters = int(labels.max(initial=NOISE)) + 1
    total = np.zeros((clusters, vectors.shape[1]))
    for first in range(0, len(vectors), BATCH_ROWS):
        rows = slice(first, first + BATCH_ROWS)
        total += sums_by_label(vectors[rows], labels[rows], clusters)
    counts = np.bincount(labels[labels != NOISE], minlength=clusters)
    return np.asarray(total / counts[:, None], dtype=np.float64)


def centroids_of(mean: Doubles, metric: str) -> Vectors:
    """Returns the centroids that documents are compared with: the means, and with cosine their directions."""
    if metric == "cosine":
        mean = mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return np.ascontiguousarray(mean, dtype=np.float32)
