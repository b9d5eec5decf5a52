"""k-means: faiss's Lloyd iterations from starting points that are found on a subsample.

Starting points determine the quality of k-means: faiss's own random start ends 7 % worse, and k-means++ over all
vectors costs more than the iterations. Therefore k-means++ runs on a subsample, and its result is improved there before
the training on all vectors begins. Design record: docs/design/faiss.md.
"""

import numpy as np

from clustercontract.algorithms import KMeans
from clusterworker.clustering.algorithms.clustering import (
    Clustering,
    by_size,
    centroids_of,
    means,
    too_few_distinct,
)
from clusterworker.clustering.algorithms.distinct import distinct
from clusterworker.clustering.algorithms.double_lloyd import drowns
from clusterworker.clustering.algorithms.frame import Frame
from clusterworker.clustering.algorithms.lloyd import best_of, breathe, inertia, lloyd, with_count
from clusterworker.clustering.algorithms.nearest import NearestCentroid
from clusterworker.clustering.algorithms.seeding import kmeans_plusplus
from clusterworker.clustering.algorithms.start import MARGIN, Start
from clusterworker.clustering.algorithms.task import refuse_above_documents
from clusterworker.data.arrays import Vectors
from clusterworker.data.dataset import Sampled, SpooledDataset
from clusterworker.process.errors import MisconfiguredError

START_ROWS = 10_000
"""Size of the subsample for starting points, at least two rows per cluster."""
START_ITERATIONS = 10
FEW_CLUSTERS, FEW_STARTS = 50, 3
"""Maximum number of clusters for which several starts are tried, because they cost little."""
MOST_STARTS, STARTS_DISTANCES, STARTS_PRODUCTS = 100, 150_000, 60_000_000
"""Of few vectors, more starts are tried, as long as one iteration of all of them computes at most these numbers of
distances and products: less than a tenth of a second for all iterations, and a few MiB. Where a dozen centroids of text
are clustered, one start in 30 finds the best clusters.
"""
CAREFUL_CLUSTERS = 1_000
"""Number of clusters above which starting points are neither chosen among candidates nor improved, because their cost
grows with the square.
"""
BREATHS = 8
ROWS_PER_CENTROID = 256
"""Training rows per centroid of a streamed data set; more rows do not lower the inertia measurably."""


def kmeans(
    dataset: SpooledDataset | Sampled,
    parameters: KMeans,
    metric: str,
    seed: int,
    memory: int,
    start: Start | None = None,
) -> Clustering:
    """Clusters with k-means; spherical with metric cosine.

    A streamed data set is trained on a sample, and assigned in the pass that writes the results.

    Args:
        dataset: At least n_clusters documents.
        parameters: n_clusters and max_iter.
        metric: cosine or euclidean.
        seed: Seed of all random choices.
        memory: Bytes that the container may use. A quarter of it is for the sample.
        start: The clusters of the previous run, if training continues from them.

    Raises:
        MisconfiguredError: more clusters than documents, or than the sample holds.
    """
    n_clusters = parameters.n_clusters
    refuse_above_documents("n_clusters", n_clusters, dataset.rows)
    if isinstance(dataset, SpooledDataset):
        training, notes = dataset.vectors, []
    else:
        _, training = dataset.sample(sample_rows(n_clusters, dataset.dimensions, memory), seed)
        notes = [
            f"trained on a sample of {len(training)} of {dataset.rows} documents; each document is assigned to its "
            "nearest centroid"
        ]
    begun = None
    if start is None or not len(start.centroids):
        trained = train(training, n_clusters, parameters.max_iter, metric, seed)
    else:
        trained, better = train_on(start.centroids, training, n_clusters, parameters.max_iter, metric, seed)
        begun = start.begun(better, "inertia")
    points = distinct(training)
    nearest = points.spread(NearestCentroid(trained)(points.vectors))
    labels = by_size(nearest)
    notes += too_few_distinct(labels, n_clusters, training)
    _, members = np.unique(labels, return_index=True)
    return Clustering(
        trained[nearest[members]],
        means(training, labels),
        labels if isinstance(dataset, SpooledDataset) else None,
        has_inertia=True,
        notes=notes,
        begun=begun,
    )


def sample_rows(clusters: int, dimensions: int, memory: int) -> int:
    """Returns the number of documents of a streamed data set to train on.

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
        clusters: Number of clusters.
        iterations: Maximum number of iterations over all vectors.
        metric: cosine or euclidean.
        seed: Seed of all random choices.
    """
    frame = Frame.of(vectors)
    found = _train(frame.into(vectors), clusters, iterations, _within(frame, metric), seed)
    return _outside(frame, found, metric)


