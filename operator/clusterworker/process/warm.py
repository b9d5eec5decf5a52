"""``python -m clusterworker.process.warm``: compiles what every Job would otherwise compile, while the image is built.

It calls EVōC, UMAP and fast_hdbscan as ``node_embedding``, ``embedding`` and ``boruvka`` in ``clustering.algorithms``
do: the types of the arguments determine what numba compiles, the values do not. It does not import them, so that their
sources can change without changing the image's layer of libraries; ``tests/clusterworker/process/test_warm.py``
verifies that both agree.
"""

import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import umap
from evoc.graph_construction import neighbor_graph_matrix
from evoc.label_propagation import label_propagation_init
from evoc.node_embedding import node_embedding
from fast_hdbscan.boruvka import initialize_boruvka_from_knn, merge_components, update_component_vectors
from fast_hdbscan.disjoint_set import ds_rank_create
from fast_hdbscan.numba_kdtree import build_kdtree, parallel_tree_query
from numba.core.errors import NumbaWarning

from clusterworker.process import jit_cache

DIMENSIONS = 32
TOPICS = 20
NEIGHBOURS = 15

Vectors = npt.NDArray[np.float32]


def unit_vectors(count: int, dimensions: int = DIMENSIONS) -> Vectors:
    """Returns unit vectors in well separated groups, shape (count, dimensions); the same ones every time."""
    generator = np.random.default_rng(0)
    topics = generator.normal(size=(TOPICS, dimensions))
    vectors = topics[np.arange(count) % TOPICS] + 0.3 * generator.normal(size=(count, dimensions))
    return np.ascontiguousarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def exact_neighbours(vectors: Vectors, count: int) -> tuple[npt.NDArray[np.int64], Vectors]:
    """Returns each unit vector's nearest neighbours: indices and cosine distances, both of shape (rows, count)."""
    distances = np.maximum(1 - vectors @ vectors.T, 0)
    np.fill_diagonal(distances, 0)
    indices = np.ascontiguousarray(np.argsort(distances, axis=1, kind="stable")[:, :count])
    return indices, np.take_along_axis(distances, indices, axis=1)


def reduce(vectors: Vectors, metric: str) -> Vectors:
    """Maps the vectors to five dimensions with UMAP, from given neighbours and with a seed."""
    reducer = umap.UMAP(
        n_components=5,
        n_neighbors=NEIGHBOURS,
        n_epochs=11,
        min_dist=0.0,
        metric=metric,
        random_state=0,
        n_jobs=1,
        precomputed_knn=(*exact_neighbours(vectors, NEIGHBOURS), None),
        force_approximation_algorithm=True,
    )
    return np.ascontiguousarray(reducer.fit_transform(vectors), dtype=np.float32)


def lay_out(vectors: Vectors) -> Vectors:
    """Maps the vectors to five dimensions with EVōC's node embedding, from given neighbours."""
    random = np.random.RandomState(0)
    indices, lengths = exact_neighbours(vectors, NEIGHBOURS)
    neighbours = np.ascontiguousarray(indices, np.int32), np.ascontiguousarray(lengths, np.float32)
    graph = neighbor_graph_matrix(float(NEIGHBOURS), *neighbours, True)
    start = label_propagation_init(graph, n_components=5, approx_n_parts=256, random_state=random, data=vectors)
    layout: Vectors = node_embedding(graph, n_components=5, n_epochs=5, initial_embedding=start, random_state=random)
    return layout


def cluster(vectors: Vectors) -> None:
    """Calls what HDBSCAN's spanning tree needs."""
    rows = len(vectors)
    tree = build_kdtree(vectors)
    squared, neighbours = parallel_tree_query(tree, tree.data, k=NEIGHBOURS, output_rdist=True)
    joined, parts, nodes = ds_rank_create(rows), np.arange(rows), np.full(len(tree.idx_start), -1)
    initialize_boruvka_from_knn(neighbours, squared, squared[:, -1].copy(), joined)
    update_component_vectors(tree, joined, nodes, parts)
    merge_components(joined, np.zeros(rows, np.int32), np.ones(rows, np.float32), parts)


STEPS: dict[str, Callable[[], object]] = {
    "evoc": lambda: lay_out(unit_vectors(1000)),
    "umap, cosine": lambda: reduce(unit_vectors(1000), "cosine"),
    "umap, euclidean": lambda: reduce(unit_vectors(1000), "euclidean"),
    "hdbscan": lambda: cluster(unit_vectors(2000, dimensions=5)),
}


def main() -> None:
    """Runs every step and prints its duration. The second time, each takes less than a second."""
    warnings.filterwarnings("ignore", category=NumbaWarning)
    warnings.filterwarnings("ignore", category=UserWarning, message=".*(n_jobs|precomputed_knn)")
    print(f"warm: caching {jit_cache.enable()} more functions", file=sys.stderr)  # noqa: T201 (a build step's progress)
    for name, step in STEPS.items():
        begin = time.perf_counter()
        step()
        print(f"warm: {name}: {time.perf_counter() - begin:.1f} s", file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
