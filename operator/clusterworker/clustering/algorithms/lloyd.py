"""Runs Lloyd's iterations with faiss, and breathing steps between them that escape poor local optima."""

from typing import Any

import faiss
import numpy as np

from clusterworker.clustering.algorithms.double_lloyd import EARLY_STOP, double_lloyd, nearest_few
from clusterworker.data.arrays import Doubles, Rows, Vectors

BREATH_IN_ITERATIONS, BREATH_OUT_ITERATIONS = 2, 4


def lloyd(
    vectors: Vectors, first: Vectors, iterations: int, metric: str, *, double: bool = False
) -> tuple[Vectors, float]:
    """Returns centroids after some iterations, and the sum of squared distances before the last one.

    Args:
        vectors: shape (rows, dimensions), C-contiguous.
        first: Centroids to start from, shape (clusters, dimensions).
        iterations: Maximum number of iterations.
        metric: With cosine, centroids are kept at unit length.
        double: Whether distances drown in single precision, as in the other functions.
    """
    if double:
        return double_lloyd(vectors, first, iterations, metric)
    clusters, dimensions = first.shape
    training = faiss.Clustering(dimensions, clusters)
    training.niter = iterations
    training.spherical = metric == "cosine"
    training.min_points_per_centroid = 1
    training.max_points_per_centroid = len(vectors)
    training.early_stop_threshold = EARLY_STOP
    faiss.copy_array_to_vector(np.ascontiguousarray(first, np.float32).ravel(), training.centroids)
    training.train(np.ascontiguousarray(vectors), faiss.IndexFlatL2(dimensions))
    centroids = faiss.vector_to_array(training.centroids).reshape(clusters, dimensions)
    statistics: Any = training.iteration_stats
    return centroids, float(statistics.at(statistics.size() - 1).obj)


def best_of(vectors: Vectors, firsts: Vectors, iterations: int, metric: str, *, double: bool = False) -> Vectors:
    """Runs a few iterations from many starts at once, and returns the centroids of the best.

    For few vectors, a call of faiss takes far longer than its iterations.

    Args:
        vectors: shape (rows, dimensions).
        firsts: Centroids to start from, shape (starts, clusters, dimensions).
        iterations: Number of iterations.
        metric: With cosine, centroids are kept at unit length.
        double: See `lloyd`.

    Returns:
        Shape (clusters, dimensions).
    """
    starts, clusters, dimensions = firsts.shape
    exact: Vectors | Doubles = vectors.astype(np.float64) if double else vectors
    flat = firsts.reshape(-1, dimensions)
    centroids: Vectors | Doubles = flat.astype(np.float64) if double else flat.astype(np.float32)
    for _ in range(iterations):
        nearest = _half_squares(exact, centroids).reshape(-1, starts, clusters).argmin(axis=2)
        members = np.equal(nearest[:, :, None], np.arange(clusters)).reshape(len(vectors), -1).astype(exact.dtype)
        sums, counts = members.T @ exact, members.sum(axis=0)
        lengths = np.linalg.norm(sums, axis=1) if metric == "cosine" else counts
        filled = (counts > 0) & (lengths > 0)
        centroids[filled] = sums[filled] / lengths[filled, None]
    total = _half_squares(exact, centroids).reshape(-1, starts, clusters).min(axis=2).sum(axis=0, dtype=np.float64)
    return np.ascontiguousarray(centroids.reshape(firsts.shape)[int(total.argmin())], np.float32)


def _half_squares(vectors: Vectors | Doubles, centroids: Vectors | Doubles) -> Vectors | Doubles:
    """Returns half the squared distances to all centroids, less half the square of each vector."""
    halves: Vectors | Doubles = np.vecdot(centroids, centroids) / 2 - vectors @ centroids.T
    return halves


