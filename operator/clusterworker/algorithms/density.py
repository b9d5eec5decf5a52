"""HDBSCAN (Campello, Moulavi and Sander 2013) by fast_hdbscan, on vectors reduced by UMAP.

On raw text embeddings HDBSCAN of any implementation finds two clusters: with hundreds of dimensions all distances
look alike. So `reduce: auto` maps them to a few dimensions first.
"""

import warnings

import numpy as np

from clustertrigger.api.run import HDBSCAN
from clusterworker.algorithms.clustering import Clustering, by_size, centroids_of, means
from clusterworker.algorithms.embedding import FEWEST_ROWS, embed
from clusterworker.arrays import Labels, Vectors
from clusterworker.dataset import SpooledDataset
from clusterworker.errors import MisconfiguredError
from clusterworker.progress import Progress

FEW_DIMENSIONS = 15
"""Up to here `reduce: auto` clusters the vectors themselves."""
EXACT_ROWS = 2_000
"""Up to here, vectors of many dimensions are compared pair by pair: memory grows with the square."""


def hdbscan(dataset: SpooledDataset, parameters: HDBSCAN, metric: str, seed: int, progress: Progress) -> Clustering:
    """Cluster by density; documents in no dense region are noise.

    Args:
        dataset: the documents.
        parameters: min_cluster_size, min_samples, reduce, n_components.
        metric: cosine or euclidean.
        seed: of the reduction.
        progress: told which step is on.

    Raises:
        MisconfiguredError: min_cluster_size is more than there are documents.
    """
    if parameters.min_cluster_size > dataset.rows:
        raise MisconfiguredError(
            f"min_cluster_size {parameters.min_cluster_size} is more than the {dataset.rows} documents: "
            "lower min_cluster_size, or add documents"
        )
    reduced, notes = _reduce(dataset, parameters, metric, seed, progress)
    labels = by_size(find_clusters(dataset.vectors if reduced is None else reduced, parameters))
    if not (labels >= 0).any():
        notes.append("no cluster found, all documents are noise: lower min_cluster_size or min_samples")
    mean = means(dataset.vectors, labels)
    return Clustering(centroids_of(mean, metric), mean, labels, notes=notes)


def find_clusters(vectors: Vectors, parameters: HDBSCAN) -> Labels:
    """Return a label per vector, shape (rows,).

    Euclidean distance is meant for unit vectors too: it orders them as cosine distance does.
    """
    rows, dimensions = vectors.shape
    min_samples = min(parameters.min_samples or parameters.min_cluster_size, rows - 1)
    if dimensions > FEW_DIMENSIONS and rows <= EXACT_ROWS:
        return _compare_all_pairs(vectors, parameters.min_cluster_size, min_samples)
    return _search_tree(vectors, parameters.min_cluster_size, min_samples)


def _compare_all_pairs(vectors: Vectors, min_cluster_size: int, min_samples: int) -> Labels:
    """Exact, and spares a short run the compilation of fast_hdbscan's approximate search in many dimensions."""
    from sklearn import cluster

    model = cluster.HDBSCAN(
        min_cluster_size=min_cluster_size, min_samples=max(min_samples, 1), algorithm="brute", copy=True
    )
    labels: Labels = model.fit(vectors).labels_.astype(np.int32)
    return labels


def _search_tree(vectors: Vectors, min_cluster_size: int, min_samples: int) -> Labels:
    """By a k-d tree in few dimensions, by nearest-neighbour descent in many: the only call of fast_hdbscan.

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


def _reduce(
    dataset: SpooledDataset, parameters: HDBSCAN, metric: str, seed: int, progress: Progress
) -> tuple[Vectors | None, list[str]]:
    wanted = parameters.reduce == "umap" or (parameters.reduce == "auto" and dataset.dimensions > FEW_DIMENSIONS)
    components = parameters.n_components
    if not wanted or components >= dataset.dimensions:
        return None, []
    if dataset.rows < FEWEST_ROWS:
        return None, [f"not reduced: {dataset.rows} documents are too few for UMAP, which needs {FEWEST_ROWS}"]
    progress.info(f"reducing {dataset.dimensions} to {components} dimensions by UMAP")
    reduced = embed(dataset.vectors, components, metric, seed)
    return reduced, [f"clustered after UMAP from {dataset.dimensions} to {components} dimensions"]
