"""HDBSCAN (Campello, Moulavi and Sander 2013): the spanning tree, from all pairs, a k-d tree or near neighbours."""

from collections.abc import Callable

import numpy as np
from scipy import sparse

from clustercontract.algorithms import HDBSCAN
from clusterworker.clustering.algorithms.boruvka import reachability_tree
from clusterworker.clustering.algorithms.clustering import Clustering
from clusterworker.clustering.algorithms.core_distance import core_distances
from clusterworker.clustering.algorithms.density_tree import LEAST_DISTANCE, SpanningTree, extract
from clusterworker.clustering.algorithms.distinct import Distinct, distinct
from clusterworker.clustering.algorithms.frame import Frame
from clusterworker.clustering.algorithms.neighbours import nearest_neighbours
from clusterworker.clustering.algorithms.pairs import Pairs
from clusterworker.clustering.algorithms.reduction import FEW_DIMENSIONS, reduced_space, reduction_need
from clusterworker.clustering.algorithms.sample import Least, Need, all_or_sample, of_sample
from clusterworker.clustering.algorithms.task import SampleTask, Task, lowered_to_documents
from clusterworker.data.arrays import NOISE, Labels, Vectors

EXACT_ROWS = 2_000
"""Number of vectors with many dimensions up to which all pairs are compared; memory grows with the square."""
BYTES_PER_NEIGHBOUR, BYTES_OF_TREE = 60, 700
"""Peak bytes for each vector; slightly more than measured for 20,000 documents."""
LEAST_NEIGHBOURS = 15
"""Bytes for each vector in the graph, and three for each of `min_samples`, as in fast_hdbscan."""


def hdbscan(task: Task, parameters: HDBSCAN) -> Clustering:
    """Clusters by density; documents in no dense region are noise.

    Raises:
        MisconfiguredError: min_cluster_size is more than there are documents.
    """
    task.refuse_above_documents("min_cluster_size", parameters.min_cluster_size)
    found = all_or_sample(task, *_plan(parameters, task.dataset.rows, task.dataset.dimensions))
    found.notes += lowered_to_documents("min_samples", parameters.min_samples, task.dataset.rows)
    return found


def hdbscan_of_sample(task: SampleTask, parameters: HDBSCAN) -> Clustering:
    """Clusters a sample by density; the others join the cluster of their nearest sampled neighbour, or are noise.

    Raises:
        MisconfiguredError: see `hdbscan` and `of_sample`.
    """
    task.refuse_above_documents("min_cluster_size", parameters.min_cluster_size)
    found = of_sample(task, *_plan(parameters, task.documents.rows, task.documents.dimensions))
    found.notes += lowered_to_documents("min_samples", parameters.min_samples, task.documents.rows)
    return found


def _plan(parameters: HDBSCAN, rows: int, dimensions: int) -> tuple[Need, Least, Callable[[Task, int], Clustering]]:
    """Returns the arguments of `all_or_sample` and `of_sample`: needed memory, least size, and how to cluster."""
    samples = _samples(parameters, rows)

    def cluster(part: Task, size: int) -> Clustering:
        return _cluster(part, parameters.model_copy(update={"min_cluster_size": size, "min_samples": samples}))

    need = reduction_need(parameters, dimensions) or _graph_need(dimensions, samples)
    return need, Least("min_cluster_size", parameters.min_cluster_size), cluster


def _graph_need(dimensions: int, min_samples: int) -> Need:
    """Returns the memory of the spanning tree of vectors that are not reduced."""
    per_neighbour = BYTES_PER_NEIGHBOUR * _neighbours(min_samples) if dimensions > FEW_DIMENSIONS else 0
    return Need("HDBSCAN", 4 * dimensions + BYTES_OF_TREE + per_neighbour)


def _cluster(task: Task, parameters: HDBSCAN) -> Clustering:
    space = reduced_space(task, parameters)
    notes = list(space.notes)
    points = distinct(space.vectors)
    tree = spanning_tree(points, _samples(parameters, len(space.vectors)), task.seed)
    labels = extract(tree, parameters.min_cluster_size, allow_single_cluster=parameters.allow_single_cluster)
    if not (labels != NOISE).any():
        notes.append(_advice(tree, parameters, len(space.vectors)))
    return space.labelled(task, points.spread(labels), notes)


def find_clusters(vectors: Vectors, parameters: HDBSCAN, seed: int) -> Labels:
    """Returns a label per vector, shape (rows,).

    Unit vectors are also compared by Euclidean distance, which orders them as cosine distance does.
    """
    points = distinct(vectors)
    tree = spanning_tree(points, _samples(parameters, len(vectors)), seed)
    single = parameters.allow_single_cluster
    return points.spread(extract(tree, parameters.min_cluster_size, allow_single_cluster=single))