def breathe(
    vectors: Vectors,
    centroids: Vectors,
    metric: str,
    breaths: int,
    generator: np.random.Generator,
    *,
    double: bool = False,
) -> Vectors:
    """Moves centroids from where they are hardly needed to where they are missing, as long as that helps.

    The method is "The breathing k-means algorithm" (Fritzke 2020): a breath adds centroids in the clusters with the
    largest sums of squared distances, and removes as many whose loss costs least, no two of which are neighbours.

    Args:
        vectors: shape (rows, dimensions), C-contiguous.
        centroids: shape (clusters, dimensions).
        metric: cosine or euclidean.
        breaths: Maximum number of breaths.
        generator: Chooses the places where centroids are added.
        double: See `lloyd`.

    Returns:
        Centroids of the same shape, with a sum of squared distances that is not larger.
    """
    count = min(max(1, len(centroids) // 20), len(vectors) - len(centroids))
    if count == 0:
        return centroids
    labels, nearest = _nearest(centroids, vectors, double=double)
    least = float(nearest.sum(dtype=np.float64))
    for _ in range(breaths):
        added = _members_of_worst(vectors, labels, nearest, len(centroids), count, generator)
        more, _ = lloyd(vectors, np.concatenate([centroids, added]), BREATH_IN_ITERATIONS, metric, double=double)
        left = _without_least_useful(vectors, more, count, double=double)
        fewer, _ = lloyd(vectors, left, BREATH_OUT_ITERATIONS, metric, double=double)
        new_labels, new_nearest = _nearest(fewer, vectors, double=double)
        total = float(new_nearest.sum(dtype=np.float64))
        if total < least * (1 - EARLY_STOP):
            centroids, labels, nearest, least = fewer, new_labels, new_nearest, total
        elif count == 1:
            break
        else:
            count = max(1, count // 2)
    return centroids


def with_count(
    vectors: Vectors,
    centroids: Vectors,
    count: int,
    metric: str,
    generator: np.random.Generator,
    *,
    double: bool = False,
) -> Vectors:
    """Adds centroids where they are missing, or removes those whose loss costs least, until there are `count`.

    Args:
        vectors: Vectors, shape (rows, dimensions), at least count rows.
        centroids: At least one centroid.
        count: Number of centroids to return.
        metric: cosine or euclidean.
        generator: Chooses the places where centroids are added.
        double: See `lloyd`.
    """
    while (missing := count - len(centroids)) > 0:
        labels, nearest = _nearest(centroids, vectors, double=double)
        added = _members_of_worst(vectors, labels, nearest, len(centroids), missing, generator)
        centroids, _ = lloyd(vectors, np.concatenate([centroids, added]), BREATH_IN_ITERATIONS, metric, double=double)
    while len(centroids) > count:
        centroids = _without_least_useful(vectors, centroids, len(centroids) - count, double=double)
    return centroids


def inertia(vectors: Vectors, centroids: Vectors, *, double: bool = False) -> float:
    """Returns the sum of squared distances to the nearest centroid."""
    return float(_nearest(centroids, vectors, double=double)[1].sum(dtype=np.float64))


def _nearest(centroids: Vectors, vectors: Vectors, *, double: bool) -> tuple[Rows, Vectors | Doubles]:
    """Returns the nearest centroid of each vector, and the squared distance."""
    numbers, squares = _nearest_few(centroids, vectors, 1, double=double)
    return numbers[:, 0], squares[:, 0]


def _nearest_few(centroids: Vectors, vectors: Vectors, count: int, *, double: bool) -> tuple[Rows, Vectors | Doubles]:
    """Returns the nearest centroids of each vector, and the squared distances, both of shape (rows, count)."""
    if double:
        return nearest_few(vectors, centroids, count)
    index = faiss.IndexFlatL2(centroids.shape[1])
    index.add(np.ascontiguousarray(centroids))
    squares, numbers = index.search(np.ascontiguousarray(vectors), count)
    return numbers, np.maximum(squares, 0)


def _members_of_worst(
    vectors: Vectors,
    labels: Rows,
    squares: Vectors | Doubles,
    clusters: int,
    count: int,
    generator: np.random.Generator,
) -> Vectors:
    """Returns one vector of each of the clusters with the largest sums, drawn by its squared distance."""
    sums = np.bincount(labels, weights=squares, minlength=clusters)
    worst = np.argsort(-sums, kind="stable")[:count]
    drawn = squares * generator.exponential(size=len(squares)).astype(np.float32)
    order = np.argsort(drawn, kind="stable")
    last = np.full(clusters, -1, np.int64)
    last[labels[order]] = order  # Of equal places, numpy keeps the last one, which is the largest.
    return vectors[last[worst][last[worst] >= 0]]


def _without_least_useful(vectors: Vectors, centroids: Vectors, count: int, *, double: bool) -> Vectors:
    """Removes centroids whose vectors are nearly as close to the next one."""
    numbers, squares = _nearest_few(centroids, vectors, 2, double=double)
    loss = np.bincount(numbers[:, 0], weights=squares[:, 1] - squares[:, 0], minlength=len(centroids))
    neighbours = _nearest_few(centroids, centroids, 2, double=double)[0]
    kept = np.ones(len(centroids), bool)
    guarded = np.zeros(len(centroids), bool)
    for centroid in np.argsort(loss, kind="stable"):
        if not guarded[centroid]:
            kept[centroid] = False
            guarded[neighbours[centroid]] = True
            count -= 1
        if count == 0:
            break
    return np.ascontiguousarray(centroids[kept])
