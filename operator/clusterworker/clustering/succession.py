"""Matches the clusters of two runs, and determines the change of each, with pure functions.

Clusters are matched by their centroids: the sum of distances is the least possible (Hungarian assignment), where a
cluster without a partner counts as much as one at the limit. Documents that both have break ties.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from clustercontract.counted import counted
from clusterworker.clustering.algorithms.nearest import NearestCentroid
from clusterworker.data.arrays import Doubles, Rows, Vectors

COSINE_LIMIT = 0.2
"""Two centroids further apart belong to different clusters. On package descriptions, 12 clusters of one run are at
least 0.33 apart, and at most 0.08 from the same clusters of another run.
"""
EUCLIDEAN_LIMIT = 0.5
"""The same with metric euclidean, as a share of the documents' root mean square distance from their mean."""
MOST_CLUSTERS = 2_000
"""Number of clusters above which each is matched to the nearest one, because assignment takes the cube of their number.
"""
STEP = 1e-6
"""Distances that differ by less than this share of the limit are equal."""
LISTED = 20

Event = Literal["kept", "new", "gone", "split_from", "merged_into"]


@dataclass(frozen=True)
class Ancestors:
    """The clusters of the run before.

    Attributes:
        run: Its Job's name.
        ids: cluster_id of each, shape (clusters,).
        centroids: shape (clusters, dimensions).
        sizes: Documents of each cluster, shape (clusters,).
    """

    run: str
    ids: Rows
    centroids: Vectors
    sizes: Rows


@dataclass(frozen=True)
class Step:
    """The change of one cluster: a row of lineage.parquet.

    Attributes:
        cluster_id: cluster_id of the cluster.
        event: The kind of change.
        other: With split_from and merged_into, the cluster_id of the other cluster.
        distance: Distance from the centroid to the previous one, its own or the other's; None with new and gone.
        documents: Number of its current documents.
        documents_before: Number of its documents in the previous run.
        kept: Number of documents in both runs; None, as the next two, if documents could not be compared.
        joined: Number of documents that it has gained.
        left: Number of documents that it has lost.
    """

    cluster_id: int
    event: Event
    other: int | None
    distance: float | None
    documents: int
    documents_before: int
    kept: int | None
    joined: int | None
    left: int | None


@dataclass(frozen=True)
class Succession:
    """How this run's clusters are numbered.

    Attributes:
        ids: cluster_id of each, largest first, shape (clusters,).
        next_id: the lowest number that was never used.
        steps: This run's clusters, largest first, and then those of the previous run that are gone.
    """

    ids: Rows
    next_id: int
    steps: Sequence[Step]


def limit_of(metric: str, spread: float) -> float:
    """Returns the maximum distance of two centroids of one cluster.

    Args:
        metric: cosine or euclidean.
        spread: root mean square distance of the documents from their mean.
    """
    return COSINE_LIMIT if metric == "cosine" else EUCLIDEAN_LIMIT * spread


def succeed(
    before: Ancestors, centroids: Vectors, sizes: Rows, shared: Any | None, metric: str, limit: float, next_id: int
) -> Succession:
    """Numbers the clusters of a run after those of the previous run.

    Args:
        before: The clusters of the previous run.
        centroids: Centroids of this run, shape (clusters, dimensions).
        sizes: documents per cluster, shape (clusters,).
        shared: sparse matrix of the documents that a cluster of the run before (row) and one of this run (column) both
            have; its last row and column are noise. None: not known.
        metric: cosine or euclidean.
        limit: Limit from `limit_of`.
        next_id: the lowest number that was never used.
    """
    partners = _partners(before.centroids, centroids, shared, metric, limit)
    own = partners >= 0
    ids = np.empty(len(centroids), np.int64)
    ids[own] = before.ids[partners[own]]
    next_id = max(next_id, int(before.ids.max(initial=-1)) + 1)
    ids[~own] = np.arange(next_id, next_id + int((~own).sum()))
    next_id += int((~own).sum())
    book = _Book(before, centroids, sizes, shared, metric, ids, partners)
    gone = np.setdiff1d(np.arange(len(before.ids)), partners[own])
    steps = [*map(book.of_present, range(len(ids))), *map(book.of_gone, gone.tolist())]
    return Succession(ids, next_id, steps)


def anew(sizes: Rows, next_id: int) -> Succession:
    """Numbers clusters without a previous run, largest first, from a number that was never used."""
    ids = np.arange(next_id, next_id + len(sizes), dtype=np.int64)
    steps = [
        Step(number, "new", None, None, size, 0, None, None, None)
        for number, size in zip(ids.tolist(), sizes.tolist(), strict=True)
    ]
    return Succession(ids, next_id + len(sizes), steps)


def match(distances: Doubles, shared: Doubles | None, limit: float) -> tuple[Rows, Rows]:
    """Pairs clusters of two runs.

    Of all ways to pair them, this has the least sum of distances, where a cluster of the smaller side without a partner
    counts as the limit. Of equal ways, it has the most documents that partners share.

    Args:
        distances: shape (before, now).
        shared: documents that both have, same shape; None if unknown.
        limit: Pairs further apart do not match.

    Returns:
        Rows and columns of the pairs.
    """
    step = STEP * limit or 1.0
    near = distances <= limit
    cost = np.where(near, np.rint(distances / step), round(1 / STEP) + 1)
    if shared is not None and shared.size:
        # This is less than one step for all pairs together.
        cost -= np.where(near, shared, 0) / (2 * min(cost.shape) * max(float(shared.max()), 1.0))
    before, now = linear_sum_assignment(cost)
    kept = near[before, now]
    return before[kept], now[kept]


