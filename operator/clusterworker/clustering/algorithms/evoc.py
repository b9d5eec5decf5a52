"""EVōC: clusters of several granularities in the node embedding of the neighbour graph.

The steps come from `node_embedding`, the spanning tree from `density`, and the layers from `layers`.
"""

import math

import numpy as np

from clustercontract.algorithms import EVoC
from clusterworker.clustering.algorithms.clustering import (
    Clustering,
    LayeredClusters,
    centroids_of,
    labelled,
    means,
)
from clusterworker.clustering.algorithms.density import spanning_tree
from clusterworker.clustering.algorithms.density_tree import SpanningTree, extract
from clusterworker.clustering.algorithms.distinct import Distinct, distinct
from clusterworker.clustering.algorithms.layers import Layers, layers_of, size_for
from clusterworker.clustering.algorithms.node_embedding import FEWEST_ROWS, Layout, bytes_per_vector, embed
from clusterworker.clustering.algorithms.reduction import NODES, last_layout
from clusterworker.clustering.algorithms.sample import Least, Need, all_or_sample
from clusterworker.clustering.algorithms.start import Begun, Positions
from clusterworker.clustering.algorithms.task import Task, lowered_to_documents
from clusterworker.data.arrays import NOISE, Vectors

MARGIN = 0.1
"""The layer that corresponds to the one of the previous run stays the run's layer, unless another one is more
persistent by more than this share. Therefore, a run has a dozen clusters tonight if it had a dozen last night, and not
two hundred.
"""


def evoc(task: Task, parameters: EVoC) -> Clustering:
    """Clusters at several granularities; documents in no dense region are noise.

    Raises:
        MisconfiguredError: base_min_cluster_size or a number of clusters is more than there are documents, or the
            container has too little memory.
    """
    by_number = parameters.approx_n_clusters or parameters.base_n_clusters
    for name in ("base_n_clusters", "approx_n_clusters") if by_number else ("base_min_cluster_size",):
        task.refuse_above_documents(name, getattr(parameters, name))

    def cluster(part: Task, size: int) -> Clustering:
        own = {} if by_number else {"base_min_cluster_size": size}
        return _cluster(part, parameters.model_copy(update=own))

    need = Need(NODES, bytes_per_vector(task.dataset.dimensions, parameters.n_neighbors))
    least = None if by_number else Least("base_min_cluster_size", parameters.base_min_cluster_size)
    found = all_or_sample(task, need, least, cluster)
    found.notes += lowered_to_documents("min_samples", parameters.min_samples, task.dataset.rows)
    return found


def _cluster(task: Task, parameters: EVoC) -> Clustering:
    vectors = task.dataset.vectors
    notes: list[str] = []
    own = distinct(task.dataset.differences)
    graph = Layout(parameters.n_neighbors, parameters.noise_level, parameters.n_epochs, parameters.neighbor_scale)
    layout, begun = _laid_out(task, own, graph, parameters.node_embedding_dim, notes)
    points = own if layout is None else Distinct(layout, own.numbers, own.counts)
    tree = spanning_tree(points, min(parameters.min_samples, len(vectors)), task.seed)
    found, size = _layers(tree, parameters)
    if found.layers:
        before = len(task.start.centroids) if task.start else 0
        chosen = choose(found, parameters, before, notes)
        labels = [points.spread(layer.labels) for layer in found.layers]
        result = labelled(vectors, labels[chosen], task.metric, notes=notes)
        result.layered = LayeredClusters(
            labels=labels,
            centroids=[
                result.centroids if number == chosen else centroids_of(means(vectors, layer), task.metric)
                for number, layer in enumerate(labels)
            ],
            persistence=[layer.persistence for layer in found.layers],
            parents=found.parents,
            chosen=chosen,
        )
    else:
        notes.append(_advice(tree, parameters, size, len(vectors)))
        result = labelled(vectors, np.full(len(vectors), -1, np.int32), task.metric, notes=notes)
    result.begun = begun
    if layout is not None:
        result.layout = Positions(NODES, own.spread(layout), graph.as_json())
    return result


