"""Spectral clustering (Ng, Jordan and Weiss 2001; Shi and Malik 2000), on micro-clusters above a limit."""

import warnings

import numpy as np

from clustercontract.algorithms import Spectral
from clustercontract.counted import counted
from clusterworker.clustering.algorithms.clustering import Clustering, labelled, too_few_distinct
from clusterworker.clustering.algorithms.core_distance import as_digits
from clusterworker.clustering.algorithms.distinct import distinct
from clusterworker.clustering.algorithms.eigenvectors import eigenvectors
from clusterworker.clustering.algorithms.limits import pair_limit
from clusterworker.clustering.algorithms.micro import (
    MICRO_CLUSTERS,
    clustering_of,
    micro_clusters_of,
    micro_clusters_of_sample,
    note,
)
from clusterworker.clustering.algorithms.pairs import Pairs
from clusterworker.clustering.algorithms.similarity import (
    Graph,
    Similarity,
    connected_parts,
    neighbour_graph,
    rbf,
)
from clusterworker.clustering.algorithms.task import SampleTask, Task
from clusterworker.data.arrays import Flags, Labels, Rows, Vectors
from clusterworker.process.errors import MisconfiguredError

MOST_DOCUMENTS = 10_000
BYTES_PER_PAIR = 4
BLOCK_BYTES = 64 << 20
ADVICE_ROWS = 500
ALIKE = 0.01
"""Value of gamma · median² below which the similarity of most pairs is 1, and documents are nearly equal."""
ALONE = 1e-3
"""Sum of a document's similarities to all others below which it is similar to none."""
FEW_ALONE = 0.1
"""Share of documents without connections up to which they are outliers, which no other gamma would connect."""
STARTS = 10
"""Number of starts of k-means on the eigenvectors, scikit-learn's default."""


def spectral(task: Task, parameters: Spectral) -> Clustering:
    """Clusters with k-means on the leading eigenvectors of the similarity graph.

    Raises:
        MisconfiguredError: more clusters than documents, or than micro-clusters.
    """
    n_clusters = parameters.n_clusters
    task.refuse_above_documents("n_clusters", n_clusters)
    vectors = task.dataset.vectors
    notes: list[str] = []
    limit = pair_limit(task.memory, BYTES_PER_PAIR, MOST_DOCUMENTS)
    if len(vectors) <= limit:
        labels = partition(task.dataset.differences, parameters, task.metric, task.seed, notes)
    else:
        micro = micro_clusters_of(task, _micro_count(n_clusters, limit))
        notes.append(note(len(vectors), limit, micro))
        labels = micro.spread(partition(micro.centroids, parameters, task.metric, task.seed, notes))
    return labelled(vectors, labels, task.metric, notes=notes)


def spectral_of_sample(task: SampleTask, parameters: Spectral) -> Clustering:
    """Clusters the micro-clusters of a sample.

    Raises:
        MisconfiguredError: see `spectral`.
    """
    n_clusters = parameters.n_clusters
    task.refuse_above_documents("n_clusters", n_clusters)
    limit = pair_limit(task.memory, BYTES_PER_PAIR, MOST_DOCUMENTS)
    micro, training = micro_clusters_of_sample(task, _micro_count(n_clusters, limit))
    notes: list[str] = []
    labels = partition(micro.centroids, parameters, task.metric, task.seed, notes)
    return clustering_of(task, training, micro, labels, notes)


def _micro_count(n_clusters: int, limit: int) -> int:
    """Returns how many micro-clusters are computed.

    Raises:
        MisconfiguredError: not more than the requested clusters.
    """
    count = min(limit, max(MICRO_CLUSTERS, 4 * n_clusters))
    if n_clusters >= count:
        raise MisconfiguredError(
            f"n_clusters {n_clusters} exceeds the maximum of spectral ({limit}): "
            "lower n_clusters, or use algorithm: kmeans"
        )
    return count