def _partners(before: Vectors, now: Vectors, shared: Any | None, metric: str, limit: float) -> Rows:
    """Returns the partner of each of this run's clusters among the previous ones, -1 for none."""
    partners = np.full(len(now), -1, np.int64)
    if not len(before) or not len(now):
        return partners
    if max(len(before), len(now)) <= MOST_CLUSTERS:
        among = None if shared is None else shared[:-1, :-1].toarray().astype(np.float64)
        rows, columns = match(_distances(before, now, metric), among, limit)
    else:
        rows = np.arange(len(before))
        columns = NearestCentroid(now)(before).astype(np.int64)
        mutual = NearestCentroid(before)(now)[columns] == rows
        rows, columns = rows[mutual], columns[mutual]
        near = np.array(
            [_distance(before[p], now[c], metric) <= limit for p, c in zip(rows, columns, strict=True)], bool
        )
        rows, columns = rows[near], columns[near]
    partners[columns] = rows
    return partners


def _distances(before: Vectors, now: Vectors, metric: str) -> Doubles:
    """Of unit vectors, 1 - cos is half of the squared distance, which keeps its digits."""
    exact = before.astype(np.float64), now.astype(np.float64)
    found: Doubles = cdist(*exact, "sqeuclidean") / 2 if metric == "cosine" else cdist(*exact, "euclidean")
    return found


def _distance(before: Vectors, now: Vectors, metric: str) -> float:
    return float(_distances(before[None], now[None], metric)[0, 0])


class _Book:
    """Compares both runs, and determines the change of a cluster."""

    def __init__(
        self, before: Ancestors, now: Vectors, sizes: Rows, shared: Any | None, metric: str, ids: Rows, partners: Rows
    ) -> None:
        self._before, self._now, self._sizes, self._metric = before, now, sizes, metric
        self._ids, self._partners = ids, partners
        self._rows = None if shared is None else shared[:-1, :-1].tocsr()
        self._columns = None if self._rows is None else self._rows.tocsc()

    def of_present(self, cluster: int) -> Step:
        """Returns the step of a current cluster: kept, split from another one, or new."""
        number, size, partner = int(self._ids[cluster]), int(self._sizes[cluster]), int(self._partners[cluster])
        if partner >= 0:
            size_before = int(self._before.sizes[partner])
            kept = None if self._rows is None else int(self._rows[partner, cluster])
            joined, left = (None, None) if kept is None else (size - kept, size_before - kept)
            return Step(number, "kept", None, self._apart(partner, cluster), size, size_before, kept, joined, left)
        origin = None if self._columns is None else _holder_of_most(self._columns[:, [cluster]], size)
        counts = (None, None, None) if self._columns is None else (0, size, 0)
        if origin is None:
            return Step(number, "new", None, None, size, 0, *counts)
        other = int(self._before.ids[origin])
        return Step(number, "split_from", other, self._apart(origin, cluster), size, 0, *counts)

    def of_gone(self, cluster: int) -> Step:
        """Returns the step of a previous cluster: merged into another one, or gone."""
        number, size_before = int(self._before.ids[cluster]), int(self._before.sizes[cluster])
        target = None if self._rows is None else _holder_of_most(self._rows[[cluster]].T, size_before)
        counts = (None, None, None) if self._rows is None else (0, 0, size_before)
        if target is None:
            return Step(number, "gone", None, None, 0, size_before, *counts)
        return Step(
            number, "merged_into", int(self._ids[target]), self._apart(cluster, target), 0, size_before, *counts
        )

    def _apart(self, before: int, now: int) -> float:
        return _distance(self._before.centroids[before], self._now[now], self._metric)


def _holder_of_most(column: Any, size: int) -> int | None:
    """Returns the row that contains at least half of the documents; the first of equal rows."""
    counts = column.toarray()[:, 0]
    if not counts.size or 2 * counts.max() < max(size, 1):
        return None
    return int(counts.argmax())


def in_words(steps: Sequence[Step], renamed: Sequence[int], documents: int | None, moved: int | None) -> str:
    """Returns a summary of the changes in one line.

    Args:
        steps: Steps of all clusters.
        renamed: cluster_ids of kept clusters with another name.
        documents: Number of documents of both runs; None if unknown.
        moved: Number of these whose cluster changed.
    """
    kept = sum(step.event == "kept" for step in steps)
    fresh = [_described(step, "split from") for step in steps if step.event in ("new", "split_from")]
    gone = [_described(step, "merged into") for step in steps if step.event in ("gone", "merged_into")]
    parts = [f"{counted(kept, 'cluster')} kept"]
    changes = (("renamed", [str(number) for number in renamed]), ("new", fresh), ("gone", gone))
    parts += [f"{len(items):,} {word} ({_few(items)})" for word, items in changes if items]
    summary = ", ".join(parts)
    if documents:
        both = counted(documents, "document")
        summary += f"; {1 - (moved or 0) / documents:.1%} of {both} of both runs stayed in their cluster"
    return summary


def _described(step: Step, verb: str) -> str:
    return f"{step.cluster_id}" if step.other is None else f"{step.cluster_id} {verb} {step.other}"


def _few(items: Sequence[str]) -> str:
    return ", ".join(items[:5]) + (f" and {len(items) - 5:,} more" if len(items) > 5 else "")
