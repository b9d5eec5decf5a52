"""Reads the documents for a check: collects everything that the metrics need, in bounded memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from clustercontract.baseline import RESERVOIR_ROWS
from clusterworker.clustering.algorithms.nearest import a_core_for_the_reader
from clusterworker.clustering.tally import Tally
from clusterworker.data.ahead import ahead
from clusterworker.data.arrays import Doubles, Rows, Vectors
from clusterworker.data.dataset import in_range, refuse_too_large, single_lengths
from clusterworker.data.sources.batch import Batch
from clusterworker.data.sources.collection import Collection, whole_pass
from clusterworker.drift.baseline import StoredBaseline
from clusterworker.process.progress import Progress

_BLOCK_ROWS = 1_024
"""Number of documents that are processed at a time. They fit into the processor's cache, and their sums are exact to
six digits in float32.
"""


@dataclass(frozen=True)
class Profile:
    """Summary of the documents; with metric cosine, of vectors of unit length.

    Attributes:
        documents: Number of documents.
        total: Σx, shape (dimensions,).
        total_squares: Σx² per dimension, shape (dimensions,).
        counts: Documents per nearest centroid of the baseline, shape (clusters,).
        reservoir: uniform sample for mmd_rbf and domain_auc, shape (≤ RESERVOIR_ROWS, dimensions).
    """

    documents: int
    total: Doubles
    total_squares: Doubles
    counts: Rows
    reservoir: Vectors

    @property
    def mean(self) -> Doubles:
        """Mean of the vectors, shape (dimensions,)."""
        return np.asarray(self.total / self.documents)


def profile(collections: Sequence[Collection], baseline: StoredBaseline, seed: int, progress: Progress) -> Profile:
    """Reads all documents once.

    Args:
        collections: Collections with the baseline's dimensions.
        baseline: Determines the centroids, and whether vectors are scaled to unit length.
        seed: Seed of the reservoir.
        progress: Receives the progress.

    Raises:
        MisconfiguredError: bad data, named by file and row.
        UnavailableError: a source does not answer.
    """
    rows = sum(collection.rows for collection in collections)
    profiling = Profiling(baseline, seed)
    with a_core_for_the_reader():
        for batch in ahead(_batches(collections, unit=baseline.metric == "cosine")):
            profiling.add(batch)
            progress.advance(profiling.documents / rows)
    # The memory of batches would otherwise stay reserved while samples are compared.
    pa.default_memory_pool().release_unused()
    return profiling.profile()


class Profiling:
    """The sums while documents are read.

    Args:
        baseline: See `profile`, and so is the seed.
        seed: Seed of the reservoir.
        first: Row number of the first document, if only a part of the documents is added.
        rows: Number of all documents, if only a part of them is added.
    """

    def __init__(self, baseline: StoredBaseline, seed: int, *, first: int = 0, rows: int | None = None) -> None:
        self._unit = baseline.metric == "cosine"
        around = (baseline.total / baseline.documents).astype(np.float32)
        self._tally = Tally(baseline.centroids, RESERVOIR_ROWS, seed, around, first=first, rows=rows)

    @property
    def documents(self) -> int:
        """Number of documents so far."""
        return self._tally.documents

    def add(self, batch: Batch) -> None:
        """Adds a batch."""
        if not self._unit:
            refuse_too_large(batch)
        norms = single_lengths(batch) if self._unit else None
        for first in range(0, len(batch.vectors), _BLOCK_ROWS):
            rows = slice(first, first + _BLOCK_ROWS)
            self._tally.add(batch.vectors[rows] if norms is None else batch.vectors[rows] / norms[rows, None])
        self._tally.offer(batch.vectors)

    def state(self) -> dict[str, Any]:
        """Returns the sums as arrays, for `merge` in another process."""
        return self._tally.state()

    def merge(self, state: Mapping[str, Any]) -> None:
        """Adds the following documents, which another process has read.

        Args:
            state: Result of `state` in the other process.
        """
        self._tally.merge(state)

    def profile(self) -> Profile:
        """Returns the profile of the documents so far."""
        tally = self._tally
        if self._unit:
            tally.reservoir.scale()
        return Profile(tally.documents, tally.total, tally.total_squares, tally.counts, tally.reservoir.vectors)


def _batches(collections: Sequence[Collection], *, unit: bool) -> Iterator[Batch]:
    for index, collection in enumerate(collections):
        for batch in whole_pass(collection, index):
            yield in_range(batch, unit=unit)
