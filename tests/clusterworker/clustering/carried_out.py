"""Clusterings without files: from batches to quality measures, in a few milliseconds."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from clustercontract.clustering import ClusteringConfig
from clusterworker.clustering.algorithms import choice
from clusterworker.clustering.quality import Quality
from clusterworker.clustering.survey import survey
from clusterworker.data.arrays import Labels, Vectors
from clusterworker.data.dataset import SpooledDataset, StreamedDataset
from clusterworker.data.sources.batch import Batch, FilePlace
from clusterworker.process.progress import Progress


class InMemory:
    """A collection of given vectors."""

    collection_id, has_integer_ids, embedding_model = "col_0", True, ""

    def __init__(self, vectors: Vectors) -> None:
        self.rows, self.dimensions = vectors.shape
        self._vectors = vectors

    def batches(self, index: int) -> Iterator[Batch]:
        size = max(1, self.rows // 2)
        for first in range(0, self.rows, size):
            part = self._vectors[first : first + size]
            yield Batch(pa.array(range(first, first + len(part))), part, index, FilePlace("a.parquet", first))


def carried_out(
    vectors: Vectors, *, memory: Any = 1 << 30, **config: Any
) -> tuple[Labels, Vectors, Quality, list[str]]:
    """Labels, the vectors as they were clustered, the quality and the notes of a clustering without files."""
    parsed = ClusteringConfig.model_validate(config)
    progress = Progress(io.StringIO())
    with tempfile.TemporaryDirectory() as scratch:
        dataset = _spooled(vectors, parsed.metric, progress, scratch)
        found = choice.cluster(dataset, parsed, 7, memory, progress)
        labels: list[Labels] = []
        surveyed = survey(dataset, found, parsed.metric, 7, lambda _, part, __: labels.append(part), progress)
        sample = surveyed.reservoir
        quality = surveyed.sums.quality(sample.vectors, sample.labels, parsed.metric, has_inertia=found.has_inertia)
        return np.concatenate(labels), np.array(dataset.vectors), quality, [*found.notes, *quality.notes]


def distances_of(vectors: Vectors, **config: Any) -> tuple[Labels, Vectors, list[list[int]]]:
    """Labels, distances to the centroid, and the rows of the central documents of each cluster."""
    parsed = ClusteringConfig.model_validate(config)
    progress = Progress(io.StringIO())
    with tempfile.TemporaryDirectory() as scratch:
        dataset = _spooled(vectors, parsed.metric, progress, scratch)
        found = choice.cluster(dataset, parsed, 7, 1 << 30, progress)
        parts: list[tuple[Labels, Vectors]] = []
        surveyed = survey(dataset, found, parsed.metric, 7, lambda _, *part: parts.append(part), progress)
    central = [[each.row for each in surveyed.central.of(number)] for number in range(len(found.centroids))]
    labels, distances = (np.concatenate(each) for each in zip(*parts, strict=True))
    return labels, distances, central


def as_told_apart(vectors: Vectors, metric: str) -> Vectors:
    """Returns rows that are equal where algorithms treat documents as copies, shape (rows, twice the dimensions).

    Around a common direction, the differences from it have digits that unit vectors in single precision lack.
    """
    with tempfile.TemporaryDirectory() as scratch:
        dataset = _spooled(vectors, metric, Progress(io.StringIO()), scratch)
        return np.hstack([dataset.vectors, dataset.differences])


def _spooled(vectors: Vectors, metric: str, progress: Progress, scratch: str) -> SpooledDataset:
    collection: Any = InMemory(vectors)
    return SpooledDataset(StreamedDataset([collection], metric, progress), Path(scratch))
