"""Clusters a sample if there are too many documents, and assigns the other documents to its clusters.

A sample thins all regions equally, so dense ones stay denser than their surroundings. Each of the other documents joins
the cluster of its nearest sampled neighbour, which can be noise. A document that is much farther from that neighbour
than the documents of its cluster are from theirs is noise too, as it would have been among all documents.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from clusterworker.clustering.algorithms.clustering import Clustering, LayeredClusters, centroids_of, labelled, means
from clusterworker.clustering.algorithms.density_tree import fence
from clusterworker.clustering.algorithms.distinct import noun, occurrences
from clusterworker.clustering.algorithms.frame import Frame
from clusterworker.clustering.algorithms.neighbours import BLOCK_BYTES, CLOSE, EXACT_ROWS, LOST, index_of
from clusterworker.clustering.algorithms.pairs import Pairs
from clusterworker.clustering.algorithms.rule import ByNearest
from clusterworker.clustering.algorithms.task import InMemory, SampleTask, Task
from clusterworker.data.arrays import NOISE, Doubles, Labels, Rows, Vectors
from clusterworker.data.prints import prints
from clusterworker.data.sources.batch import BATCH_ROWS
from clusterworker.process.errors import MisconfiguredError

ALLOCATED = 400 << 20
"""Bytes that the worker uses before it clusters: the libraries, and a batch of documents."""
FEWEST_DOCUMENTS = 2_000
"""Minimum size of a sample. A smaller one would miss most clusters."""
MOST_SAMPLED = 50_000
"""Maximum size of a sample with which documents are compared that are not in memory, because each of them is compared
with all of the sample.
"""
FEWEST_IN_CLUSTER = 5
"""Lower limit of a minimum cluster size that decreases with the sample."""
JOINED = "the others join the cluster of their nearest sampled neighbour"
JOINED_OR_NOISE = f"{JOINED}, or are noise far from it"
FAR = -1
MOST_SLACK = 0.5
"""Maximum slack as a share of the median distance between sampled documents, where small distances are exact."""


@dataclass(frozen=True)
class Need:
    """Memory of a step that has all documents in memory at the same time.

    Attributes:
        step: Its name in messages.
        bytes_per_vector: Bytes for each distinct vector, in addition to the vectors themselves if they are in a file.
    """

    step: str
    bytes_per_vector: int


@dataclass(frozen=True)
class Least:
    """The parameter with the minimum number of documents of a cluster.

    Attributes:
        name: Name of the parameter.
        size: Number of documents.
    """

    name: str
    size: int


def all_or_sample(
    task: Task,
    need: Need | None,
    least: Least | None,
    cluster: Callable[[Task, int], Clustering],
    *,
    noise: bool = True,
    distance: str | None = None,
) -> Clustering:
    """Clusters all documents if the memory is sufficient, or else the largest sample that fits.

    Args:
        task: All documents.
        need: Memory that decides; None if all documents fit.
        least: The size that decreases with the sample, if the algorithm has one.
        cluster: Clusters the documents of a task with this minimum size of a cluster (0 without one).
        noise: Whether a document can be in no cluster.
        distance: Parameter that is a distance after a reduction, because it would have another meaning in the reduction
            of a sample.

    Raises:
        MisconfiguredError: the memory does not suffice, and a sample would not do.
    """
    size = least.size if least else 0
    shortage = None if need is None else _shortage(task, need)
    if shortage is None:
        return cluster(task, size)
    rows, fitting = task.dataset.rows, shortage.fitting
    if distance or fitting < FEWEST_DOCUMENTS:
        why = (
            f"a sample cannot be used, because {distance} is a distance between the reduced vectors of all documents"
            if distance
            else f"a sample of {FEWEST_DOCUMENTS} documents does not fit either"
        )
        raise MisconfiguredError(
            f"{shortage.description}, and {why}: raise run.resources.limits.memory, or use algorithm: kmeans"
        )
    note = f"{shortage.description}: clustered a sample of {fitting} of {rows} documents"
    if least and (smaller := thinned(size, fitting / rows)) != size:
        note += f" with {least.name} {smaller} instead of {size}"
        size = smaller
    note += f"; {JOINED_OR_NOISE if noise else JOINED}"
    task.progress.info(f"clustering a sample of {fitting} documents, because the memory is too small for {rows}")
    chosen = draw(task.dataset.vectors, fitting, task.seed)
    found = cluster(_part(task, chosen), size)
    task.progress.info(f"assigning {rows - fitting} documents to the clusters of the sample")
    nearest = nearest_sampled(task.dataset.differences, chosen, task.seed, on_progress=task.progress.advance)
    places = nearest.joining(_finest(found)) if noise else nearest.places
    result = _spread(task, found, chosen, places)
    result.notes.insert(0, note)
    return result


def of_sample(
    task: SampleTask,
    need: Need | None,
    least: Least | None,
    cluster: Callable[[Task, int], Clustering],
    *,
    noise: bool = True,
    distance: str | None = None,
    most: int = MOST_SAMPLED,
) -> Clustering:
    """Clusters a sample of documents that are not in memory; the others join the cluster of their nearest one.

    Args:
        task: All documents.
        need: Memory of the clustering, except the vectors; None if it needs little.
        least: See `all_or_sample`.
        cluster: See `all_or_sample`.
        noise: See `all_or_sample`.
        distance: Parameter that is a distance after a reduction.
        most: Maximum size of the sample.

    Raises:
        MisconfiguredError: the memory does not suffice, or the parameter has another meaning in a sample.
    """
    if distance:
        raise distance_in_sample(distance)
    rows, own = task.documents.rows, 4 * task.documents.dimensions
    fitting = max((task.memory - ALLOCATED) // (2 * own + (need.bytes_per_vector if need else 0)), 0)
    if fitting < min(rows, FEWEST_DOCUMENTS):
        raise MisconfiguredError(
            f"a sample of {FEWEST_DOCUMENTS} documents of {task.documents.dimensions} dimensions does not fit into "
            f"{task.memory >> 20} MiB: raise run.resources.limits.memory, or use algorithm: kmeans"
        )
    training = task.draw(min(most, fitting))
    size = least.size if least else 0
    note = f"clustered a sample of {len(training)} of {rows} documents"
    if least and (smaller := thinned(size, len(training) / rows)) != size:
        note += f" with {least.name} {smaller} instead of {size}"
        size = smaller
    found = cluster(task.among(training), size)
    if found.labels is None:
        raise TypeError("labels of a sample")
    nearest = nearest_sampled(training, np.arange(len(training)), task.seed) if noise else None
    rule = ByNearest.of(training, found.labels, nearest.reaches(found.labels) if nearest else None)
    notes = [f"{note}; {JOINED_OR_NOISE if noise else JOINED}", *found.notes]
    # Positions of some of the documents are not a layout from which the next run could start.
    return replace(found, labels=None, rule=rule, notes=notes, layout=None, modes=None)


def distance_in_sample(parameter: str) -> MisconfiguredError:
    """Returns the error that a distance between reduced vectors has another meaning in a sample."""
    return MisconfiguredError(
        f"a sample cannot be used, because {parameter} is a distance between the reduced vectors of all documents: set "
        "reduce: none, or run.engine.type: local"
    )


def thinned(size: int, share: float) -> int:
    """Returns the minimum size of a cluster in a sample.

    Args:
        size: The minimum size among all documents.
        share: Share of all documents that are in the sample.
    """
    return max(min(size, FEWEST_IN_CLUSTER), round(share * size))


def draw(vectors: Vectors, count: int, seed: int) -> Rows:
    """Draws documents uniformly, without replacement: row numbers, ascending, shape (count,).

    A hash of the vector decides, so that the next sample of nearly the same documents is nearly the same.

    Args:
        vectors: of all documents, shape (rows, dimensions).
        count: at most rows.
        seed: Seed of the draw.
    """
    hashes = prints(vectors)
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    first = np.r_[True, ordered[1:] != ordered[:-1]]
    steps = np.arange(len(order))
    copy = np.empty(len(order), np.uint64)
    # Each of several equal vectors is drawn separately.
    copy[order] = steps - np.maximum.accumulate(np.where(first, steps, 0))
    keys = _mixed(_mixed(hashes + np.uint64(seed % 2**64)) + copy)
    return np.sort(np.argsort(keys, kind="stable")[:count])


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Returns 64-bit numbers that look random: Steele, Lea and Flood 2014, SplitMix."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


@dataclass(frozen=True)
class Nearest:
    """The nearest sampled documents of documents.

    Attributes:
        places: Place in the sample of the one nearest to each document, shape (rows,).
        distances: Distance to it, shape (rows,).
        own: Distance of each sampled document to the nearest other one, shape (sampled,).
        slack: Part of these distances that can be caused by rounding.
    """

    places: Rows
    distances: Doubles
    own: Doubles
    slack: float

    def joining(self, labels: Labels) -> Rows:
        """Returns the places, and FAR for documents that are too far away to join the cluster.

        Args:
            labels: Cluster of each sampled document, or NOISE, shape (sampled,).
        """
        return np.where(self.distances <= self.reaches(labels)[self.places], self.places, FAR)

    def reaches(self, labels: Labels) -> Doubles:
        """Returns the distance from each sampled document above which others do not join its cluster, shape (sampled,).

        Beyond, a document is farther than all but outliers among the sampled documents of the cluster are from one
        another. There is no such distance for noise.

        Args:
            labels: Cluster of each sampled document, or NOISE, shape (sampled,).
        """
        reach = np.full(labels.max(initial=NOISE) + 2, np.inf)  # The last number is for noise.
        order = np.argsort(labels, kind="stable")
        ordered = labels[order]
        for cluster in range(len(reach) - 1):
            first, end = np.searchsorted(ordered, [cluster, cluster + 1])
            own = self.own[order[first:end]]
            if own.size and np.isfinite(own).all():
                reach[cluster] = fence(*np.quantile(own, [0.25, 0.75])) + self.slack
        return np.asarray(reach[labels])


def nearest_sampled(
    vectors: Vectors, chosen: Rows, seed: int, on_progress: Callable[[float], None] = lambda _done: None
) -> Nearest:
    """Returns the nearest sampled document of each document.

    Equal vectors have the same one, and a sampled document has an equal one. Above 50,000 sampled documents, an
    inverted file nearly always finds the nearest.

    Args:
        vectors: of all documents, shape (rows, dimensions); of unit length with metric cosine.
        chosen: Rows that are in the sample, ascending.
        seed: Seed of the inverted file.
        on_progress: Called with the completed share.
    """
    first, numbers, _ = occurrences(vectors)
    kinds, places = np.unique(numbers[chosen], return_index=True)
    sample = np.ascontiguousarray(vectors[first[kinds]])
    frame = Frame.of(sample)
    framed = frame.into(sample)
    index = index_of(framed, seed)
    nearest, squares = np.empty(len(first), np.int64), np.empty(len(first))
    own = np.empty(len(kinds))
    sampled = np.zeros(len(first), bool)
    sampled[kinds] = True
    steps, done = [(np.flatnonzero(~sampled), 1), (kinds, 2)], 0
    for rows, count in steps:  # A sampled document finds itself and the nearest other one.
        for start in range(0, len(rows), BATCH_ROWS):
            part = rows[start : start + BATCH_ROWS]
            lengths, found = index.search(np.ascontiguousarray(frame.into(vectors[first[part]])), count)
            lengths[found < 0] = np.inf
            if count == 1:
                nearest[part], squares[part] = found[:, 0], lengths[:, 0]
            else:
                place = slice(start, start + len(part))
                nearest[part], squares[part] = np.arange(len(kinds))[place], 0
                others = np.where(found == nearest[part][:, None], np.inf, lengths)
                own[place] = others.min(axis=1)
            done += len(part)
            on_progress(done / len(first))
    scale = frame.scale if frame.needed else 1.0
    lengths = np.vecdot(framed, framed)
    slack = math.sqrt(2 * LOST * float(np.median(lengths))) / scale
    others = np.flatnonzero(~sampled)
    close_own = np.flatnonzero(own < CLOSE * lengths)
    close = others[squares[others] < CLOSE * lengths[nearest[others]]]
    own, squares = own / scale**2, squares / scale**2
    if len(sample) <= EXACT_ROWS:
        del index, framed  # as large as what follows
        _compare_closer(sample, frame, close_own, own)
        for start in range(0, len(close), BATCH_ROWS):
            part = close[start : start + BATCH_ROWS]
            nearest[part], distances = Pairs(vectors[first[part]], "euclidean", sample, frame).nearest(BLOCK_BYTES)
            squares[part] = distances**2
        apart = own[np.isfinite(own) & (own > 0)]
        slack = min(slack, MOST_SLACK * math.sqrt(float(np.median(apart)))) if apart.size else slack
    own_distances, distances = (np.sqrt(np.maximum(each, 0)) for each in (own, squares))
    own_of_each = own_distances[np.searchsorted(kinds, numbers[chosen])]
    return Nearest(places[nearest][numbers], distances[numbers], own_of_each, slack)


def _compare_closer(sample: Vectors, frame: Frame, rows: Rows, own: Doubles) -> None:
    """Computes the squared distances of some sampled documents to the nearest other one from differences, in place."""
    if rows.size:
        _, distances = Pairs(sample[rows], "euclidean", sample, frame).nearest(BLOCK_BYTES, besides=rows)
        own[rows] = distances**2


@dataclass(frozen=True)
class _Shortage:
    """The memory is too small.

    Attributes:
        description: What needs how much memory, for messages.
        fitting: Number of documents for which the memory is sufficient.
    """

    description: str
    fitting: int


def _shortage(task: Task, need: Need) -> _Shortage | None:
    """Returns what the memory is too small for; None if it is sufficient."""
    rows, dimensions = task.dataset.rows, task.dataset.dimensions
    free, own = task.memory - ALLOCATED, 4 * dimensions
    if rows * (need.bytes_per_vector + own) <= free:
        return None
    distinct = len(occurrences(task.dataset.vectors)[0])
    copied = own if distinct < rows else 0  # `distinct` copies the distinct vectors.
    needed = distinct * (need.bytes_per_vector + copied)
    if needed <= free:
        return None
    description = (
        f"{need.step} of {distinct} {noun(rows, distinct)} of {dimensions} dimensions needs about "
        f"{(ALLOCATED + needed) >> 20} MiB, and the container may use {task.memory >> 20}"
    )
    return _Shortage(description, max(free // (need.bytes_per_vector + own + copied), 0))


def at_places(labels: Labels, places: Rows) -> Labels:
    """Returns the labels at places in a sample, and NOISE where a place is FAR."""
    return np.append(labels, np.int32(NOISE))[places]


def _part(task: Task, chosen: Rows) -> Task:
    """Returns the sample, with what is known about it from the previous run."""
    start = task.start
    if start is not None:
        labels, last = start.labels, start.positions
        start = replace(
            start,
            labels=None if labels is None else labels[chosen],
            positions=None if last is None else last.at(chosen),
        )
    dataset = task.dataset
    own = np.ascontiguousarray(dataset.vectors[chosen])
    less_common = None if dataset.common is None else np.ascontiguousarray(dataset.differences[chosen])
    return replace(task, dataset=InMemory(own, less_common, dataset.common), start=start)


def _finest(found: Clustering) -> Labels:
    """Returns the smallest cluster that contains each sampled document, among those of all layers."""
    assert found.labels is not None  # noqa: S101 - no algorithm that compares documents leaves them out
    if found.layered is None:
        return found.labels
    finest = np.full(len(found.labels), NOISE, np.int32)
    count = 0
    for labels in found.layered.labels:
        finest = np.where(finest == NOISE, np.where(labels == NOISE, NOISE, labels + count), finest)
        count += int(labels.max(initial=NOISE)) + 1
    return finest


def _spread(task: Task, found: Clustering, chosen: Rows, places: Rows) -> Clustering:
    """Returns the value of the nearest sampled neighbour of every document, or noise if it is FAR."""
    vectors = task.dataset.vectors
    assert found.labels is not None  # noqa: S101 - as above
    labels = at_places(found.labels, places)
    result = labelled(vectors, labels, task.metric, notes=found.notes, has_inertia=found.has_inertia)
    result.begun = found.begun
    if found.layout is not None:
        values = np.full((len(vectors), found.layout.values.shape[1]), np.nan, np.float32)
        values[chosen] = found.layout.values
        result.layout = replace(found.layout, values=values)
    if found.modes is not None:
        result.modes = found.modes[np.argsort(-np.bincount(labels[labels != NOISE]), kind="stable")]
    if found.layered is not None:
        result.layered = _spread_layers(task, found.layered, places)
    return result


def _spread_layers(task: Task, layered: LayeredClusters, places: Rows) -> LayeredClusters:
    """Returns the same for each layer, with clusters numbered by size again."""
    labels: list[Labels] = []
    numbers: list[Rows] = []
    for sampled in layered.labels:
        spread = at_places(sampled, places)
        sizes = np.bincount(spread[spread != NOISE])
        number = np.full(len(sizes) + 1, NOISE, np.int64)
        number[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
        labels.append(number[spread].astype(np.int32))  # Noise, -1, is the last.
        numbers.append(number[:-1])
    parents = [
        [
            None if above is None else (above[0], int(numbers[above[0]][above[1]]))
            for above in (layered.parents[layer][old] for old in np.argsort(number).tolist())
        ]
        for layer, number in enumerate(numbers)
    ]
    centroids = [centroids_of(means(task.dataset.vectors, own), task.metric) for own in labels]
    return replace(layered, labels=labels, centroids=centroids, parents=parents)
