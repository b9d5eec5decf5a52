"""k-means: faiss's Lloyd iterations from k-means++ centroids of a subsample.

Starting points are what k-means stands or falls with: faiss's own random start ends 7 % worse, and k-means++ over all
vectors costs more than the iterations. So k-means++ (Arthur and Vassilvitskii 2007, scikit-learn's) runs on a
subsample, a few times, and the best of them, after a few iterations there, starts the training.
"""

from typing import Any

import faiss
import numpy as np
from sklearn.cluster import kmeans_plusplus

from clustertrigger.api.run import KMeans
from clusterworker.algorithms.clustering import Clustering, by_size, means
from clusterworker.algorithms.nearest import NearestCentroid
from clusterworker.algorithms.task import refuse_above_documents
from clusterworker.arrays import Vectors
from clusterworker.dataset import SpooledDataset, StreamedDataset, sample

START_ROWS = 5_000
"""Size of the subsample that starting points come from, at least two rows per cluster."""
STARTS = ((50, 10), (1_000, 2))
"""How many starts are tried up to how many clusters. Above, one must do, with one candidate per step of k-means++,
whose cost grows with the square of n_clusters here."""
EARLY_STOP = 5e-4
"""Stop when an iteration lowers the objective by less than this share."""
ROWS_PER_CENTROID = 256
"""Training rows per centroid of a streamed data set: more do not lower the inertia measurably."""


def kmeans(dataset: SpooledDataset | StreamedDataset, parameters: KMeans, metric: str, seed: int) -> Clustering:
    """Cluster by k-means; spherical with metric cosine.

    A streamed data set is trained on a sample, and its assignment is left to the pass that writes the results.

    Args:
        dataset: at least n_clusters documents.
        parameters: n_clusters, max_iter.
        metric: cosine or euclidean.
        seed: of all random choices.

    Raises:
        MisconfiguredError: more clusters than documents.
    """
    wanted = parameters.n_clusters
    refuse_above_documents("n_clusters", wanted, dataset.rows)
    if isinstance(dataset, SpooledDataset):
        training, notes = dataset.vectors, []
    else:
        _, training = sample(dataset, wanted * ROWS_PER_CENTROID, seed)
        notes = [
            f"trained on a sample of {len(training)} of {dataset.rows} documents, then all were assigned to the nearest"
        ]
    trained = train(training, wanted, parameters.max_iter, metric, seed)
    nearest = NearestCentroid(trained)(training)
    labels = by_size(nearest)
    clusters = int(labels.max()) + 1
    if clusters < wanted:
        notes.append(f"{clusters} clusters instead of {wanted}: the documents have only so many distinct vectors")
    _, members = np.unique(labels, return_index=True)
    return Clustering(
        trained[nearest[members]],
        means(training, labels),
        labels if isinstance(dataset, SpooledDataset) else None,
        has_inertia=True,
        notes=notes,
    )


def train(vectors: Vectors, clusters: int, iterations: int, metric: str, seed: int) -> Vectors:
    """Return k-means centroids, shape (clusters, dimensions)."""
    generator = np.random.default_rng(seed)
    rows = min(len(vectors), max(START_ROWS, 2 * clusters))
    start = vectors[np.sort(generator.choice(len(vectors), rows, replace=False))]
    starts = next((starts for most, starts in STARTS if clusters <= most), 1)
    trials = 1 if starts == 1 else None
    best, best_objective = None, np.inf
    for _ in range(starts):
        state = int(generator.integers(2**31))
        first, _ = kmeans_plusplus(start, clusters, random_state=state, n_local_trials=trials)
        centroids, objective = _lloyd(start, first, 10, metric, seed)
        if objective < best_objective:
            best, best_objective = centroids, objective
    assert best is not None  # noqa: S101 - at least one start, and objectives are finite
    return _lloyd(vectors, best, iterations, metric, seed)[0]


def _lloyd(vectors: Vectors, first: Vectors, iterations: int, metric: str, seed: int) -> tuple[Vectors, float]:
    """Return centroids after some iterations, and the sum of squared distances."""
    clusters, dimensions = first.shape
    training = faiss.Clustering(dimensions, clusters)
    training.niter = iterations
    training.seed = seed % 2**31
    training.spherical = metric == "cosine"
    training.min_points_per_centroid = 1
    training.max_points_per_centroid = len(vectors)
    training.early_stop_threshold = EARLY_STOP
    faiss.copy_array_to_vector(np.ascontiguousarray(first, np.float32).ravel(), training.centroids)
    training.train(np.ascontiguousarray(vectors), faiss.IndexFlatL2(dimensions))
    centroids = faiss.vector_to_array(training.centroids).reshape(clusters, dimensions)
    statistics: Any = training.iteration_stats
    return centroids, float(statistics.at(statistics.size() - 1).obj)