def _samples(parameters: HDBSCAN, rows: int) -> int:
    return min(parameters.min_samples or parameters.min_cluster_size, rows)


def _advice(tree: SpanningTree, parameters: HDBSCAN, rows: int) -> str:
    """Returns advice that has been tried: a smaller cluster size is searched in the same tree."""
    samples, size = _samples(parameters, rows), parameters.min_cluster_size
    advice = "no cluster found, all documents are noise: set allow_single_cluster: true to make them one cluster"
    while size > 2:
        size = max(size // 2, 2)
        found = extract(tree, size)
        if clusters := len(np.unique(found[found != NOISE])):
            return f"{advice}, or min_cluster_size: {size} with min_samples: {samples}, which finds {clusters}"
    return advice


def spanning_tree(points: Distinct, min_samples: int, seed: int) -> SpanningTree:
    """Returns the minimum spanning tree of mutual reachability distances.

    Args:
        points: Distinct vectors.
        min_samples: Number of documents that make a core point, including itself, at most the number of documents.
        seed: Seed of the search for neighbours among many vectors of many dimensions.
    """
    rows, dimensions = points.vectors.shape
    if rows <= EXACT_ROWS:
        return _compare_all_pairs(points, min_samples)
    if dimensions <= FEW_DIMENSIONS and not points.copies:
        return _search_tree(points, min_samples)
    return _follow_neighbours(points, min_samples, seed)


def _compare_all_pairs(points: Distinct, min_samples: int) -> SpanningTree:
    """Computes the tree exactly, without loading numba for a short run.

    Prim's algorithm adds one vector in each step.
    """
    distances = Pairs(points.vectors, "euclidean").distances(slice(None))
    cores = np.asarray(core_distances(distances, min_samples, points.counts), np.float64)
    rows = len(points)
    ends, lengths = np.zeros((rows - 1, 2), np.int64), np.zeros(rows - 1)
    nearest, shortest = np.zeros(rows, np.int64), np.full(rows, np.inf)
    outside = np.ones(rows, bool)
    row = 0
    for step in range(rows - 1):
        outside[row] = False
        reach = np.maximum(np.maximum(distances[row], cores[row]), cores)
        nearer = outside & (reach < shortest)
        shortest[nearer], nearest[nearer] = reach[nearer], row
        shortest[row] = np.inf
        row = int(shortest.argmin())
        ends[step], lengths[step] = (nearest[row], row), shortest[row]
    return SpanningTree(ends, lengths, cores, points.counts)


def _search_tree(points: Distinct, min_samples: int) -> SpanningTree:
    """Computes the tree exactly, over a k-d tree.

    With min_samples of 1 and 2, the trees are equal, because no edge is shorter than the distance to the nearest
    neighbour.
    """
    frame = Frame.of(points.vectors)
    ends, lengths = reachability_tree(np.ascontiguousarray(frame.into(points.vectors)), max(min_samples, 2))
    lengths /= frame.scale if frame.needed else 1.0
    return SpanningTree(ends, lengths, np.zeros(len(points)), points.counts)


def _neighbours(min_samples: int) -> int:
    return max(3 * min_samples, LEAST_NEIGHBOURS)


def _follow_neighbours(points: Distinct, min_samples: int, seed: int) -> SpanningTree:
    """Computes the tree from the graph of nearest neighbours.

    Vectors that no chain of neighbours connects are separate at any distance.
    """
    rows = len(points)
    count = min(_neighbours(min_samples), rows - 1) + 1
    indices, distances = nearest_neighbours(points.vectors, count, "euclidean", seed)
    reached = points.counts[indices].cumsum(axis=1) >= min_samples
    cores = np.take_along_axis(distances, reached.argmax(axis=1)[:, None], axis=1)[:, 0].astype(np.float64)
    cores[~reached.any(axis=1)] = np.inf
    reach = np.maximum(np.maximum(distances, cores[:, None]), cores[indices])
    np.maximum(reach, LEAST_DISTANCE, out=reach)  # A stored 0 would not be an edge.
    known = np.isfinite(reach)
    known[:, 0] = False  # The first neighbour is the vector itself.
    ends = np.r_[0, known.sum(axis=1).cumsum()]
    graph = sparse.csr_array((reach[known], indices[known], ends), shape=(rows, rows))
    forest = sparse.csgraph.minimum_spanning_tree(graph).tocoo()
    _, parts = sparse.csgraph.connected_components(forest, directed=False)
    _, first = np.unique(parts, return_index=True)
    bridges = np.stack([np.full(len(first) - 1, first[0]), first[1:]], axis=1)
    edges = np.concatenate([np.stack([forest.row, forest.col], axis=1), bridges]).astype(np.int64)
    lengths = np.concatenate([forest.data, np.full(len(bridges), np.inf)])
    return SpanningTree(edges, lengths, cores, points.counts)
