"""Mean shift with a flat window (Comaniciu and Meer 2002): all windows climb at once, by matrix products."""

import numpy as np

from clustertrigger.api.run import MeanShift
from clusterworker.algorithms.clustering import Clustering, labelled
from clusterworker.algorithms.micro import micro_clusters, note
from clusterworker.algorithms.nearest import NearestCentroid
from clusterworker.algorithms.reduction import reduced_space
from clusterworker.algorithms.task import Task
from clusterworker.arrays import NOISE, Rows, Vectors
from clusterworker.errors import MisconfiguredError

MOST_DOCUMENTS = 5_000
"""Above it windows climb on micro-clusters: every iteration compares all pairs."""
MICRO_CLUSTERS = 4_000
ESTIMATE_ROWS = 2_000
BLOCK_BYTES = 64 << 20
CONVERGED = 1e-3
"""A window rests when it moves by less than this share of the bandwidth, as in scikit-learn."""


def mean_shift(task: Task, parameters: MeanShift) -> Clustering:
    """Cluster around the modes of the density.

    Raises:
        MisconfiguredError: no bandwidth can be estimated.
    """
    space = reduced_space(task, parameters)
    notes = list(space.notes)
    rows = len(space.vectors)
    bandwidth = parameters.bandwidth
    if bandwidth is None and rows > 1:
        bandwidth = estimate(space.vectors, parameters.quantile, task.seed)
        notes.append(f"bandwidth {bandwidth:.3g}, estimated from quantile {parameters.quantile:g}")
    if rows > MOST_DOCUMENTS:
        micro = micro_clusters(space.vectors, MICRO_CLUSTERS, "euclidean", task.seed)
        notes.append(note(rows, MOST_DOCUMENTS, micro))
        points, weights = micro.centroids, micro.sizes
    else:
        points, weights = np.asarray(space.vectors), np.ones(rows, np.int64)
    centers = modes(points, weights, bandwidth or 1.0, parameters.max_iter)
    labels, squared = NearestCentroid(centers).with_squares(space.vectors)
    if not parameters.cluster_all and bandwidth is not None:
        labels[squared > bandwidth**2] = NOISE
    if len(centers) == 1:
        advice = "lower quantile" if parameters.bandwidth is None else "lower bandwidth"
        notes.append(f"one cluster found: {advice} to tell smaller regions apart")
    return labelled(task.dataset.vectors, labels, task.metric, notes=notes)


def estimate(vectors: Vectors, quantile: float, seed: int) -> float:
    """Return scikit-learn's estimate of the bandwidth, from a sample.

    Raises:
        MisconfiguredError: it is 0, since documents are equal.
    """
    from sklearn.cluster import estimate_bandwidth

    rows = min(len(vectors), ESTIMATE_ROWS)
    quantile = max(quantile, 2 / rows)  # of one neighbour, a document itself, nothing can be learnt
    bandwidth = float(estimate_bandwidth(vectors, quantile=quantile, n_samples=rows, random_state=seed))
    if bandwidth <= 0:
        raise MisconfiguredError(
            "the bandwidth estimated for mean_shift is 0, since documents are equal: set bandwidth, or raise quantile"
        )
    return bandwidth


def modes(points: Vectors, weights: Rows, bandwidth: float, iterations: int) -> Vectors:
    """Return where windows come to rest, the fullest first and none within another, shape (modes, dimensions).

    Args:
        points: shape (rows, dimensions); a window starts from each.
        weights: documents that each point stands for, shape (rows,).
        bandwidth: radius of the window.
        iterations: most steps.
    """
    offset = points.mean(axis=0, dtype=np.float64).astype(np.float32)
    points = np.ascontiguousarray(points - offset)  # small numbers cancel less
    windows, counts = points.copy(), np.zeros(len(points), np.int64)
    moving = np.arange(len(points))
    size = max(1, BLOCK_BYTES // (4 * len(points)))
    for _ in range(iterations + 1):
        still: list[Rows] = []
        for first in range(0, len(moving), size):
            part = moving[first : first + size]
            means, counts[part] = _window_means(windows[part], points, weights, bandwidth)
            shifts = np.linalg.norm(means - windows[part], axis=1)
            windows[part] = means
            still.append(part[shifts > CONVERGED * bandwidth])
        moving = np.concatenate(still)
        if not moving.size:
            break
    found: Vectors = _apart(windows, counts, bandwidth) + offset
    return found


def _window_means(windows: Vectors, points: Vectors, weights: Rows, bandwidth: float) -> tuple[Vectors, Rows]:
    """Mean and number of the documents within each window."""
    squares = np.einsum("ij,ij->i", points, points)
    own = np.einsum("ij,ij->i", windows, windows)
    inside = (own[:, None] + squares - 2 * (windows @ points.T)) <= bandwidth**2
    shares = inside * weights.astype(np.float32)
    totals = shares.sum(axis=1, dtype=np.float64)
    alone = totals == 0  # rounding may put a window's only point just outside
    means = (shares @ points) / np.where(alone, 1, totals)[:, None]
    means[alone] = windows[alone]
    return means.astype(np.float32), totals.astype(np.int64)


def _apart(windows: Vectors, counts: Rows, bandwidth: float) -> Vectors:
    """Of windows that lie within one another's bandwidth keep the fullest; ties are broken by coordinates."""
    keys = (*windows.T[::-1], counts)
    left = windows[np.lexsort(keys)[::-1]]
    kept = []
    while len(left):
        kept.append(left[0])
        left = left[np.linalg.norm(left - left[0], axis=1) > bandwidth]
    return np.stack(kept)
