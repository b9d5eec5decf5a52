"""DBSCAN (Ester, Kriegel, Sander and Xu 1996); its memory does not grow with the neighbourhoods.

The version of scikit-learn keeps every document's neighbours, which are nearly all pairs with a large eps. Here,
distances are computed in blocks, and only the components of core points are kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from clustercontract.algorithms import DBSCAN
from clusterworker.clustering.algorithms.clustering import (
    NEARLY_ALL,
    Clustering,
    is_nearly_one,
    of_sample,
)
from clusterworker.clustering.algorithms.core_distance import as_digits, core_distances, reaches
from clusterworker.clustering.algorithms.distinct import Distinct, distinct
from clusterworker.clustering.algorithms.frame import Frame
from clusterworker.clustering.algorithms.pairs import Pairs
from clusterworker.clustering.algorithms.reduction import reduced_by, reduced_space, reduction_need
from clusterworker.clustering.algorithms.rule import ByNearest, renumbered
from clusterworker.clustering.algorithms.sample import all_or_sample, distance_in_sample
from clusterworker.clustering.algorithms.task import SampleTask, Task
from clusterworker.data.arrays import NOISE, Labels, Rows, Vectors

MOST_DOCUMENTS = 50_000
"""Number of documents above which core points are searched in a sample of this size, because time grows with the
square.
"""
NOTHING = "no cluster found, all documents are noise"
BLOCK_BYTES = 16 << 20
"""Bytes of distances at a time; with a large eps, lists of near pairs take ten times as much."""
ADVICE_ROWS = 500
ADVICE_SHARES = (0.1, 0.5)
TRIED_ROWS, TRIED_SHARES = 2_000, (0.1, 0.25, 0.5, 0.75, 0.9)
"""Maximum number of distinct vectors for which a lower eps is tried, and the shares of core points of those tried."""


def dbscan(task: Task, parameters: DBSCAN) -> Clustering:
    """Cluster by density at one distance; documents near no core point are noise.

    A document with `min_samples` documents within `eps`, itself included, is a core point; core points within eps of
    one another belong together, and every other document within eps of a core point joins the nearest one's cluster.
    Above `MOST_DOCUMENTS` only a sample may become core points (DBSCAN++, Jang and Jiang 2019).

    Raises:
        MisconfiguredError: min_samples is more than there are documents.
    """
    task.refuse_above_documents("min_samples", parameters.min_samples)
    need = reduction_need(parameters, task.dataset.dimensions)
    return all_or_sample(task, need, None, lambda part, _: _cluster(part, parameters), distance="eps")


def dbscan_of_sample(task: SampleTask, parameters: DBSCAN) -> Clustering:
    """Looks for core points in a sample, with one pass over all documents to count the near ones of each.

    Raises:
        MisconfiguredError: min_samples is more than there are documents, or eps is a distance between reduced vectors.
    """
    task.refuse_above_documents("min_samples", parameters.min_samples)
    if reduced_by(parameters, task.documents.dimensions) is not None:
        raise distance_in_sample("eps")
    training = task.draw(min(MOST_DOCUMENTS, task.affordable))
    points = distinct(training)
    counts = task.documents.count(WithinEps(points.vectors, parameters.eps, task.metric))
    cores = np.flatnonzero(counts >= parameters.min_samples)
    labels = _around(points, cores, parameters.eps, task.metric, Frame.of(points.vectors))
    notes = [
        f"core points were searched in a sample of {len(training)} of {task.documents.rows} documents; each of the "
        "others joins the cluster of its nearest core point, or is noise beyond eps"
    ]
    spread = points.spread(labels)
    if not cores.size:
        notes.append(f"{NOTHING}: raise eps")
    elif is_nearly_one(spread):
        notes.append("nearly all documents are in one cluster: lower eps")
    # Unit vectors have cosine distance ‖a - b‖² / 2.
    reach = float(np.sqrt(2 * parameters.eps)) if task.metric == "cosine" else parameters.eps

    def rule(former: Rows) -> ByNearest:
        if not cores.size:
            return ByNearest.of(points.vectors[:1], np.full(1, NOISE, np.int32))
        own = np.ascontiguousarray(points.vectors[cores])
        return ByNearest.of(own, renumbered(labels, former)[cores], np.full(len(cores), reach))

    return of_sample(training, spread, task.metric, rule, notes=notes)


@dataclass(frozen=True)
class WithinEps:
    """Counts the documents within eps of each of some points.

    Attributes:
        points: Points, shape (points, dimensions).
        eps: A distance of the metric.
        metric: cosine or euclidean.
    """

    points: Vectors
    eps: float
    metric: str

    def __call__(self, vectors: Vectors) -> Rows:
        """Returns the number of the vectors within eps of each point, shape (points,)."""
        pairs = Pairs(vectors, self.metric, self.points, Frame.of(self.points))
        counts = np.zeros(len(self.points), np.int64)
        size = pairs.block(BLOCK_BYTES)
        for first in range(0, len(vectors), size):
            counts += pairs.within(slice(first, first + size), slice(None), self.eps).sum(axis=0)
        return counts

    @property
    def depends_on(self) -> tuple[object, ...]:
        """What determines the counts, besides the documents."""
        return self.points.tobytes(), self.eps, self.metric


def _cluster(task: Task, parameters: DBSCAN) -> Clustering:
    space = reduced_space(task, parameters)
    points = distinct(space.vectors)
    rows = len(points)
    candidates = np.arange(rows)
    notes = list(space.notes)
    if rows > MOST_DOCUMENTS:
        candidates = np.unique(points.numbers[space.drawn(task, MOST_DOCUMENTS)])
        notes.append(
            f"{rows} {points.noun} are more than the limit of {MOST_DOCUMENTS} for comparing all pairs: core points "
            f"were searched in a sample of {len(candidates)} of them"
        )
    labels = points.spread(cluster_distinct(points, candidates, parameters, space.metric))
    is_all_noise = not (labels != NOISE).any()
    if is_all_noise or is_nearly_one(labels):
        notes.append(_advice(points, space.metric, parameters, task.seed, too_small=is_all_noise))
    return space.labelled(task, labels, notes)


def find_clusters(vectors: Vectors, candidates: Rows, parameters: DBSCAN, metric: str) -> Labels:
    """Returns a label per vector, shape (rows,).

    Args:
        vectors: Vectors, shape (rows, dimensions); of unit length with metric cosine.
        candidates: Rows that can become core points; so can their copies.
        parameters: eps and min_samples.
        metric: Metric of eps.
    """
    points = distinct(vectors)
    return points.spread(cluster_distinct(points, np.unique(points.numbers[candidates]), parameters, metric))


def cluster_distinct(points: Distinct, candidates: Rows, parameters: DBSCAN, metric: str) -> Labels:
    """Returns a label per distinct vector, which is weighted by its number of occurrences.

    Args:
        points: Vectors of unit length with metric cosine.
        candidates: Rows that can become core points, ascending.
        parameters: eps and min_samples.
        metric: Metric of eps.
    """
    pairs = Pairs(points.vectors, metric)
    counts = neighbour_counts(pairs, candidates, parameters.eps, np.minimum(points.counts, parameters.min_samples))
    cores = candidates[counts >= parameters.min_samples]
    return _around(points, cores, parameters.eps, metric, pairs.frame)


def _around(points: Distinct, cores: Rows, eps: float, metric: str, frame: Frame) -> Labels:
    """Returns the cluster of each distinct vector, given the rows that are core points, shape (distinct,)."""
    labels = np.full(len(points), NOISE, np.int32)
    if not cores.size:
        return labels
    core_vectors = np.ascontiguousarray(points.vectors[cores])
    labels[cores] = connected(Pairs(core_vectors, metric), eps)
    others = np.setdiff1d(np.arange(len(points)), cores, assume_unique=True)
    if others.size:
        border = Pairs(points.vectors[others], metric, core_vectors, frame)
        nearest, distances = border.nearest(BLOCK_BYTES)
        reached = distances <= eps
        labels[others[reached]] = labels[cores[nearest[reached]]]
    return labels


def neighbour_counts(pairs: Pairs, rows: Rows, eps: float, weights: Rows) -> Rows:
    """Returns how many documents are within eps of each of some rows, including itself, shape (len(rows),).

    Args:
        pairs: Pairs of distinct vectors.
        rows: Rows, ascending.
        eps: A distance of the pairs' metric.
        weights: Documents per vector, limited to the relevant number. Sums are exact below 2^24, and correct to 1e-7
            above.
    """
    counts = np.zeros(len(rows), np.int64)
    size = pairs.block(BLOCK_BYTES)
    whole = len(rows) == len(pairs)
    numbers = weights.astype(np.float32)
    alone = bool((weights == 1).all())

    def total(near: npt.NDArray[np.bool_], columns: slice) -> Rows:
        if alone:
            return np.asarray(near.sum(axis=1), np.int64)
        return np.asarray(near.astype(np.float32) @ numbers[columns], np.int64)

    for first in range(0, len(rows), size):
        part = slice(first, first + size)
        if whole:  # Each pair is computed once.
            near = pairs.within(part, slice(first, None), eps)
            counts[part] += total(near, slice(first, None))
            counts[first + size :] += total(near[:, size:].T, part)
        else:
            counts[part] = total(pairs.within(rows[part], slice(None), eps), slice(None))
    return counts


def connected(pairs: Pairs, eps: float) -> Labels:
    """Numbers the components of vectors within eps of each other, shape (rows,)."""
    rows = len(pairs)
    components = np.arange(rows)
    size = pairs.block(BLOCK_BYTES)
    for first in range(0, rows, size):
        near = pairs.within(slice(first, first + size), slice(first, None), eps)
        here, there = np.nonzero(near)
        components = _joined(components, components[first + here], components[first + there])
    return components.astype(np.int32)


def _joined(components: Rows, left: Rows, right: Rows) -> Rows:
    """Joins components pair by pair and renumbers them."""
    apart = left != right
    if not apart.any():
        return components
    count = int(components.max()) + 1
    links: npt.NDArray[np.int8] = np.ones(int(apart.sum()), np.int8)
    graph = sparse.coo_array((links, (left[apart], right[apart])), shape=(count, count))
    numbers = sparse.csgraph.connected_components(graph, directed=False)[1]
    return np.asarray(numbers[components], np.int64)


def _advice(points: Distinct, metric: str, parameters: DBSCAN, seed: int, *, too_small: bool) -> str:
    """Returns advice about eps: the distances at which documents of a sample become core points.

    A lower one is tried if there are few enough documents.
    """
    outcome = NOTHING if too_small else "nearly all documents are in one cluster"
    if len(points) == 1:
        return f"{outcome}, because all vectors are equal"
    documents, copies = int(points.counts.sum()), int(points.counts.max())
    if not too_small and copies > NEARLY_ALL * documents:
        return f"{outcome}, because {copies} of the {documents} documents have equal vectors, which no eps separates"
    pairs = Pairs(points.vectors, metric)
    chosen = np.sort(np.random.default_rng(seed).choice(len(pairs), min(ADVICE_ROWS, len(pairs)), replace=False))
    apart, counts = pairs.distances(chosen), points.counts[chosen]
    samples, subject = parameters.min_samples, f"documents have {parameters.min_samples}"
    cores, weights = core_distances(apart, samples, points.counts), counts
    if not reaches(cores, weights, (0.5,))[0]:  # Copies are at distance 0, which no eps separates.
        subject = "distinct vectors have another"
        cores, weights = core_distances(apart, 2), np.ones_like(counts)
    found = reaches(cores, weights, ADVICE_SHARES)
    if too_small:
        return f"{outcome}: raise eps; {_within(subject, found)}"
    lower = [reach if 0 < reach < parameters.eps else None for reach in found]
    tried = len(points) <= TRIED_ROWS
    for eps in sorted({reach for reach in reaches(cores, weights, TRIED_SHARES) if 0 < reach < parameters.eps})[::-1]:
        if not tried:
            return f"{outcome}: lower eps; {_within(subject, lower)}" if any(lower) else f"{outcome}: lower eps"
        labels = points.spread(
            cluster_distinct(points, np.arange(len(points)), parameters.model_copy(update={"eps": eps}), metric)
        )
        clusters = len(np.unique(labels[labels != NOISE]))
        if clusters > 1 and not is_nearly_one(labels):
            named = f"{_within(subject, lower)}; " if any(lower) else ""
            return f"{outcome}: lower eps; {named}set eps: {as_digits(eps)}, which finds {clusters}"
    return (
        f"{outcome}: no region is denser than others around it, also with a lower eps: use algorithm: kmeans to "
        "divide them"
    )


def _within(subject: str, found: Sequence[float | None]) -> str:
    """Returns the distances within which shares of the documents are core points; None is not named."""
    tenth, half = (None if reach is None else as_digits(reach) for reach in found)
    if tenth is None:
        return f"half of the {subject} within {half}"
    return f"a tenth of the {subject} within {tenth}" + (f", half of them within {half}" if half else "")
