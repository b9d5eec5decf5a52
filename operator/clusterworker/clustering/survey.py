"""Passes over all documents after clustering, and computes everything that the results need of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clusterworker.clustering.algorithms.clustering import Clustering, means
from clusterworker.clustering.algorithms.nearest import NearestCentroid, NearestDirection, a_core_for_the_reader
from clusterworker.clustering.central import CentralDocuments
from clusterworker.clustering.quality import ClusterSums
from clusterworker.clustering.reservoir import Reservoir
from clusterworker.clustering.tally import Tally
from clusterworker.data.ahead import ahead
from clusterworker.data.arrays import NOISE, Doubles, Labels, Rows, Vectors
from clusterworker.data.dataset import (
    Dataset,
    DatasetPart,
    SpooledDataset,
    StreamedDataset,
    refuse_too_large,
    single_lengths,
)
from clusterworker.data.sources.batch import Batch
from clusterworker.process.progress import Progress

BLOCK_ROWS = 4_096
"""Number of centroids that are compared with means at a time."""
ROUNDED = 4
"""Units in the last place up to which a centroid in float32 is the rounded mean of its documents."""
SAMPLE_ROWS = 4_000
"""Number of documents that are kept for the picture, the silhouette and the baseline."""

Distances = npt.NDArray[np.float32]
MemberWriter = Callable[[Batch, Labels, Distances], None]


@dataclass
class Membership:
    """The clusters of documents, from one pass over them.

    Attributes:
        sizes: Documents per cluster.
        noise: Number of documents in no cluster.
        central: Most central documents per cluster.
        reservoir: Uniform sample with labels.
    """

    sizes: Rows
    noise: int
    central: CentralDocuments
    reservoir: Reservoir

    @property
    def documents(self) -> int:
        """Number of all documents, including noise."""
        return int(self.sizes.sum()) + self.noise

    @property
    def dimensions(self) -> int:
        """Length of the vectors."""
        return int(self.reservoir.vectors.shape[1])

    def state(self) -> dict[str, Any]:
        """Return the state as arrays, for `merge` in another process."""
        parts = {"central": self.central.state(), "sample": self.reservoir.state()}
        return {"sizes": self.sizes, "noise": np.array(self.noise), **_nested(parts)}

    def merge(self, state: Mapping[str, Any]) -> None:
        """Add the following documents, which another process has assigned to the same clusters.

        Args:
            state: Result of `state` in the other process.
        """
        self.sizes += state["sizes"]
        self.noise += int(state["noise"])
        self.central.merge(_part(state, "central"))
        self.reservoir.merge(_part(state, "sample"))

    def largest_first(self) -> Rows:
        """Numbers the clusters by size. Returns the former number of each, shape (clusters,)."""
        order = np.argsort(-self.sizes, kind="stable")
        places = np.empty_like(order)
        places[order] = np.arange(len(order))
        self.sizes = self.sizes[order]
        self.central.renumber(places)
        self.reservoir.renumber(places)
        return order


@dataclass
class Survey(Membership):
    """The survey of a clustering, with what quality measures and the baseline need.

    Attributes:
        sums: Sums for the quality measures.
        nearest: Documents per nearest centroid, including noise, which a later check can count again.
        total: Sum of all vectors, shape (dimensions,).
        total_squares: Sum of their squares, shape (dimensions,).
    """

    sums: ClusterSums
    nearest: Rows
    total: Doubles
    total_squares: Doubles

    def state(self) -> dict[str, Any]:
        """Returns the state as arrays, for `merge` in another process, without the means and centroids."""
        own = {"nearest": self.nearest, "total": self.total, "total_squares": self.total_squares}
        return {**super().state(), **own, **_nested({"sums": self.sums.state()})}

    def merge(self, state: Mapping[str, Any]) -> None:
        """See `Membership.merge`."""
        super().merge(state)
        self.sums.merge(_part(state, "sums"))
        self.nearest += state["nearest"]
        self.total += state["total"]
        self.total_squares += state["total_squares"]


def _nested(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the arrays of several parts, with the names of the parts as prefixes."""
    return {f"{part}.{name}": value for part, arrays in parts.items() for name, value in arrays.items()}