def partition(vectors: Vectors, parameters: Spectral, metric: str, seed: int, notes: list[str]) -> Labels:
    """Returns a label per vector, shape (rows,), and adds notes for users."""
    from sklearn.cluster import k_means
    from sklearn.exceptions import ConvergenceWarning

    n_clusters = parameters.n_clusters
    points = distinct(vectors)
    if n_clusters == 1:
        return np.zeros(len(vectors), np.int32)
    if n_clusters >= len(points):
        labels = points.spread(np.arange(len(points), dtype=np.int32))
        notes += too_few_distinct(labels, n_clusters, vectors)
        return labels
    graph: Graph | None = None
    if parameters.affinity == "rbf":
        pairs = Pairs(points.vectors, "euclidean")
        dense = rbf(pairs, parameters.gamma)
        graph = Graph.of(dense, points.counts)
        similarity: Similarity = dense
        parts = graph.parts
    else:
        neighbours = min(parameters.n_neighbors, len(points))
        if neighbours < parameters.n_neighbors:
            notes.append(
                f"n_neighbors is {neighbours} instead of {parameters.n_neighbors}, because there are {neighbours} "
                f"{points.noun}"
            )
        similarity = neighbour_graph(points.vectors, neighbours, metric, seed)
        parts = connected_parts(similarity, points.counts)
        if parts.max() > 0:
            notes.append(
                f"the graph of nearest neighbours has {parts.max() + 1} separate parts: raise n_neighbors to connect "
                "them"
            )
    embedding = eigenvectors(similarity, points.counts, parts, n_clusters, seed)
    if graph is not None:
        embedding[graph.weak] = 0  # As in scikit-learn; k-means gives them a cluster of their own if one is left.
    with warnings.catch_warnings():
        # There are fewer clusters than requested, which is reported below.
        warnings.simplefilter("ignore", ConvergenceWarning)
        _, found, _ = k_means(
            embedding, n_clusters, sample_weight=points.counts, random_state=seed % 2**32, n_init=STARTS
        )
    if graph is not None:
        joined = join_nearest(found, graph.weak, pairs)
        advice = gamma_advice(pairs, points.counts, parameters, graph, dense, seed)
        notes += advice
        if joined and not advice:
            are, join = ("is", "joins") if joined == 1 else ("are", "join")
            notes.append(
                f"{counted(joined, 'document')} {are} far from all others, and {join} the cluster of the nearest "
                "document: with a higher n_clusters, outliers get a cluster of their own"
            )
    clusters = len(np.unique(found))
    if clusters < n_clusters:
        notes.append(
            f"{counted(clusters, 'cluster')} instead of {n_clusters:,}: the graph has no more separable clusters"
        )
    return points.spread(np.asarray(found, np.int32))


def gamma_advice(
    pairs: Pairs, counts: Rows, parameters: Spectral, graph: Graph, scratch: Vectors, seed: int
) -> list[str]:
    """Returns advice, which has been tried, if gamma makes all documents similar, or many of them similar to no other.

    Args:
        pairs: Pairs of distinct vectors.
        counts: Documents per vector.
        parameters: gamma and n_clusters.
        graph: The graph with this gamma.
        scratch: Array of the shape of the similarities, which is overwritten.
        seed: Seed of the sample whose distances are measured.
    """
    n_clusters, gamma = parameters.n_clusters, parameters.gamma
    chosen = np.sort(np.random.default_rng(seed).choice(len(pairs), min(ADVICE_ROWS, len(pairs)), replace=False))
    distances = pairs.distances(chosen)
    median = float(np.median(distances[distances > 0]))
    outcome = ""
    if graph.groups > n_clusters:
        outcome = f"splits the graph into {graph.groups} groups without connections"
    elif graph.median_degree < ALONE:
        outcome = "makes most documents dissimilar to all others"
    elif graph.unconnected > FEW_ALONE:
        outcome = f"leaves {graph.unconnected:.0%} of the documents without connections"
    elif gamma * median**2 < ALIKE:
        outcome = "makes nearly all documents similar"
    if not outcome:
        return []
    suggested = float(f"{1 / median**2:.3g}")
    tried = Graph.of(rbf(pairs, suggested, scratch), counts)
    if graph.groups <= n_clusters and tried.unconnected > FEW_ALONE:
        return []
    finding = f"gamma {gamma:g} {outcome}: the median distance is {median:.3g}"
    if tried.groups <= n_clusters:
        return [f"{finding}, which suggests gamma: {as_digits(suggested)}"]
    if tried.groups < graph.groups:
        fewer = f"gamma: {as_digits(suggested)} leaves {tried.groups} groups"
        return [f"{finding}, and {fewer}: set it, and n_clusters: {tried.groups}"]
    return [f"{finding}, and no useful gamma connects them: set n_clusters: {graph.groups}"]


def join_nearest(labels: Labels, weak: Flags, pairs: Pairs) -> int:
    """Gives documents that are nearly similar to none the cluster of the nearest other one, in place.

    Those that k-means has put into a cluster of their own stay there.

    Args:
        labels: Cluster of each row, shape (rows,).
        weak: Which rows are nearly similar to none, shape (rows,).
        pairs: Distances of the rows.

    Returns:
        How many have joined a cluster.
    """
    strong = np.flatnonzero(~weak)
    rows = np.flatnonzero(weak & np.isin(labels, labels[strong]))
    size = pairs.block(BLOCK_BYTES)
    for first in range(0, len(rows), size):
        part = rows[first : first + size]
        labels[part] = labels[strong[pairs.squares(part)[:, strong].argmin(axis=1)]]
    return len(rows)
