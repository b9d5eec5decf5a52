"""Reduces dimensions with UMAP (McInnes, Healy and Melville 2018); no other module calls UMAP.

The image's JIT cache (``clusterworker.process.warm``) contains what this call compiles: float32 vectors, neighbours
given, a seed. If the call changes, the call in warm.py must change too. Neighbours come from faiss, exact up to 50,000
documents, so numba need not compile UMAP's own search. With a seed, UMAP's layout uses a single thread. Without one,
two threads took the same CPU time for 3,000 documents (3 s) and for 20,000 (45 s). That the same spec gives the same
clusters is worth more than the wall time that a second thread saves.
"""

import warnings

import numpy as np

from clusterworker.clustering.algorithms.neighbours import nearest_neighbours
from clusterworker.clustering.algorithms.start import LastLayout, placed
from clusterworker.data.arrays import Vectors

NEIGHBOURS = 15
"""Number of neighbours of each document, UMAP's default."""
FEWEST_ROWS = 40
"""Minimum number of rows for which UMAP's layout has a meaning."""
BYTES_PER_NEIGHBOUR = 160
"""Bytes for the search for neighbours and for the graph; slightly more than measured for 10,000 documents."""

SETTLING_RATE, SETTLING_EPOCHS = 0.01, 50
"""Learning rate for the positions of the last run, which should change little; see node_embedding."""


def bytes_per_vector(dimensions: int) -> int:
    """Returns the peak bytes of `embed` for each vector: a copy of it for faiss, its neighbours and their edges."""
    return 4 * dimensions + BYTES_PER_NEIGHBOUR * NEIGHBOURS


def most_components(rows: int) -> int:
    """Returns the number of dimensions in which UMAP can lay out this number of rows. It needs one eigenvector more."""
    return rows - 2


def embed(
    vectors: Vectors,
    components: int,
    metric: str,
    seed: int,
    *,
    min_dist: float = 0.0,
    epochs: int | None = None,
    last: LastLayout | None = None,
) -> Vectors:
    """Maps vectors to a few dimensions, so that neighbours stay together.

    Args:
        vectors: shape (rows, dimensions), at least FEWEST_ROWS; of unit length with metric cosine.
        components: Dimensions of the result, at most `most_components`.
        metric: cosine or euclidean.
        seed: Seed of the layout.
        min_dist: Minimum distance of points; 0 to find clusters, 0.1 to show them.
        epochs: Passes of the layout. Default: UMAP's own choice (500 up to 10,000 rows, 200 above).
        last: What to start from. Default: UMAP's own start.

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
        init="spectral" if last is None else placed(last.values, indices, seed),
        random_state=seed % 2**32,
        n_jobs=1,
        precomputed_knn=(indices, distances, None),
        force_approximation_algorithm=True,  # Otherwise, UMAP ignores the neighbours below 4,096 rows.
    )
    with warnings.catch_warnings():
        # UMAP warns that new data cannot be transformed and that it uses a single thread; both are intended.
        warnings.simplefilter("ignore")
        layout: Vectors = np.ascontiguousarray(reducer.fit_transform(vectors), np.float32)
    return layout if last is None else last.towards(layout)