def _part(state: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Returns the arrays of one part, without the prefix."""
    start = f"{name}."
    return {key.removeprefix(start): value for key, value in state.items() if key.startswith(start)}


@dataclass(frozen=True)
class Place:
    """The position of a part of the documents among all of them.

    Attributes:
        first: Row number of its first document.
        rows: Number of all documents.
    """

    first: int
    rows: int


def survey(
    dataset: Dataset,
    clustering: Clustering,
    metric: str,
    seed: int,
    write: MemberWriter,
    progress: Progress,
    place: Place | None = None,
) -> Survey:
    """Passes over the documents once.

    Args:
        dataset: The documents that were clustered.
        clustering: The clusters.
        metric: Metric of the distance to the centroid: 1 - cos, or Euclidean.
        seed: Seed of the reservoir.
        write: Called with every batch, its labels, and its distances (NaN for noise).
        progress: Receives the progress of the pass.
        place: Position of these documents if they are only a part of those that were clustered; the clustering then has
            no labels.
    """
    sums, central = ClusterSums(clustering.means), CentralDocuments()
    first, rows = (place.first, place.rows) if place else (0, None)
    tally = Tally(clustering.centroids, SAMPLE_ROWS, seed, first=first, rows=rows)
    find = clustering.finder()
    exact = _ExactDistances(dataset, clustering, metric)
    row = noise = 0
    for batch in dataset.batches():
        vectors = np.asarray(batch.vectors)
        nearest = tally.add(vectors)
        if clustering.labels is not None:
            labels = clustering.labels[row : row + len(vectors)]
        else:
            labels = find(vectors) if find else nearest
        distances = exact(row, vectors, labels)
        write(batch, labels, distances)
        sums.add(vectors, labels)
        central.add(first + row, batch.ids, labels, distances)
        tally.offer(vectors, labels)
        noise += int((labels == NOISE).sum())
        row += len(vectors)
        progress.advance(row / dataset.rows)
    assert row == dataset.rows  # noqa: S101 - every pass yields all documents, see sources.collection.whole_pass
    return Survey(sums.counts, noise, central, tally.reservoir, sums, tally.counts, tally.total, tally.total_squares)


def nothing_yet(clustering: Clustering, seed: int) -> Survey:
    """Returns the survey of no documents, to which those of parts are added."""
    sums, tally = ClusterSums(clustering.means), Tally(clustering.centroids, SAMPLE_ROWS, seed)
    sizes = sums.counts.copy()  # `merge` adds to both
    return Survey(sizes, 0, CentralDocuments(), tally.reservoir, sums, tally.counts, tally.total, tally.total_squares)


def assign(
    dataset: StreamedDataset | DatasetPart,
    centroids: Vectors,
    metric: str,
    threshold: float,
    seed: int,
    write: MemberWriter,
    progress: Progress,
    place: Place | None = None,
) -> Membership:
    """Passes over the documents once, and assigns each to the nearest of the given centroids.

    The next batch is read at the same time.

    Args:
        dataset: The documents.
        centroids: Centroids of shape (clusters, dimensions), of unit length with metric cosine. If there are none, all
            documents are noise.
        metric: Metric of the distance to the centroid: 1 - cos, or Euclidean.
        threshold: A document is noise if its cosine similarity to the nearest centroid is lower.
        seed: Seed of the sample, whose vectors are those of the documents, of any length.
        write: Called with every batch, its labels, and its distances (NaN for noise).
        progress: Receives the progress of the pass.
        place: Position of these documents if they are only a part of those that are assigned.
    """
    found = nothing_assigned(centroids, seed, place)
    clusters = len(centroids)
    find = _nothing if not clusters else _by_cosine(centroids) if metric == "cosine" else _by_distance(centroids)
    first, row = place.first if place else 0, 0
    with a_core_for_the_reader():
        for batch in ahead(dataset.given()):
            nearest, apart, similarities = find(batch)
            inside = np.clip(similarities, -1, 1) >= threshold
            labels = np.where(inside, nearest, NOISE).astype(np.int32)
            distances = np.where(inside, apart, np.nan).astype(np.float32)
            write(batch, labels, distances)
            found.central.add(first + row, batch.ids, labels, distances)
            found.reservoir.add(first + row, batch.vectors, labels)
            found.sizes += np.bincount(labels[inside], minlength=clusters)
            found.noise += int((~inside).sum())
            row += len(labels)
            progress.advance(row / dataset.rows)
    return found


def nothing_assigned(centroids: Vectors, seed: int, place: Place | None = None) -> Membership:
    """Returns the membership of no documents, to which those of parts are added; see `assign` for the arguments."""
    clusters, dimensions = centroids.shape
    first, rows = (place.first, place.rows) if place else (0, None)
    reservoir = Reservoir(SAMPLE_ROWS, dimensions, seed, first, rows)
    return Membership(np.zeros(clusters, np.int64), 0, CentralDocuments(), reservoir)


_Find = Callable[[Batch], tuple[Labels, Doubles, Doubles]]
"""Returns each document's nearest centroid, the distance to it, and the cosine similarity with it."""


def _by_cosine(centroids: Vectors) -> _Find:
    nearest = NearestDirection(centroids)

    def find(batch: Batch) -> tuple[Labels, Doubles, Doubles]:
        labels, apart = nearest(batch.vectors, single_lengths(batch))
        return labels, apart, 1 - apart

    return find


def _by_distance(centroids: Vectors) -> _Find:
    nearest = NearestCentroid(centroids)
    of_centroids = np.einsum("ij,ij->i", centroids, centroids, dtype=np.float64)

    def find(batch: Batch) -> tuple[Labels, Doubles, Doubles]:
        vectors = refuse_too_large(batch)
        labels, found = nearest.with_squares(vectors)
        squares, others = np.maximum(found, 0), of_centroids[labels]
        own = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
        # ‖a - b‖² = ‖a‖² + ‖b‖² - 2ab; the similarity is 0 for zero vectors.
        cosines = (own + others - squares) / np.maximum(2 * np.sqrt(own * others), np.finfo(np.float64).tiny)
        return labels, np.sqrt(squares), np.where(own * others > 0, cosines, 0)

    return find


def _nothing(batch: Batch) -> tuple[Labels, Doubles, Doubles]:
    """Returns the result for no centroids."""
    rows = len(batch.vectors)
    return np.full(rows, NOISE, np.int32), np.full(rows, np.nan), np.full(rows, np.nan)


class _ExactDistances:
    """Computes distances to centroids that are as exact as the documents.

    In float32, a centroid far from the origin has lost digits of its distances. The mean of its documents in double
    precision replaces it, unless it is not their mean. Unit vectors with a common direction have lost them, too, and
    are replaced by what they differ by from it.
    """

    def __init__(self, dataset: Dataset | DatasetPart, clustering: Clustering, metric: str) -> None:
        self._metric = metric
        self._differences: Vectors | None = None
        self._centroids = clustering.centroids.astype(np.float64)
        mean, common = clustering.means, None
        if isinstance(dataset, SpooledDataset) and dataset.common is not None and clustering.labels is not None:
            self._differences, common = dataset.differences, dataset.common
            mean = means(dataset.differences, clustering.labels) + common
        for first in range(0, len(mean), BLOCK_ROWS):
            part = slice(first, first + BLOCK_ROWS)
            self._restore(part, mean[part], clustering.centroids[part])
        if common is not None:
            self._centroids -= common

    def _restore(self, part: slice, mean: Doubles, rounded: Vectors) -> None:
        """Replaces those of some centroids that are rounded means."""
        if self._metric == "cosine":
            mean = mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), np.finfo(np.float64).tiny)
        same = (np.abs(self._centroids[part] - mean) <= ROUNDED * np.spacing(np.abs(rounded))).all(axis=1)
        self._centroids[part][same] = mean[same]

    def __call__(self, row: int, vectors: Vectors, labels: Labels) -> Distances:
        """Returns the distance of each document to its own cluster's centroid, shape (rows,); NaN for noise.

        Args:
            row: Number of the first document.
            vectors: shape (rows, dimensions).
            labels: shape (rows,).
        """
        if self._differences is not None:
            vectors = self._differences[row : row + len(vectors)]
        distances = np.full(len(labels), np.nan, np.float32)
        inside = labels != NOISE
        apart = vectors[inside] - self._centroids[labels[inside]]
        squares = np.vecdot(apart, apart)
        # For unit vectors, 1 - cos is half of the squared distance, which is more precise.
        distances[inside] = squares / 2 if self._metric == "cosine" else np.sqrt(squares)
        return distances
