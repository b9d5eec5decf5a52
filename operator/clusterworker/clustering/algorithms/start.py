"""Defines what an algorithm starts from: the clusters and the layout of the previous run, so that clusters last.

Matching alone is not sufficient. For two k-means runs on 3,003 package descriptions that differ only in the seed, the
best possible matching gives 60 % of the documents the same id.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from clusterworker.data.arrays import Hashes, Labels, Rows, Vectors

MARGIN = 0.01
"""A fresh start is used if it is better by more than this share of inertia or likelihood."""

PLACING_ROUNDS = 3
PLACED_SHARE = 0.5
"""A document with at least this number of neighbours that have a position gets their mean. With fewer, it belongs to a
new topic. Between the clusters of its few neighbours, such a topic would not come together.
"""
OUTSIDE = 1.5
"""Factor by which such documents start farther out than nearly all others."""
RESHAPING_SHARE = 0.1
"""If at least this share of the vectors is new, the others move as far as the layout takes them; with fewer, part of
the way; with none, not at all. In twenty runs on package descriptions, 1 % of which were replaced each time, 97.5 % of
the others then stayed in their HDBSCAN cluster from run to run, and 94.4 % if they always moved the whole way. The
clusters of the last run agreed with Debian's sections equally well. If the others never moved, noise grew run by run.
"""


@dataclass(frozen=True)
class Positions:
    """Positions in a layout.

    Attributes:
        by: What computed the layout.
        values: Positions, shape (rows of this run, dimensions of the layout), NaN for a new document.
        settings: How it was computed, None if unknown; positions of other settings are a start, but not to be kept.
        hashes: Hash of the vector at each position, shape (rows,); None if they are unknown.
    """

    by: str
    values: Vectors
    settings: str | None = None
    hashes: Hashes | None = None

    def at(self, rows: Rows) -> "Positions":
        """Returns the positions of some rows, in their order."""
        return replace(self, values=self.values[rows], hashes=None if self.hashes is None else self.hashes[rows])


@dataclass(frozen=True)
class LastLayout:
    """The layout of the previous run, from which this one starts.

    Attributes:
        run: That run's Job's name.
        values: Positions, shape (vectors, dimensions of the layout), NaN for a new vector; most have one.
        moving: How far vectors that have a position move: 0, where no vector is new, to 1, as far as the layout takes
            them.
    """

    run: str
    values: Vectors
    moving: float

    @property
    def stays(self) -> bool:
        """Whether it is the layout of this run, too."""
        return self.moving == 0

    @property
    def note(self) -> str:
        """The note of a run whose layout it is, too."""
        return f"no vector is new: the layout of {self.run} was used again"

    def towards(self, layout: Vectors) -> Vectors:
        """Returns the layout of this run.

        Args:
            layout: Positions to which vectors move that may do so, shape (vectors, dimensions of the layout).
        """
        way = np.where(np.isnan(self.values[:, :1]), np.float32(1), np.float32(self.moving))
        return np.asarray(layout - (1 - way) * (layout - np.nan_to_num(self.values)), np.float32)


@dataclass(frozen=True)
class Begun:
    """What clusters started from.

    Attributes:
        start: The previous run, or a fresh start.
        better: Why a fresh start was used; empty with the previous run.
    """

    start: Literal["last", "fresh"]
    better: str = ""


@dataclass(frozen=True)
class Start:
    """What is known about the previous run.

    Attributes:
        run: Its Job's name.
        centroids: Centroids of its clusters, shape (clusters, dimensions).
        labels: Former cluster of this run's documents, as a place among the centroids, NOISE for documents in none or
            new ones, shape (rows,); None if unknown.
        positions: Positions of its documents in its layout, if it had one.
        modes: For mean_shift: the final position of each cluster's window, in the layout if it had one, shape
            (clusters, dimensions); None if unknown.
    """

    run: str
    centroids: Vectors
    labels: Labels | None = None
    positions: Positions | None = None
    modes: Vectors | None = None

    def begun(self, better: float, measure: str) -> Begun:
        """Returns what clusters started from.

        Args:
            better: By which share a fresh start was better; 0 if it was not used.
            measure: Name of the measure.
        """
        if better <= 0:
            return Begun("last")
        reason = f"a fresh start was better by {better:.1%} of {measure} than a start from the clusters of {self.run}"
        return Begun("fresh", reason)


def placed(last: Vectors, neighbours: npt.NDArray[Any], seed: int) -> Vectors:
    """Returns a position for every document, from which a layout starts.

    Args:
        last: Positions, shape (rows, components), NaN if there is none; most rows have one.
        neighbours: Neighbours of each row, itself first, shape (rows, count).
        seed: Seed of the positions of new topics.

    Returns:
        Shape (rows, components), finite.
    """
    start = np.array(last, np.float32)
    for _ in range(PLACING_ROUNDS):
        missing = np.flatnonzero(np.isnan(start[:, 0]))
        if not missing.size:
            return start
        around = start[neighbours[missing, 1:]]
        known = np.isfinite(around[:, :, 0])
        sums = np.where(known[:, :, None], around, 0).sum(axis=1)
        counts = known.sum(axis=1)
        found = counts >= PLACED_SHARE * (neighbours.shape[1] - 1)
        start[missing[found]] = sums[found] / counts[found, None]
    missing = np.flatnonzero(np.isnan(start[:, 0]))
    if missing.size:
        start[missing] = _outside(start, missing, neighbours, np.random.default_rng(seed))
    return start


def _outside(
    start: Vectors, missing: npt.NDArray[np.int64], neighbours: npt.NDArray[Any], generator: np.random.Generator
) -> Vectors:
    """Returns positions of new topics, in which documents that neighbours connect are close together."""
    rows = len(start)
    heads = np.repeat(missing, neighbours.shape[1])
    graph = sparse.csr_array((np.ones(len(heads), np.int8), (heads, neighbours[missing].ravel())), shape=(rows, rows))
    _, groups = connected_components(graph[missing][:, missing], directed=False)
    known = start[np.isfinite(start[:, 0])]
    centre = known.mean(axis=0)
    radius = float(np.quantile(np.linalg.norm(known - centre, axis=1), 0.95))
    directions = generator.normal(size=(int(groups.max()) + 1, start.shape[1]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    spread = radius / 20 * generator.normal(size=(len(missing), start.shape[1]))
    return np.asarray(centre + OUTSIDE * radius * directions[groups] + spread, np.float32)
