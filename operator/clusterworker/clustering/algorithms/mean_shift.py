"""Mean shift with a flat window (Comaniciu and Meer 2002): all windows climb at once, by matrix products."""

import numpy as np

from clustercontract.algorithms import MeanShift
from clusterworker.clustering.algorithms.clustering import Clustering
from clusterworker.clustering.algorithms.distinct import Distinct, distinct
from clusterworker.clustering.algorithms.frame import Frame
from clusterworker.clustering.algorithms.micro import micro_clusters, note
from clusterworker.clustering.algorithms.nearest import NearestCentroid
from clusterworker.clustering.algorithms.pairs import Pairs
from clusterworker.clustering.algorithms.reduction import Space, reduced_space
from clusterworker.clustering.algorithms.start import MARGIN, Start
from clusterworker.clustering.algorithms.task import Task
from clusterworker.data.arrays import NOISE, Doubles, Rows, Vectors
from clusterworker.process.errors import MisconfiguredError

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
    points = distinct(space.vectors)
    rows = len(points)
    bandwidth = parameters.bandwidth
    if bandwidth is None and rows > 1:
        bandwidth = estimate(space.vectors, parameters.quantile, task.seed)
        notes.append(f"bandwidth {bandwidth:.3g}, estimated from quantile {parameters.quantile:g}")
    if rows > MOST_DOCUMENTS:
        micro = micro_clusters(space.vectors, MICRO_CLUSTERS, "euclidean", task.seed)
        notes.append(note(len(space.vectors), MOST_DOCUMENTS, micro))
        looked_at, weights = micro.centroids, micro.sizes
    else:
        looked_at, weights = points.vectors, points.counts
    centers, begun = modes(looked_at, weights, bandwidth or 1.0, parameters.max_iter), space.begun
    if task.start is not None and len(task.start.centroids):
        starts = _starts(task.start, task.dataset.vectors, space, looked_at, weights, bandwidth or 1.0)
        kept = modes(looked_at, weights, bandwidth or 1.0, parameters.max_iter, starts)
        ours, least = (_inertia(points, found) for found in (kept, centers))
        better = 1 - least / ours if ours > (1 + MARGIN) * least else 0.0
        centers, begun = (centers if better else kept), task.start.begun(better, "inertia")
    found, distances = Pairs(points.vectors, "euclidean", centers).nearest(BLOCK_BYTES)
    labels = found.astype(np.int32)
    if not parameters.cluster_all and bandwidth is not None:
        labels[distances > bandwidth] = NOISE
    if len(centers) == 1 and rows > 1:
        advice = "lower quantile" if parameters.bandwidth is None else "lower bandwidth"
        notes.append(f"one cluster found: {advice} to tell smaller regions apart")
    result = space.labelled(task, points.spread(labels), notes)
    result.begun = begun
    return result


def _starts(start: Start, vectors: Vectors, space: Space, points: Vectors, weights: Rows, bandwidth: float) -> Doubles:
    """Where windows start that go on from the clusters of the run before, shape (windows, dimensions).

    From its middle, or from where most documents are, a window may climb to the mode of another cluster. So it starts
    from the document that moves it least, of the half that has more documents around.

    Args:
        start: the run before.
        vectors: the documents' own, shape (rows, dimensions).
        space: where clusters are looked for.
        points: as of `modes`, and so are the others.
        weights: documents that each point stands for.
        bandwidth: radius of the window.
    """
    members = start.labels
    if members is None or not (members != NOISE).any():
        members = NearestCentroid(start.centroids)(vectors)
    starts = []
    for number in np.unique(members[members != NOISE]):
        own = space.vectors[members == number]
        shifts, counts = _first_steps(own, points, weights, bandwidth)
        starts.append(own[np.where(counts >= np.median(counts), shifts, np.inf).argmin()])
    return np.stack(starts).astype(np.float64)


