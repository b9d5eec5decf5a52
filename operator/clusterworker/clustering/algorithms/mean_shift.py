"""Mean shift with a flat window (Comaniciu and Meer 2002): all windows move at once, with matrix products."""

import math
from dataclasses import dataclass, replace

import numpy as np

from clustercontract.algorithms import MeanShift
from clusterworker.clustering.algorithms.clustering import Clustering, by_size
from clusterworker.clustering.algorithms.core_distance import as_digits, rounded_up
from clusterworker.clustering.algorithms.distinct import distinct
from clusterworker.clustering.algorithms.frame import Frame
from clusterworker.clustering.algorithms.micro import ROWS_PER_CENTROID, micro_clusters, note
from clusterworker.clustering.algorithms.nearest import NearestCentroid
from clusterworker.clustering.algorithms.pairs import Pairs
from clusterworker.clustering.algorithms.reduction import Space, reduced_by, reduced_space, reduction_need
from clusterworker.clustering.algorithms.rule import ByNearest
from clusterworker.clustering.algorithms.sample import all_or_sample, of_sample
from clusterworker.clustering.algorithms.start import MARGIN, Start
from clusterworker.clustering.algorithms.task import SampleTask, Task
from clusterworker.data.arrays import NOISE, Doubles, Rows, Vectors
from clusterworker.process.errors import MisconfiguredError

MOST_DOCUMENTS = 5_000
"""Number of documents above which windows move on micro-clusters, because every iteration compares all pairs."""
MICRO_CLUSTERS = 4_000
ESTIMATE_ROWS = 2_000
BLOCK_BYTES = 64 << 20
CONVERGED = 1e-3
"""A window has converged when it moves by less than this share of the bandwidth, as in scikit-learn."""
RESTING = 0.1
"""A window of the previous run has converged when it would move by less than this share of the bandwidth, because many
places are nearly modes. On package descriptions of which 5 % were replaced, 5 to 9 % more of the others keep their
cluster than if these windows moved until they stop, and the inertia is not higher.
"""
FAR_SHARE, FAR_FACTOR = 0.05, 2.0
"""The farthest documents, up to this share of them, are left out of the estimated bandwidth, which is a mean, if they
make it this many times as large.
"""
STAYING = 0.75
"""Two modes of the previous run stay separate unless their distance becomes less than this share of the bandwidth."""

NEW = 1.3
"""Minimum distance of new modes from those of the previous run, as a share of the bandwidth. Nearer ones are added only
if the inertia would be higher without them. Otherwise, the number of clusters would grow slightly with every run.
"""
TRIED_ROWS, MOST_TRIED = 2_000, 10
"""Maximum number of points for which advice is tried, and of bandwidths, each half of the one before."""
MOST_NEARER = 500
"""Maximum number of nearer modes that are tried, those with the most documents first."""


def mean_shift(task: Task, parameters: MeanShift) -> Clustering:
    """Clusters around the modes of the density.

    Raises:
        MisconfiguredError: no bandwidth can be estimated.
    """
    need = reduction_need(parameters, task.dataset.dimensions)
    distance = "bandwidth" if parameters.bandwidth is not None else None
    noise = not parameters.cluster_all
    return all_or_sample(
        task, need, None, lambda part, _: _cluster(part, parameters)[0], noise=noise, distance=distance
    )


def mean_shift_of_sample(task: SampleTask, parameters: MeanShift) -> Clustering:
    """Finds the modes on a sample; a document belongs to its nearest mode.

    After a reduction, it belongs to the cluster of its nearest sampled neighbour, because its own position in the
    layout is unknown.

    Raises:
        MisconfiguredError: see `mean_shift` and `of_sample`.
    """
    dimensions, noise = task.documents.dimensions, not parameters.cluster_all
    if reduced_by(parameters, dimensions) is not None:
        return of_sample(
            task,
            reduction_need(parameters, dimensions),
            None,
            lambda part, _: _cluster(part, parameters)[0],
            noise=noise,
            distance="bandwidth" if parameters.bandwidth is not None else None,
        )
    training = task.draw(min(MICRO_CLUSTERS * ROWS_PER_CENTROID, task.affordable))
    found, bandwidth = _cluster(task.among(training), parameters)
    if found.modes is None:
        raise TypeError("clusters of mean_shift without modes")
    reach = bandwidth if noise and bandwidth is not None else np.inf
    clusters = np.arange(len(found.modes), dtype=np.int32)
    said = (
        f"modes were found on a sample of {len(training)} of {task.documents.rows} documents; each document is "
        f"assigned to its nearest mode{', or is noise beyond the bandwidth' if noise else ''}"
    )
    rule = ByNearest.of(found.modes, clusters, np.full(len(clusters), reach))
    return replace(found, labels=None, rule=rule, notes=[said, *found.notes])


