"""k-means: faiss's Lloyd iterations from starting points found on a subsample.

Starting points are what k-means stands or falls with: faiss's own random start ends 7 % worse, and k-means++ over all
vectors costs more than the iterations. So k-means++ runs on a subsample, and its outcome is improved there before the
training on all vectors begins.

Design record: docs/design/faiss.md.
"""

import numpy as np

from clustercontract.algorithms import KMeans
from clusterworker.clustering.algorithms.clustering import Clustering, by_size, centroids_of, means
from clusterworker.clustering.algorithms.distinct import distinct
from clusterworker.clustering.algorithms.frame import Frame
from clusterworker.clustering.algorithms.lloyd import breathe, lloyd
from clusterworker.clustering.algorithms.nearest import NearestCentroid
from clusterworker.clustering.algorithms.seeding import kmeans_plusplus
from clusterworker.clustering.algorithms.task import refuse_above_documents
from clusterworker.data.arrays import Vectors
from clusterworker.data.dataset import SpooledDataset, StreamedDataset, sample
from clusterworker.process.errors import MisconfiguredError

START_ROWS = 10_000
"""Size of the subsample that starting points come from, at least two rows per cluster."""
START_ITERATIONS = 10
FEW_CLUSTERS, FEW_STARTS = 50, 3
"""Up to so many clusters, several starts are tried: they cost little."""
CAREFUL_CLUSTERS = 1_000
"""Above, starting points are neither chosen among candidates nor improved: their cost grows with the square."""
BREATHS = 8
ROWS_PER_CENTROID = 256
"""Training rows per centroid of a streamed data set: more do not lower the inertia measurably."""


def kmeans(
    dataset: SpooledDataset | StreamedDataset, parameters: KMeans, metric: str, seed: int, memory: int
) -> Clustering:
    """Cluster by k-means; spherical with metric cosine.

    A streamed data set is trained on a sample, and its assignment is left to the pass that writes the results.

    Args:
        dataset: at least n_clusters documents.
        parameters: n_clusters, max_iter.
        metric: cosine or euclidean.
        seed: of all random choices.
        memory: bytes that the container may use; a quarter of it is for the sample.

    Raises:
        MisconfiguredError: more clusters than documents, or than the sample holds.
    """
    wanted = parameters.n_clusters
    refuse_above_documents("n_clusters", wanted, dataset.rows)
    if isinstance(dataset, SpooledDataset):
        training, notes = dataset.vectors, []
    else:
        _, training = sample(dataset, sample_rows(wanted, dataset.dimensions, memory), seed)
        notes = [
            f"trained on a sample of {len(training)} of {dataset.rows} documents, then all were assigned to the nearest"
        ]
    trained = train(training, wanted, parameters.max_iter, metric, seed)
    points = distinct(training)
    nearest = points.spread(NearestCentroid(trained)(points.vectors))
    labels = by_size(nearest)
    clusters = int(labels.max()) + 1
    if clusters < wanted:
        notes.append(f"{clusters} clusters instead of {wanted}: the documents have only that many distinct vectors")
    _, members = np.unique(labels, return_index=True)
    return Clustering(
        trained[nearest[members]],
        means(training, labels),
        labels if isinstance(dataset, SpooledDataset) else None,
        has_inertia=True,
        notes=notes,
    )


def sample_rows(clusters: int, dimensions: int, memory: int) -> int:
    """How many documents of a streamed data set to train on.

    Raises:
        MisconfiguredError: not even one per cluster fits into a quarter of the memory.
    """
    affordable = memory // 4 // (4 * dimensions)
    if clusters > affordable:
        raise MisconfiguredError(
            f"n_clusters {clusters} of {dimensions} dimensions do not fit into {memory >> 20} MiB: "
            "raise run.resources.limits.memory, or lower n_clusters"
        )
    return min(clusters * ROWS_PER_CENTROID, affordable)


def train(vectors: Vectors, clusters: int, iterations: int, metric: str, seed: int) -> Vectors:
    """Return k-means centroids, shape (clusters, dimensions).

    Args:
        vectors: shape (rows, dimensions), rows at least clusters; of unit length with metric cosine.
        clusters: how many.
        iterations: most iterations over all vectors.
        metric: cosine or euclidean.
        seed: of all random choices.
    """
    frame = Frame.of(vectors)
    if frame.needed:  # far from the origin, Euclidean distance distinguishes even unit vectors better
        found = frame.back(_train(frame.into(vectors), clusters, iterations, "euclidean", seed))
        return centroids_of(found.astype(np.float64), metric)
    return _train(vectors, clusters, iterations, metric, seed)


def _train(vectors: Vectors, clusters: int, iterations: int, metric: str, seed: int) -> Vectors:
    generator = np.random.default_rng(seed)
    rows = min(len(vectors), max(START_ROWS, 2 * clusters))
    start = np.ascontiguousarray(vectors[np.sort(generator.choice(len(vectors), rows, replace=False))])
    if clusters > CAREFUL_CLUSTERS:
        best, _ = lloyd(start, kmeans_plusplus(start, clusters, generator, candidates=1), START_ITERATIONS, metric)
    else:
        starts = FEW_STARTS if clusters <= FEW_CLUSTERS else 1
        tried = [
            lloyd(start, kmeans_plusplus(start, clusters, generator), START_ITERATIONS, metric) for _ in range(starts)
        ]
        best = breathe(start, min(tried, key=lambda found: found[1])[0], metric, BREATHS, generator)
    return lloyd(vectors, best, iterations, metric)[0]
