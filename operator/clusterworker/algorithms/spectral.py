"""Spectral clustering (Ng, Jordan and Weiss 2001; Shi and Malik 2000), on micro-clusters above a limit."""

from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from clustertrigger.api.run import Spectral
from clusterworker.algorithms.clustering import Clustering, labelled
from clusterworker.algorithms.limits import pair_limit
from clusterworker.algorithms.micro import MICRO_CLUSTERS, micro_clusters, note
from clusterworker.algorithms.neighbours import nearest_neighbours
from clusterworker.algorithms.pairs import Pairs
from clusterworker.algorithms.task import Task
from clusterworker.arrays import Doubles, Labels, Vectors
from clusterworker.errors import MisconfiguredError

MOST_DOCUMENTS = 10_000
BYTES_PER_PAIR = 4
BLOCK_BYTES = 64 << 20
STARTS = 10
"""Starts of k-means on the eigenvectors, scikit-learn's default."""

Similarity = Vectors | sparse.csr_array


def spectral(task: Task, parameters: Spectral) -> Clustering:
    """Cluster by k-means on the leading eigenvectors of the similarity graph.

    Raises:
        MisconfiguredError: more clusters than documents, or than micro-clusters.
    """
    wanted = parameters.n_clusters
    task.refuse_above_documents("n_clusters", wanted)
    vectors = task.dataset.vectors
    notes: list[str] = []
    limit = pair_limit(task.memory, BYTES_PER_PAIR, MOST_DOCUMENTS)
    if len(vectors) <= limit:
        labels = partition(vectors, parameters, task.metric, task.seed, notes)
    else:
        count = min(limit, max(MICRO_CLUSTERS, 4 * wanted))
        if wanted >= count:
            raise MisconfiguredError(
                f"n_clusters {wanted} is more than spectral can tell apart ({limit} at most): "
                "lower n_clusters, or use algorithm: kmeans"
            )
        micro = micro_clusters(vectors, count, task.metric, task.seed)
        notes.append(note(len(vectors), limit, micro))
        labels = micro.spread(partition(micro.centroids, parameters, task.metric, task.seed, notes))
    return labelled(vectors, labels, task.metric, notes=notes)


def partition(vectors: Vectors, parameters: Spectral, metric: str, seed: int, notes: list[str]) -> Labels:
    """Return a label per vector, shape (rows,); adds to the notes what users should know."""
    from sklearn.cluster import k_means

    wanted = parameters.n_clusters
    if wanted >= len(vectors) or wanted == 1:
        return np.arange(len(vectors), dtype=np.int32) if wanted > 1 else np.zeros(len(vectors), np.int32)
    if parameters.affinity == "rbf":
        similarity: Similarity = rbf(vectors, parameters.gamma)
    else:
        similarity = neighbour_graph(vectors, min(parameters.n_neighbors, len(vectors)), metric, seed)
        parts = sparse.csgraph.connected_components(similarity, directed=False)[0]
        if parts > 1:
            notes.append(f"the graph of nearest neighbours falls into {parts} parts: raise n_neighbors to connect them")
    embedding = eigenvectors(similarity, wanted, seed)
    _, labels, _ = k_means(embedding, wanted, random_state=seed % 2**32, n_init=STARTS)
    return np.asarray(labels, np.int32)


def rbf(vectors: Vectors, gamma: float) -> Vectors:
    """exp(-gamma ‖a - b‖²) of all pairs, shape (rows, rows)."""
    pairs = Pairs(vectors, "euclidean")
    similarity = np.empty((len(pairs), len(pairs)), np.float32)
    size = pairs.block(BLOCK_BYTES)
    for first in range(0, len(pairs), size):
        block = pairs.distances(slice(first, first + size))
        np.exp(-gamma * np.square(block, out=block), out=similarity[first : first + size])
    return similarity


def neighbour_graph(vectors: Vectors, count: int, metric: str, seed: int) -> sparse.csr_array:
    """1 where each of two is among the other's nearest, ½ where one is, the vector itself included."""
    indices, _ = nearest_neighbours(vectors, count, metric, seed)
    rows = np.repeat(np.arange(len(vectors)), count)
    shape = (len(vectors), len(vectors))
    graph = sparse.csr_array((np.ones(rows.size, np.float32), (rows, indices.ravel())), shape=shape)
    return sparse.csr_array((graph + graph.T) * np.float32(0.5))


def eigenvectors(similarity: Similarity, count: int, seed: int) -> Doubles:
    """Leading eigenvectors of the normalised similarity, as scikit-learn's `spectral_embedding` scales them.

    A graph in several parts has the eigenvalue 1 once per part, which Lanczos iterations cannot tell apart: so each
    part of a sparse graph is solved by itself.

    Args:
        similarity: symmetric, shape (rows, rows).
        count: how many, less than rows.
        seed: of the start.

    Returns:
        Shape (rows, at most count).
    """
    if not sparse.issparse(similarity):
        return _connected_eigenvectors(similarity, count, seed)[1]
    parts = sparse.csgraph.connected_components(similarity, directed=False)[1]
    size = len(parts)
    values, columns = [], []
    for part in np.argsort(-np.bincount(parts), kind="stable"):
        rows = np.flatnonzero(parts == part)
        found, vectors = _connected_eigenvectors(similarity[rows][:, rows], count, seed)
        values.append(found)
        places = (np.repeat(rows, len(found)), np.tile(np.arange(len(found)), len(rows)))
        columns.append(sparse.csc_array((vectors.ravel(), places), shape=(size, len(found))))
    order = np.argsort(-np.round(np.concatenate(values), 9), kind="stable")[:count]
    return np.asarray(sparse.hstack(columns, format="csc")[:, order].toarray(), np.float64)


def _connected_eigenvectors(similarity: Similarity, count: int, seed: int) -> tuple[Doubles, Doubles]:
    """Largest eigenvalues, descending, and their eigenvectors; the diagonal is no edge, as in scikit-learn."""
    rows = int(similarity.shape[0])
    if rows == 1:
        return np.ones(1), np.ones((1, 1))
    diagonal = np.asarray(similarity.diagonal(), np.float64)
    degrees = np.asarray(similarity.sum(axis=1), np.float64).ravel() - diagonal
    roots = np.sqrt(np.maximum(degrees, np.finfo(np.float32).tiny))

    def times(vector: Doubles) -> Doubles:
        scaled = vector.ravel() / roots
        return (np.asarray(similarity @ scaled.astype(np.float32), np.float64) - diagonal * scaled) / roots

    normalised: Any = LinearOperator((rows, rows), matvec=times, dtype=np.float64)
    subspace = max(2 * count + 1, min(4 * count + 1, 200), 20)
    if rows <= subspace:
        values, vectors = np.linalg.eigh(normalised @ np.eye(rows))
    else:
        start = np.random.default_rng(seed).uniform(-1, 1, rows)
        try:
            values, vectors = eigsh(normalised, k=count, which="LA", v0=start, ncv=subspace, tol=1e-6)
        except ArpackNoConvergence as partly:
            values, vectors = np.asarray(partly.eigenvalues), np.asarray(partly.eigenvectors)
    leading = np.argsort(-values, kind="stable")[:count]
    return values[leading], vectors[:, leading] / roots[:, None]
