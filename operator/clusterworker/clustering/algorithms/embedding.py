"""Fewer dimensions by UMAP (McInnes, Healy and Melville 2018): the only place that calls it.

The image's JIT cache (``clusterworker.process.warm``) holds what this call compiles: float32 vectors, neighbours given,
a seed. Change the call, and what warm.py calls must change with it; or let warm.py call `embed` itself.

Neighbours come from faiss, exact up to 50,000 documents, which also spares numba the compilation of UMAP's own search.
With a seed UMAP's layout is single-threaded; without one, two threads took the same CPU time at 3,000 documents (3 s)
and at 20,000 (45 s). The same spec giving the same clusters is worth more than what wall time a second thread saves.
"""

import warnings

import numpy as np

from clusterworker.clustering.algorithms.neighbours import nearest_neighbours
from clusterworker.clustering.algorithms.start import placed
from clusterworker.data.arrays import Vectors

NEIGHBOURS = 15
"""scikit-learn style default of UMAP: how wide each document looks around."""
FEWEST_ROWS = 40
"""Below it, UMAP's layout says nothing."""
BYTES_PER_NEIGHBOUR = 160
"""Of the search for neighbours and of the graph: a little more than was measured at 10,000 documents."""

SETTLING_RATE, SETTLING_EPOCHS = 0.01, 50
"""From the last run's positions only little is moved: see node_embedding."""


def bytes_per_vector(dimensions: int) -> int:
    """What `embed` takes at its peak for each vector: a copy of it for faiss, its neighbours and their edges."""
    return 4 * dimensions + BYTES_PER_NEIGHBOUR * NEIGHBOURS


def most_components(rows: int) -> int:
    """In how many dimensions UMAP can lay out so many rows: it starts from one eigenvector more of so many."""
    return rows - 2


def embed(
    vectors: Vectors,
    components: int,
    metric: str,
    seed: int,
    *,
    min_dist: float = 0.0,
    epochs: int | None = None,
    last: Vectors | None = None,
) -> Vectors:
    """Map vectors to a few dimensions that keep neighbours together.

    Args:
        vectors: shape (rows, dimensions), at least FEWEST_ROWS; of unit length with metric cosine.
        components: dimensions of the result, at most `most_components`.
        metric: cosine or euclidean.
        seed: of the layout.
        min_dist: how close points may lie; 0 to look for clusters, 0.1 to look at them.
        epochs: passes of the layout; default UMAP's own choice (500 up to 10,000 rows, 200 above).
        last: positions to start from, shape (rows, components), NaN where there is none; default UMAP's own.

    Returns:
        Shape (rows, components).
    """
    import umap

    from clusterworker.process import jit_cache

    jit_cache.enable()
    neighbours = min(NEIGHBOURS, len(vectors) - 1)
    indices, distances = nearest_neighbours(vectors, neighbours, metric, seed)
    reducer = umap.UMAP(
        n_neighbors=neighbours,
        n_components=components,
        min_dist=min_dist,
        metric=metric,
        n_epochs=epochs if last is None else SETTLING_EPOCHS,
        learning_rate=1.0 if last is None else SETTLING_RATE,
        init="spectral" if last is None else placed(last, indices, seed),
        random_state=seed % 2**32,
        n_jobs=1,
        precomputed_knn=(indices, distances, None),
        force_approximation_algorithm=True,  # otherwise UMAP ignores the neighbours below 4,096 rows
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no transform of new data, single thread: both are meant
        layout: Vectors = np.ascontiguousarray(reducer.fit_transform(vectors), np.float32)
    return layout