def train_on(
    last: Vectors, vectors: Vectors, clusters: int, iterations: int, metric: str, seed: int
) -> tuple[Vectors, float]:
    """Returns k-means centroids that continue from others.

    If a fresh start ends with an inertia that is lower by more than MARGIN, a few of the others are moved to where
    centroids are missing. If that is not sufficient, the fresh start is used.

    Args:
        last: Centroids to start from, at least one.
        vectors: As for `train`, and so are all others.
        clusters: Number of clusters.
        iterations: Maximum number of iterations over all vectors.
        metric: cosine or euclidean.
        seed: Seed of all random choices.

    Returns:
        The centroids, shape (clusters, dimensions), and by which share of inertia the fresh start was better: 0 where
        it was not taken.
    """
    frame = Frame.of(vectors)
    found, better = _train_on(frame.into(last), frame.into(vectors), clusters, iterations, _within(frame, metric), seed)
    return _outside(frame, found, metric), better


def _within(frame: Frame, metric: str) -> str:
    """Far from the origin, Euclidean distance distinguishes even unit vectors better."""
    return "euclidean" if frame.needed else metric


def _outside(frame: Frame, found: Vectors, metric: str) -> Vectors:
    return centroids_of(frame.back(found).astype(np.float64), metric) if frame.needed else found


def _train(vectors: Vectors, clusters: int, iterations: int, metric: str, seed: int) -> Vectors:
    generator = np.random.default_rng(seed)
    part = _subsample(vectors, clusters, generator)
    fresh, double = _fresh_start(part, clusters, metric, generator)
    return lloyd(vectors, fresh, iterations, metric, double=double)[0]


def _train_on(
    last: Vectors, vectors: Vectors, clusters: int, iterations: int, metric: str, seed: int
) -> tuple[Vectors, float]:
    generator = np.random.default_rng(seed)
    part = _subsample(vectors, clusters, generator)
    fresh, double = _fresh_start(part, clusters, metric, generator)
    first = with_count(part, last, clusters, metric, generator, double=double)
    kept, _ = lloyd(vectors, first, iterations, metric, double=double)
    # Training costs more than the start, so a start that is not better on the subsample is not trained.
    tried, _ = lloyd(part, first, START_ITERATIONS, metric, double=double)
    if inertia(part, fresh, double=double) >= inertia(part, tried, double=double):
        return kept, 0.0
    fresh, _ = lloyd(vectors, fresh, iterations, metric, double=double)
    least = inertia(vectors, fresh, double=double)
    if inertia(vectors, kept, double=double) > (1 + MARGIN) * least and clusters <= CAREFUL_CLUSTERS:
        moved = breathe(part, kept, metric, BREATHS, generator, double=double)
        kept, _ = lloyd(vectors, moved, iterations, metric, double=double)
    warm_inertia = inertia(vectors, kept, double=double)
    return (fresh, 1 - least / warm_inertia) if warm_inertia > (1 + MARGIN) * least else (kept, 0.0)


def _subsample(vectors: Vectors, clusters: int, generator: np.random.Generator) -> Vectors:
    rows = min(len(vectors), max(START_ROWS, 2 * clusters))
    return np.ascontiguousarray(vectors[np.sort(generator.choice(len(vectors), rows, replace=False))])


def _fresh_start(part: Vectors, clusters: int, metric: str, generator: np.random.Generator) -> tuple[Vectors, bool]:
    """Returns starting points, and whether distances to them drown in single precision."""
    found = _start(part, clusters, metric, generator, double=False)
    if not drowns(part, found):
        return found, False
    return _start(part, clusters, metric, generator, double=True), True


def _start(part: Vectors, clusters: int, metric: str, generator: np.random.Generator, *, double: bool) -> Vectors:
    if clusters > CAREFUL_CLUSTERS:
        first = kmeans_plusplus(part, clusters, generator, candidates=1, double=double)
        return lloyd(part, first, START_ITERATIONS, metric, double=double)[0]
    best = _best_start(part, clusters, metric, generator, double=double)
    return breathe(part, best, metric, BREATHS, generator, double=double)


def _best_start(part: Vectors, clusters: int, metric: str, generator: np.random.Generator, *, double: bool) -> Vectors:
    many = min(MOST_STARTS, STARTS_DISTANCES // (len(part) * clusters), STARTS_PRODUCTS // (part.size * clusters))
    if many > FEW_STARTS:
        firsts = np.stack([kmeans_plusplus(part, clusters, generator, double=double) for _ in range(many)])
        return best_of(part, firsts, START_ITERATIONS, metric, double=double)
    few = FEW_STARTS if clusters <= FEW_CLUSTERS else 1
    drawn = (kmeans_plusplus(part, clusters, generator, double=double) for _ in range(few))
    tried = [lloyd(part, first, START_ITERATIONS, metric, double=double) for first in drawn]
    return min(tried, key=lambda found: found[1])[0]