def _cluster(task: Task, parameters: MeanShift) -> tuple[Clustering, float | None]:
    """Returns the clustering, and the bandwidth, if there is one."""
    space = reduced_space(task, parameters)
    notes = list(space.notes)
    points = distinct(space.vectors)
    rows = len(points)
    bandwidth = parameters.bandwidth
    if bandwidth is None and rows > 1:
        bandwidth = estimate(space.vectors, parameters.quantile, task.seed)
        if bandwidth <= 0:
            apart = estimate(points.vectors, parameters.quantile, task.seed)
            raise MisconfiguredError(
                "the bandwidth estimated for mean_shift is 0, since documents are equal: "
                + _advice(points.vectors, points.counts, 2 * apart, parameters)
            )
        estimated = f"bandwidth {bandwidth:.3g}, estimated from quantile {parameters.quantile:g}"
        robust = estimate(space.vectors, parameters.quantile, task.seed, share=1 - FAR_SHARE)
        if bandwidth > FAR_FACTOR * robust > 0:
            estimated = (
                f"bandwidth {robust:.3g}, estimated from quantile {parameters.quantile:g} without a few documents far "
                f"from all others, with which it is {bandwidth:.3g}"
            )
            bandwidth = robust
        notes.append(estimated)
    if rows > MOST_DOCUMENTS:
        micro = micro_clusters(space.vectors, MICRO_CLUSTERS, "euclidean", task.seed)
        notes.append(note(len(space.vectors), MOST_DOCUMENTS, micro))
        looked_at, weights = micro.centroids, micro.sizes
    else:
        looked_at, weights = points.vectors, points.counts
    width, start = bandwidth or 1.0, task.start
    last = known = None
    if start is not None and len(start.centroids):
        known = last_modes(start, space, width)
        last = _starts(start, task.dataset.vectors, space, looked_at, weights, width) if known is None else known
    resting = CONVERGED if known is None else RESTING
    rested = climb(looked_at, weights, width, parameters.max_iter, last, resting)
    centers, begun = rested.modes(), space.begun
    if start is not None and last is not None:
        kept, better = rested.modes_after_last(looked_at, weights)
        centers, begun = (centers if better else kept), start.begun(better, "inertia")
    found, distances = Pairs(points.vectors, "euclidean", centers).nearest(BLOCK_BYTES)
    labels = found.astype(np.int32)
    if not parameters.cluster_all and bandwidth is not None:
        labels[distances > bandwidth] = NOISE
    if len(centers) == 1 and rows > 1:
        notes.append(f"found only one cluster: {_advice(looked_at, weights, width, parameters)}")
    spread = points.spread(labels)
    result = space.labelled(task, spread, notes)
    _, members = np.unique(by_size(spread), return_index=True)
    result.begun = begun
    modes = centers[spread[members[spread[members] != NOISE]]]
    result.modes = (modes if space.common is None else modes + space.common).astype(np.float32)
    return result, bandwidth


def _advice(points: Vectors, weights: Rows, width: float, parameters: MeanShift) -> str:
    """Returns advice, which has been tried if there are few enough points: a bandwidth that separates regions."""
    has_quantile = parameters.bandwidth is None and "quantile" in parameters.model_fields_set
    field = "set bandwidth, instead of quantile," if has_quantile else "set bandwidth"
    if len(points) <= TRIED_ROWS:
        lengths = np.linalg.norm(points - Frame.of(points).centre, axis=1)
        # Of a width that is far too large, half would not separate anything either.
        width = min(width, 2 * float(np.median(lengths[lengths > 0]))) if lengths.any() else width
        for exponent in range(1, MOST_TRIED + 1):
            narrower = rounded_up(width / 2**exponent)
            clusters = len(climb(points, weights, narrower, parameters.max_iter).modes())
            if clusters > 1:
                field = "remove quantile, and set bandwidth" if has_quantile else "set bandwidth"
                return f"{field}: {as_digits(narrower)}, which finds {clusters}"
    return f"{field} below {width:.3g} to separate smaller regions"