def _laid_out(
    task: Task, points: Distinct, graph: Layout, components: int | None, notes: list[str]
) -> tuple[Vectors | None, Begun | None]:
    """Returns the vectors in which clusters are searched, and what the layout started from.

    Both are None if there are too few vectors for a layout.
    """
    rows = len(points)
    if rows < FEWEST_ROWS:
        notes.append(f"not reduced: {points.counted} {points.are} too few for {NODES}, which needs {FEWEST_ROWS}")
        return None, None
    if graph.neighbours >= rows:
        notes.append(f"n_neighbors is {rows - 1} instead of {graph.neighbours}, because there are {rows} {points.noun}")
    components = components or min(max(graph.neighbours // 4, 4), 15)
    last = last_layout(task.start, NODES, graph.as_json(), points, components)
    if last is not None and last.stays:
        notes.append(last.note)
        return last.values, Begun("last")
    layout = embed(
        points.vectors, components, task.metric, task.seed, settings=graph, on_progress=task.progress.advance, last=last
    )
    return layout, None if last is None else Begun("last")


def _layers(tree: SpanningTree, parameters: EVoC) -> tuple[Layers, int]:
    """Returns the layers, and the minimum size of a cluster in the finest one."""
    wanted = parameters.approx_n_clusters or parameters.base_n_clusters
    size = size_for(tree, wanted) if wanted else parameters.base_min_cluster_size
    most = 1 if parameters.approx_n_clusters else parameters.max_layers
    return layers_of(tree, size, most=most, alike=parameters.min_similarity_threshold), size


def choose(found: Layers, parameters: EVoC, before: int, notes: list[str]) -> int:
    """Returns the number of the run's layer, and adds a note about all layers.

    Args:
        found: The layers.
        parameters: Parameters of the run.
        before: Number of clusters of the previous run, 0 if this run does not continue from it.
        notes: Receives the note.
    """
    last, wanted = len(found.layers) - 1, parameters.layer
    chosen, why = found.most_persistent, "the most persistent one"
    if wanted is not None:
        chosen = min(wanted, last)
        why = "as requested" if wanted <= last else f"because there is no layer {wanted}"
    else:
        alike = _alike(found, before)
        if alike is not None and alike != chosen:
            chosen, why = alike, "as in the previous run"
    if last == 0:
        return chosen
    counts = ", ".join(f"{layer.clusters:,}" for layer in found.layers)
    notes.append(
        f"{last + 1} layers of {counts} clusters, the finest first: the run's clusters are layer {chosen}, {why}"
    )
    return chosen


def _alike(found: Layers, before: int) -> int | None:
    """Returns the layer with about as many clusters as in the previous run, if it is nearly the most persistent."""
    if not before:
        return None
    apart = [abs(math.log(layer.clusters / before)) for layer in found.layers]
    alike = apart.index(min(apart))
    most = found.layers[found.most_persistent].persistence
    near = apart[alike] <= math.log(2)
    return alike if near and found.layers[alike].persistence >= (1 - MARGIN) * most else None


def _advice(tree: SpanningTree, parameters: EVoC, size: int, rows: int) -> str:
    """Returns advice that has been tried."""
    message = "no cluster found, all documents are noise: nothing splits them into two groups of "
    message += f"base_min_cluster_size: {size}"
    smaller = size
    while smaller > 2:
        smaller = max(smaller // 2, 2)
        found = layers_of(tree, smaller, most=1, alike=parameters.min_similarity_threshold).layers
        if found:
            return f"{message}; set base_min_cluster_size: {smaller}, which finds {found[0].clusters}"
    whole = extract(tree, max(size, 2), allow_single_cluster=True)
    if len(np.unique(whole[whole != NOISE])) != 1:
        return f"{message}; use algorithm: kmeans to divide them"
    return (
        f"{message}; use algorithm: hdbscan with allow_single_cluster: true, min_cluster_size: {max(size, 2)} and "
        f"min_samples: {min(parameters.min_samples, rows)} to make them one cluster"
    )