def _first_steps(windows: Vectors, points: Vectors, weights: Rows, bandwidth: float) -> tuple[Doubles, Rows]:
    """How far each window moves at first, and how many documents it holds, both of shape (windows,)."""
    centre = Frame.of(points).centre
    exact, size = points - centre, max(1, BLOCK_BYTES // (8 * len(points)))
    shifts, counts = np.empty(len(windows)), np.empty(len(windows), np.int64)
    for first in range(0, len(windows), size):
        part = slice(first, first + size)
        begun = windows[part] - centre
        means, counts[part] = _window_means(begun, exact, weights, bandwidth)
        shifts[part] = np.linalg.norm(means - begun, axis=1)
    return shifts, counts


def _inertia(points: Distinct, centers: Doubles) -> float:
    _, distances = Pairs(points.vectors, "euclidean", centers).nearest(BLOCK_BYTES)
    return float(points.counts @ distances**2)


def estimate(vectors: Vectors, quantile: float, seed: int) -> float:
    """Return scikit-learn's estimate of the bandwidth, from a sample.

    Raises:
        MisconfiguredError: it is 0, since documents are equal.
    """
    from sklearn.cluster import estimate_bandwidth

    rows = min(len(vectors), ESTIMATE_ROWS)
    quantile = max(quantile, 2 / rows)  # of one neighbour, a document itself, nothing can be learnt
    frame = Frame.of(vectors)
    framed = frame.moved(vectors, np.float64)
    bandwidth = float(estimate_bandwidth(framed, quantile=quantile, n_samples=rows, random_state=seed)) / frame.scale
    if bandwidth <= 0:
        raise MisconfiguredError(
            "the bandwidth estimated for mean_shift is 0, since documents are equal: set bandwidth, or raise quantile"
        )
    return bandwidth


def modes(points: Vectors, weights: Rows, bandwidth: float, iterations: int, starts: Doubles | None = None) -> Doubles:
    """Return where windows come to rest, the fullest first and none within another, shape (modes, dimensions).

    Args:
        points: shape (rows, dimensions).
        weights: documents that each point stands for, shape (rows,).
        bandwidth: radius of the window.
        iterations: most steps.
        starts: of the windows, shape (windows, dimensions); default: the points.
    """
    centre = Frame.of(points).centre
    exact: Doubles = points - centre
    windows = exact.copy() if starts is None else starts - centre
    counts = np.zeros(len(windows), np.int64)
    moving = np.arange(len(windows))
    size = max(1, BLOCK_BYTES // (8 * len(points)))
    for _ in range(iterations + 1):
        still: list[Rows] = []
        for first in range(0, len(moving), size):
            part = moving[first : first + size]
            means, counts[part] = _window_means(windows[part], exact, weights, bandwidth)
            shifts = np.linalg.norm(means - windows[part], axis=1)
            windows[part] = means
            still.append(part[shifts > CONVERGED * bandwidth])
        moving = np.concatenate(still)
        if not moving.size:
            break
    return _apart(windows, counts, bandwidth) + centre


def _window_means(windows: Doubles, points: Doubles, weights: Rows, bandwidth: float) -> tuple[Doubles, Rows]:
    """Mean and number of the documents within each window."""
    pairs = Pairs(windows, "euclidean", points, Frame.at_origin(points.shape[1]))
    shares = pairs.within(slice(None), slice(None), bandwidth, np.float64) * weights.astype(np.float64)
    totals = shares.sum(axis=1)
    alone = totals == 0  # a window may come to rest where no point is near
    means = (shares @ points) / np.where(alone, 1, totals)[:, None]
    means[alone] = windows[alone]
    return means, totals.astype(np.int64)


def _apart(windows: Doubles, counts: Rows, bandwidth: float) -> Doubles:
    """If windows lie within each other's bandwidth, keep the fullest one; ties are broken by coordinates."""
    keys = (*windows.T[::-1], counts)
    left = windows[np.lexsort(keys)[::-1]]
    kept = []
    while len(left):
        kept.append(left[0])
        left = left[np.linalg.norm(left - left[0], axis=1) > bandwidth]
    return np.stack(kept)