def last_modes(start: Start, space: Space, bandwidth: float) -> Doubles | None:
    """Returns the final positions of the windows of the previous run, in this run's space, shape (windows, dimensions).

    A layout that continues from the previous one moves documents slightly, and modes move with the documents around
    them. None if the modes are unknown, or belong to another space.
    """
    modes, last = start.modes, start.positions
    if modes is None or modes.shape[1] != space.vectors.shape[1]:
        return None
    found = modes.astype(np.float64)
    if not space.reduced:
        return found if space.common is None else found - space.common
    if space.begun is None or last is None:
        return None
    finite = np.flatnonzero(np.isfinite(last.values[:, 0]))
    before = last.values[finite].astype(np.float64)
    moved = space.vectors[finite] - before
    for number, mode in enumerate(modes):
        apart = np.linalg.norm(before - mode, axis=1)
        found[number] += moved[apart <= max(bandwidth, float(apart.min()))].mean(axis=0)
    return found


def _starts(start: Start, vectors: Vectors, space: Space, points: Vectors, weights: Rows, bandwidth: float) -> Doubles:
    """Returns where windows start that continue from clusters of the previous run with unknown modes.

    From the middle of a cluster, or from where most documents are, a window may move to the mode of another cluster.
    Therefore it starts from the document that moves it least, among the half with more documents around.

    Args:
        start: The previous run.
        vectors: The documents' own vectors, shape (rows, dimensions).
        space: The space in which clusters are searched.
        points: As for `climb`, and so are the others.
        weights: Number of documents of each point.
        bandwidth: Radius of the window.
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
    """Returns how far each window first moves, and how many documents it contains, both of shape (windows,)."""
    centre = Frame.of(points).centre
    exact, size = points - centre, max(1, BLOCK_BYTES // (8 * len(points)))
    shifts, counts = np.empty(len(windows)), np.empty(len(windows), np.int64)
    for first in range(0, len(windows), size):
        part = slice(first, first + size)
        begun = windows[part] - centre
        means, counts[part] = _window_means(begun, exact, weights, bandwidth)
        shifts[part] = np.linalg.norm(means - begun, axis=1)
    return shifts, counts


def estimate(vectors: Vectors, quantile: float, seed: int, share: float = 1.0) -> float:
    """Returns scikit-learn's estimate of the bandwidth, from a sample. It is 0 if most documents have many copies.

    Args:
        vectors: shape (rows, dimensions).
        quantile: Share of the documents within the bandwidth of an average one.
        seed: Seed of the sample.
        share: Share of the documents that are averaged, those with the nearest neighbours. Others count as neighbours.
    """
    rows = min(len(vectors), ESTIMATE_ROWS)
    neighbours = max(int(rows * quantile), min(2, rows))  # A single neighbour is the document itself.
    # scikit-learn draws the same rows.
    chosen = np.random.RandomState(seed).permutation(len(vectors))[:rows]
    distances = Pairs(vectors[chosen], "euclidean").distances(slice(None))
    reaches = np.sort(np.partition(distances, neighbours - 1, axis=1)[:, neighbours - 1])
    return float(reaches[: math.ceil(share * rows)].mean())


@dataclass(frozen=True)
class Rested:
    """Windows that have converged.

    Attributes:
        windows: Positions, those of the previous run first, shape (windows, dimensions).
        counts: Documents in each, shape (windows,).
        last: Number of windows of the previous run.
        bandwidth: Radius of the windows.
    """

    windows: Doubles
    counts: Rows
    last: int
    bandwidth: float

    def modes(self) -> Doubles:
        """Returns the final positions of the points' own windows, fullest first and none within another."""
        own = slice(self.last, None)
        return _apart(self.windows[own], self.counts[own], self.bandwidth)

    def modes_after_last(self, points: Vectors, weights: Rows) -> tuple[Doubles, float]:
        """Returns the final positions of the windows of the previous run, and of others outside of them.

        Of windows within each other, mean shift keeps the one with the most documents, which a few documents can
        change. Therefore those of the previous run stay if they are modes at all.

        Args:
            points: Points from which the other windows have moved.
            weights: Number of documents of each point, shape (rows,).

        Returns:
            The modes, and by which share of inertia `modes` is better: 0 where that is not more than MARGIN.
        """
        going_on = np.flatnonzero(self.counts[: self.last])
        kept = _apart(self.windows[going_on], self.counts[going_on], STAYING * self.bandwidth)
        kept = np.concatenate([kept, self._outside(kept, NEW)])
        least, nearest = weights @ _nearest_squares(points, self.modes()), _nearest_squares(points, kept)
        nearer = self._outside(kept, STAYING)[:MOST_NEARER]
        squares = Pairs(points, "euclidean", nearer).squares(slice(None))
        while len(nearer) and weights @ nearest > (1 + MARGIN) * least:
            best = int((weights @ np.maximum(nearest[:, None] - squares, 0)).argmax())
            kept = np.concatenate([kept, nearer[best : best + 1]])
            nearest = np.minimum(nearest, squares[:, best])
            nearer, squares = np.delete(nearer, best, axis=0), np.delete(squares, best, axis=1)
        inertia = float(weights @ nearest)
        return kept, 1 - float(least) / inertia if inertia > (1 + MARGIN) * least else 0.0

    def _outside(self, known: Doubles, beyond: float) -> Doubles:
        """Returns the modes of the points' own windows further from all known ones than `beyond` bandwidths."""
        new = np.ones(len(self.windows), bool)
        new[: self.last] = False
        for mode in known:
            new &= np.linalg.norm(self.windows - mode, axis=1) > beyond * self.bandwidth
        return _apart(self.windows[new], self.counts[new], self.bandwidth)


