"""EVōC: the node embedding of the neighbour graph, and clusters of several granularities in it.

Its steps come from `node_embedding`, the spanning tree from `density`, and the layers from `layers`.
"""

import numpy as np

from clustercontract.algorithms import EVoC
from clusterworker.clustering.algorithms.clustering import Clustering, LayeredClusters, labelled
from clusterworker.clustering.algorithms.density import spanning_tree
from clusterworker.clustering.algorithms.density_tree import SpanningTree
from clusterworker.clustering.algorithms.distinct import Distinct, distinct
from clusterworker.clustering.algorithms.layers import Layers, layers_of, size_for
from clusterworker.clustering.algorithms.node_embedding import FEWEST_ROWS, Layout, embed
from clusterworker.clustering.algorithms.reduction import NODES, refuse_without_memory
from clusterworker.clustering.algorithms.task import Task


def evoc(task: Task, parameters: EVoC) -> Clustering:
    """Cluster at several granularities; documents in no dense region are noise.

    Raises:
        MisconfiguredError: base_min_cluster_size or a number of clusters is more than there are documents, or the
            container has too little memory.
    """
    for name in ("base_min_cluster_size", "base_n_clusters", "approx_n_clusters"):
        task.refuse_above_documents(name, getattr(parameters, name))
    vectors = task.dataset.vectors
    notes: list[str] = []
    points = _laid_out(task, distinct(vectors), parameters, notes)
    tree = spanning_tree(points, min(parameters.min_samples, len(vectors)), task.seed)
    found, size = _layers(tree, parameters)
    if not found.layers:
        notes.append(_advice(tree, parameters, size))
        return labelled(vectors, np.full(len(vectors), -1, np.int32), task.metric, notes=notes)
    chosen = _chosen(found, parameters, notes)
    result = labelled(vectors, points.spread(found.layers[chosen].labels), task.metric, notes=notes)
    result.layered = LayeredClusters(
        labels=[points.spread(layer.labels) for layer in found.layers],
        persistence=[layer.persistence for layer in found.layers],
        parents=found.parents,
        chosen=chosen,
    )
    return result


def _laid_out(task: Task, points: Distinct, parameters: EVoC, notes: list[str]) -> Distinct:
    """Where clusters are looked for: what is too small for a layout stays as it is."""
    rows = len(points)
    if rows < FEWEST_ROWS:
        notes.append(f"clustered as they are: {rows} {points.noun} are too few for {NODES}, which needs {FEWEST_ROWS}")
        return points
    how = Layout(parameters.n_neighbors, parameters.noise_level, parameters.n_epochs, parameters.neighbor_scale)
    if how.neighbours >= rows:
        notes.append(f"n_neighbors {rows - 1} instead of {how.neighbours}: there are {rows} {points.noun}")
    refuse_without_memory(task, points, how.neighbours)
    components = parameters.node_embedding_dim or min(max(parameters.n_neighbors // 4, 4), 15)
    layout = embed(points.vectors, components, task.metric, task.seed, how=how, told=task.progress.advance)
    return Distinct(layout, points.numbers, points.counts)


def _layers(tree: SpanningTree, parameters: EVoC) -> tuple[Layers, int]:
    """The layers, and the least size of a cluster in the finest."""
    wanted = parameters.approx_n_clusters or parameters.base_n_clusters
    size = size_for(tree, wanted) if wanted else parameters.base_min_cluster_size
    most = 1 if parameters.approx_n_clusters else parameters.max_layers
    return layers_of(tree, size, most=most, alike=parameters.min_similarity_threshold), size


def _chosen(found: Layers, parameters: EVoC, notes: list[str]) -> int:
    """Number of the layer that the run's clusters are; says which there are."""
    last, wanted = len(found.layers) - 1, parameters.layer
    chosen = found.most_persistent if wanted is None else min(wanted, last)
    if last == 0:
        return chosen
    counts = ", ".join(f"{layer.clusters:,}" for layer in found.layers)
    why = "the most persistent one" if wanted is None else "as asked for"
    if wanted is not None and wanted > last:
        why = f"since there is no layer {wanted}"
    notes.append(
        f"{last + 1} layers of {counts} clusters, the finest first: the run's clusters are layer {chosen}, {why}"
    )
    return chosen


def _advice(tree: SpanningTree, parameters: EVoC, size: int) -> str:
    """What to set, each of it tried."""
    said = "no cluster found, all documents are noise: nothing splits them into two groups of "
    said += f"base_min_cluster_size: {size}"
    while size > 2:
        size //= 2
        found = layers_of(tree, size, most=1, alike=parameters.min_similarity_threshold).layers
        if found:
            return f"{said}; set base_min_cluster_size: {size}, which finds {found[0].clusters}"
    return said
