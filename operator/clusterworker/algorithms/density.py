"""HDBSCAN (Campello, Moulavi and Sander 2013) by fast_hdbscan, on vectors reduced by UMAP."""

import warnings

import numpy as np

from clustertrigger.api.run import HDBSCAN
from clusterworker.algorithms.clustering import Clustering, labelled
from clusterworker.algorithms.neighbours import neighbour_graph
from clusterworker.algorithms.reduction import FEW_DIMENSIONS, reduced_space
from clusterworker.algorithms.task import Task
from clusterworker.arrays import NOISE, Labels, Vectors

EXACT_ROWS = 2_000
"""Up to here, vectors of many dimensions are compared pair by pair: memory grows with the square."""
LEAST_NEIGHBOURS = 15
"""Of each vector in the graph; and three for each of `min_samples`, as fast_hdbscan itself takes."""


def hdbscan(task: Task, parameters: HDBSCAN) -> Clustering:
    """Cluster by density; documents in no dense region are noise.

    Raises:
        MisconfiguredError: min_cluster_size is more than there are documents.
    """
    task.refuse_above_documents("min_cluster_size", parameters.min_cluster_size)
    space = reduced_space(task, parameters)
    notes = list(space.notes)
    labels = find_clusters(space.vectors, parameters, task.seed)
    if not (labels != NOISE).any():
        notes.append("no cluster found, all documents are noise: lower min_cluster_size or min_samples")
    return labelled(task.dataset.vectors, labels, task.metric, notes=notes)


def find_clusters(vectors: Vectors, parameters: HDBSCAN, seed: int) -> Labels:
    """Return a label per vector, shape (rows,).

    Euclidean distance is meant for unit vectors too: it orders them as cosine distance does.
    """
    rows, dimensions = vectors.shape
    min_samples = max(min(parameters.min_samples or parameters.min_cluster_size, rows - 1), 1)
    if dimensions <= FEW_DIMENSIONS:
        return _search_tree(vectors, parameters.min_cluster_size, min_samples)
    if rows <= EXACT_ROWS:
        return _compare_all_pairs(vectors, parameters.min_cluster_size, min_samples)
    return _follow_neighbours(vectors, parameters.min_cluster_size, min_samples, seed)


def _compare_all_pairs(vectors: Vectors, min_cluster_size: int, min_samples: int) -> Labels:
    """Exact, and spares a short run the loading of numba."""
    from sklearn import cluster

    model = cluster.HDBSCAN(min_cluster_size=min_cluster_size, min_samples=min_samples, algorithm="brute", copy=True)
    labels: Labels = model.fit(vectors).labels_.astype(np.int32)
    return labels


def _search_tree(vectors: Vectors, min_cluster_size: int, min_samples: int) -> Labels:
    """Exact, by a k-d tree.

    The image's JIT cache (``clusterworker.warm``) holds what it compiles: float32, C-contiguous, reproducible.
    """
    import fast_hdbscan

    from clusterworker import jit_cache

    jit_cache.enable()
    model = fast_hdbscan.HDBSCAN(min_cluster_size=min_cluster_size, min_samples=min_samples, reproducible=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels: Labels = model.fit(np.ascontiguousarray(vectors)).labels_.astype(np.int32)
    return labels


def _follow_neighbours(vectors: Vectors, min_cluster_size: int, min_samples: int, seed: int) -> Labels:
    """Over the graph of nearest neighbours: what no chain of neighbours joins is apart at any distance.

    Of fast_hdbscan's own graph the same vectors give another one each time, and each process compiles for it anew.
    """
    import fast_hdbscan

    from clusterworker import jit_cache

    jit_cache.enable()
    count = min(max(3 * min_samples, LEAST_NEIGHBOURS), len(vectors) - 1)
    graph = neighbour_graph(vectors, count, seed)
    model = fast_hdbscan.HDBSCAN(
        min_cluster_size=min_cluster_size, min_samples=min_samples, metric="precomputed", algorithm="kruskal"
    )
    labels: Labels = model.fit(graph).labels_.astype(np.int32)
    return labels
