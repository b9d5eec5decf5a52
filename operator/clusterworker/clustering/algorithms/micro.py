"""Computes micro-clusters, for algorithms whose time or memory grows with the square of the documents.

First, k-means makes a few thousand small clusters. Then the actual algorithm clusters their centroids, and every
document joins the cluster of its micro-cluster. Yan, Huang and Jordan 2009 show for spectral clustering how small the
loss is.
"""

from dataclasses import dataclass

import numpy as np

from clusterworker.clustering.algorithms.clustering import Clustering, of_sample
from clusterworker.clustering.algorithms.distinct import distinct
from clusterworker.clustering.algorithms.kmeans import train
from clusterworker.clustering.algorithms.nearest import NearestCentroid
from clusterworker.clustering.algorithms.rule import ByNearest, renumbered
from clusterworker.clustering.algorithms.task import SampleTask, Task
from clusterworker.data.arrays import Labels, Rows, Vectors
from clusterworker.process.errors import MisconfiguredError

MICRO_CLUSTERS = 2_000
ITERATIONS = 25
ROWS_PER_CENTROID = 100
"""Training rows per micro-cluster; more rows do not move them noticeably."""


@dataclass(frozen=True)
class MicroClusters:
    """Small clusters, none of them empty.

    Attributes:
        centroids: shape (micro, dimensions).
        numbers: Micro-cluster of each document, shape (rows,).
        sizes: Documents per micro-cluster, shape (micro,).
    """

    centroids: Vectors
    numbers: Labels
    sizes: Rows

    def spread(self, labels: Labels) -> Labels:
        """Gives every document the label of its micro-cluster."""
        return labels[self.numbers]


def micro_clusters(vectors: Vectors, count: int, metric: str, seed: int) -> MicroClusters:
    """Computes micro-clusters.

    Args:
        vectors: shape (rows, dimensions), rows at least count.
        count: Number of micro-clusters; fewer if there are fewer distinct vectors.
        metric: cosine or euclidean.
        seed: Seed of k-means.
    """
    training = vectors
    if len(vectors) > count * ROWS_PER_CENTROID:
        chosen = np.random.default_rng(seed).choice(len(vectors), count * ROWS_PER_CENTROID, replace=False)
        training = vectors[np.sort(chosen)]
    centroids = train(training, count, ITERATIONS, metric, seed)
    points = distinct(vectors)
    nearest = points.spread(NearestCentroid(centroids)(points.vectors))
    used, numbers, sizes = np.unique(nearest, return_inverse=True, return_counts=True)
    return MicroClusters(np.ascontiguousarray(centroids[used]), numbers.astype(np.int32), sizes.astype(np.int64))


def micro_clusters_of(task: Task, count: int) -> MicroClusters:
    """Computes micro-clusters of documents by what they differ by; see `micro_clusters`."""
    metric = task.metric if task.dataset.common is None else "euclidean"
    return micro_clusters(task.dataset.differences, count, metric, task.seed)


def micro_clusters_of_sample(task: SampleTask, count: int) -> tuple[MicroClusters, Vectors]:
    """Returns micro-clusters of a sample, and the sample; a document of the others belongs to the nearest centroid.

    Args:
        task: All documents.
        count: Number of micro-clusters; fewer if there are fewer documents.

    Raises:
        MisconfiguredError: not even one document per micro-cluster fits into a quarter of the memory.
    """
    if count > task.affordable:
        raise MisconfiguredError(
            f"{count} micro-clusters of {task.documents.dimensions} dimensions do not fit into "
            f"{task.memory >> 20} MiB: raise run.resources.limits.memory"
        )
    training = task.draw(min(count * ROWS_PER_CENTROID, task.affordable))
    return micro_clusters(training, min(count, len(training)), task.metric, task.seed), training


def clustering_of(
    task: SampleTask, training: Vectors, micro: MicroClusters, labels: Labels, notes: list[str]
) -> Clustering:
    """Returns the clustering of all documents, each of which belongs to the cluster of the nearest micro-cluster.

    Args:
        task: All documents.
        training: The sample.
        micro: Its micro-clusters.
        labels: Any number from 0 for each micro-cluster, shape (micro,).
        notes: Decisions that were made automatically, after those about the sample.
    """
    said = (
        f"clustered {len(micro.centroids)} k-means micro-clusters of a sample of {len(training)} of "
        f"{task.documents.rows} documents; each document joins the cluster of its nearest micro-cluster"
    )

    def rule(former: Rows) -> ByNearest:
        return ByNearest.of(micro.centroids, renumbered(labels, former))

    return of_sample(training, micro.spread(labels), task.metric, rule, notes=[said, *notes])


def note(rows: int, limit: int, micro: MicroClusters) -> str:
    """Returns the note about micro-clusters."""
    return (
        f"{rows} documents are more than the limit of {limit} for comparing all pairs: "
        f"clustered {len(micro.centroids)} k-means micro-clusters instead"
    )
