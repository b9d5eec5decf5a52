"""Micro-clusters: a front end for algorithms whose time or memory grows with the square of the documents.

k-means makes a few thousand small clusters, the algorithm proper clusters their centroids, and every document goes
where its micro-cluster goes. Yan, Huang and Jordan 2009 show for spectral clustering how little that loses.
"""

from dataclasses import dataclass

import numpy as np

from clusterworker.clustering.algorithms.distinct import distinct
from clusterworker.clustering.algorithms.kmeans import train
from clusterworker.clustering.algorithms.nearest import NearestCentroid
from clusterworker.data.arrays import Labels, Rows, Vectors

MICRO_CLUSTERS = 2_000
ITERATIONS = 25
ROWS_PER_CENTROID = 100
"""Training rows per micro-cluster: more do not move them noticeably."""


@dataclass(frozen=True)
class MicroClusters:
    """Small clusters, none of them empty.

    Attributes:
        centroids: shape (micro, dimensions).
        numbers: micro-cluster of each document, shape (rows,).
        sizes: documents per micro-cluster, shape (micro,).
    """

    centroids: Vectors
    numbers: Labels
    sizes: Rows

    def spread(self, labels: Labels) -> Labels:
        """Give every document the label of its micro-cluster."""
        return labels[self.numbers]


def micro_clusters(vectors: Vectors, count: int, metric: str, seed: int) -> MicroClusters:
    """Make micro-clusters.

    Args:
        vectors: shape (rows, dimensions), rows at least count.
        count: how many; fewer come out where there are fewer distinct vectors.
        metric: cosine or euclidean.
        seed: of k-means.
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


def note(rows: int, limit: int, micro: MicroClusters) -> str:
    """What is said of it."""
    return (
        f"{rows} documents are more than the limit of {limit} for comparing all pairs: "
        f"clustered {len(micro.centroids)} k-means micro-clusters instead"
    )
