"""Agglomerative clustering (scipy's), on micro-clusters if there are too many documents for all pairs."""

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.cluster.hierarchy import linkage

from clustercontract.algorithms import Hierarchical
from clusterworker.clustering.algorithms.clustering import Clustering, labelled, too_few_distinct
from clusterworker.clustering.algorithms.distinct import Distinct, distinct
from clusterworker.clustering.algorithms.limits import pair_limit
from clusterworker.clustering.algorithms.micro import (
    MICRO_CLUSTERS,
    clustering_of,
    micro_clusters_of,
    micro_clusters_of_sample,
    note,
)
from clusterworker.clustering.algorithms.pairs import Pairs
from clusterworker.clustering.algorithms.task import SampleTask, Task
from clusterworker.data.arrays import Doubles, Labels, Vectors
from clusterworker.process.errors import MisconfiguredError

MOST_DOCUMENTS = 20_000
"""Number of documents above which micro-clusters are always used, because time and memory grow with the square."""
BLOCK_ROWS = 512
BYTES_PER_PAIR = 8
"""Bytes per pair for two copies of the condensed distances, which contain each pair once."""


def hierarchical(task: Task, parameters: Hierarchical) -> Clustering:
    """Clusters by repeatedly merging the nearest pair.

    Raises:
        MisconfiguredError: more clusters than documents, or than micro-clusters.
    """
    n_clusters = parameters.n_clusters
    task.refuse_above_documents("n_clusters", n_clusters)
    vectors = task.dataset.vectors
    limit = pair_limit(task.memory, BYTES_PER_PAIR, MOST_DOCUMENTS)
    if len(vectors) <= limit:
        labels = agglomerate(task.dataset.differences, parameters, task.metric)
        return labelled(vectors, labels, task.metric, notes=too_few_distinct(labels, n_clusters, vectors))
    micro = micro_clusters_of(task, _micro_count(n_clusters, limit))
    labels = micro.spread(agglomerate(micro.centroids, parameters, task.metric))
    notes = [note(len(vectors), limit, micro), *too_few_distinct(labels, n_clusters, vectors)]
    return labelled(vectors, labels, task.metric, notes=notes)


def hierarchical_of_sample(task: SampleTask, parameters: Hierarchical) -> Clustering:
    """Clusters the micro-clusters of a sample.

    Raises:
        MisconfiguredError: see `hierarchical`.
    """
    n_clusters = parameters.n_clusters
    task.refuse_above_documents("n_clusters", n_clusters)
    limit = pair_limit(task.memory, BYTES_PER_PAIR, MOST_DOCUMENTS)
    micro, training = micro_clusters_of_sample(task, _micro_count(n_clusters, limit))
    labels = agglomerate(micro.centroids, parameters, task.metric)
    notes = too_few_distinct(micro.spread(labels), n_clusters, training)
    return clustering_of(task, training, micro, labels, notes)


def _micro_count(n_clusters: int | None, limit: int) -> int:
    """Returns how many micro-clusters are computed.

    Raises:
        MisconfiguredError: fewer than the requested clusters.
    """
    count = min(limit, max(MICRO_CLUSTERS, 4 * (n_clusters or 0)))
    if n_clusters is not None and n_clusters > count:
        raise MisconfiguredError(
            f"n_clusters {n_clusters} exceeds the maximum of hierarchical in this memory ({limit}): "
            "raise run.resources.limits.memory, lower n_clusters, or use algorithm: kmeans"
        )
    return count


def agglomerate(vectors: Vectors, parameters: Hierarchical, metric: str) -> Labels:
    """Returns a label per vector, shape (rows,).

    The default linkage is ward with euclidean, and complete with cosine, because average puts nearly all text
    embeddings into one cluster. The result equals that of scikit-learn's AgglomerativeClustering, except that equal
    vectors stay together. The distances come from matrix products, because scipy's own loop over pairs would take most
    of the time.
    """
    points = distinct(vectors)
    if len(points) == 1:
        return np.zeros(len(vectors), np.int32)
    method = parameters.linkage or ("complete" if metric == "cosine" else "ward")
    merges = linkage(condensed_distances(points, metric), method)
    if parameters.distance_threshold is not None:
        count = int((merges[:, 2] < parameters.distance_threshold).sum())
    else:
        # Copies merge first, at distance 0, and are never separated.
        count = len(vectors) - min(parameters.n_clusters or 1, len(points))
    return points.unite(_cut(merges, count))


def condensed_distances(points: Distinct, metric: str) -> Doubles:
    """Returns the distances of all pairs of documents in the order of scipy's pdist: shape (n(n-1)/2,)."""
    rows = len(points.numbers)
    pairs = Pairs(points.vectors, metric)
    condensed = np.empty(rows * (rows - 1) // 2)
    filled = 0
    for first in range(0, rows - 1, BLOCK_ROWS):
        size = min(BLOCK_ROWS, rows - 1 - first)
        if points.copies:
            distances = pairs.distances(points.numbers[first : first + size])[:, points.numbers[first:]]
        else:
            distances = pairs.distances(slice(first, first + size), slice(first, None))
        for offset in range(size):
            row = distances[offset, offset + 1 :]
            condensed[filled : filled + len(row)] = row
            filled += len(row)
    return condensed


def _cut(merges: npt.NDArray[np.float64], count: int) -> Labels:
    """Executes the first merges of a linkage, and returns which documents belong together."""
    rows = len(merges) + 1
    parents = np.repeat(np.arange(rows, rows + count), 2)
    children = merges[:count, :2].astype(np.int64).ravel()
    graph = sparse.coo_array((np.ones(len(children), np.int8), (children, parents)), shape=(rows + count, rows + count))
    _, labels = sparse.csgraph.connected_components(graph, directed=False)
    return labels[:rows].astype(np.int32)