def _nearest_squares(points: Vectors, centers: Doubles) -> Doubles:
    return Pairs(points, "euclidean", centers).nearest(BLOCK_BYTES)[1] ** 2


def climb(
    points: Vectors,
    weights: Rows,
    bandwidth: float,
    iterations: int,
    last: Doubles | None = None,
    resting: float = CONVERGED,
) -> Rested:
    """Moves windows from the points to where the density is highest.

    Args:
        points: shape (rows, dimensions).
        weights: Number of documents of each point, shape (rows,).
        bandwidth: Radius of the window.
        iterations: Maximum number of steps.
        last: Additional windows, those of the previous run, shape (windows, dimensions).
        resting: These have converged, and are not moved, if they would move by less than this share of the bandwidth.
    """
    centre = Frame.of(points).centre
    exact: Doubles = points - centre
    windows = exact.copy() if last is None else np.concatenate([last - centre, exact])
    before = len(windows) - len(exact)
    counts = np.zeros(len(windows), np.int64)
    moving = np.arange(len(windows))
    size = max(1, BLOCK_BYTES // (8 * len(points)))
    for _ in range(iterations + 1):
        still: list[Rows] = []
        for first in range(0, len(moving), size):
            part = moving[first : first + size]
            means, counts[part] = _window_means(windows[part], exact, weights, bandwidth)
            shifts = np.linalg.norm(means - windows[part], axis=1)
            of_last = part < before
            staying = of_last & (shifts <= resting * bandwidth)
            windows[part[~staying]] = means[~staying]
            still.append(part[np.where(of_last, ~staying, shifts > CONVERGED * bandwidth)])
        moving = np.concatenate(still)
        if not moving.size:
            break
    return Rested(windows + centre, counts, before, bandwidth)


def _window_means(windows: Doubles, points: Doubles, weights: Rows, bandwidth: float) -> tuple[Doubles, Rows]:
    """Returns the mean and the number of the documents within each window."""
    pairs = Pairs(windows, "euclidean", points, Frame.at_origin(points.shape[1]))
    shares = pairs.within(slice(None), slice(None), bandwidth, np.float64) * weights.astype(np.float64)
    totals = shares.sum(axis=1)
    alone = totals == 0  # A window can converge where no point is near.
    means = (shares @ points) / np.where(alone, 1, totals)[:, None]
    means[alone] = windows[alone]
    return means, totals.astype(np.int64)


def _apart(windows: Doubles, counts: Rows, bandwidth: float) -> Doubles:
    """Keeps the window with the most documents of those within each other's bandwidth; coordinates break ties."""
    left = windows[np.lexsort((*windows.T[::-1], counts))[::-1]]
    kept = []
    while len(left):
        kept.append(left[0])
        left = left[np.linalg.norm(left - left[0], axis=1) > bandwidth]
    return np.stack(kept) if kept else left
