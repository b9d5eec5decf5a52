"""A clustering whose documents are read by Spark's executors: sampled, assigned and surveyed part by part.

A part is read by the very functions that a local run uses, and yields the same batches. So every document gets the
label and the distance that it gets in a local run with the same centroids, and the sample, the central documents and
all counts are equal too. Sums of floating-point numbers are added up per part, and the parts in their order: they may
differ from a local run's in the last digits.

Each task writes a file of a stage, and the driver puts the files together. A retry of the run finds the files of the
attempt before, and does what is missing.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow.parquet as pq

from clustercontract.clustering import ClusteringConfig
from clustercontract.container import SCRATCH_MOUNT
from clusterworker.clustering.algorithms.clustering import Clustering
from clusterworker.clustering.algorithms.start import Begun
from clusterworker.clustering.survey import Place, Survey, nothing_yet, survey
from clusterworker.data.arrays import Rows, Vectors
from clusterworker.data.dataset import DatasetPart, StreamedDataset, drawn, picked
from clusterworker.data.sources.batch import Batch, FilePlace
from clusterworker.process.progress import Progress
from clusterworker.run.results.previous import Shared
from clusterworker.run.results.stages import Stages, read_arrays, write_arrays
from clusterworker.run.results.tables import MembersTable, members_schema, members_writer, renumbered

if TYPE_CHECKING:
    from collections.abc import Callable

WAVES = 4
"""Parts per executor's CPU, at least: an executor that is late delays the pass by a part of its work only."""
LEAST_ROWS = 100_000
"""A part of fewer documents costs more to hand out than to read."""


class Executors(Protocol):
    """What carries out tasks: see clusterworker.spark."""

    @property
    def at_a_time(self) -> int:
        """Tasks that are carried out at the same time."""

    def carry_out(self, task: Callable[[int], None], numbers: Sequence[int], progress: Progress) -> None:
        """Carry out a task for each of the numbers, in any order."""


@dataclass(frozen=True)
class Model:
    """Everything that a part is surveyed with.

    Attributes:
        centroids: shape (clusters, dimensions).
        means: of the clusters, shape (clusters, dimensions).
        metric: cosine or euclidean.
        seed: of the reservoir.
        rows: all documents.
        collection_ids: in the order of the RunSpec.
    """

    centroids: Vectors
    means: Any
    metric: str
    seed: int
    rows: int
    collection_ids: Sequence[str]


class DistributedDataset:
    """The documents of a run in parts, which executors read.

    Args:
        source: the documents.
        executors: carry out the tasks.
        stages: where tasks leave what they find.
        scratch: directory of the driver.
        most: documents of a part; see `StreamedDataset.parts`.
        config: of the clustering.
        progress: receives the progress of each pass.
    """

    def __init__(
        self,
        source: StreamedDataset,
        executors: Executors,
        stages: Stages,
        scratch: Path,
        most: int,
        config: ClusteringConfig,
        progress: Progress,
    ) -> None:
        self.rows = source.rows
        self.dimensions = source.dimensions
        self.integer_ids = source.integer_ids
        self.batches = source.batches
        wished = max(LEAST_ROWS, -(-source.rows // (executors.at_a_time * WAVES)))
        self.parts = source.parts(min(most, wished))
        self._executors = executors
        self._stages = stages
        self._scratch = scratch
        self._progress = progress
        # A file of another attempt counts if that attempt read the same files, with the same configuration.
        read = [[part.first, part.rows, str(part.collection.fingerprint)] for part in self.parts]
        known = json.dumps([config.model_dump(mode="json"), read])
        self._digest = hashlib.sha256(known.encode()).hexdigest()[:16]

    @property
    def notes(self) -> list[str]:
        """What a person should know of how the work is divided."""
        parts, tasks = len(self.parts), self._executors.at_a_time
        notes = [f"{parts} parts of {self.rows} documents were read by Spark, {tasks} at a time"]
        if parts < tasks:
            notes.append(
                f"{tasks - parts} of {tasks} CPUs of the executors had nothing to do: write the Parquet files with "
                "smaller row groups, or lower run.engine.executors"
            )
        return notes

    def sample(self, size: int, seed: int) -> tuple[Rows, Vectors]:
        """See clusterworker.data.dataset.Sampled: the same documents as a local run draws."""
        chosen = drawn(self.rows, size, seed)
        stage = f"{self._digest}-sample-{seed}-{len(chosen)}"
        firsts = [part.first for part in self.parts]
        bounds = np.append(np.searchsorted(chosen, firsts), len(chosen))
        rows = [chosen[bounds[n] : bounds[n + 1]] - first for n, first in enumerate(firsts)]
        self._carry_out(stage, partial(_sample, self._stages, stage, self.parts, rows))
        vectors = np.empty((len(chosen), self.dimensions), np.float32)
        for number in range(len(self.parts)):
            vectors[bounds[number] : bounds[number + 1]] = read_arrays(self._stages, _name(stage, number))["vectors"]
        return chosen, vectors

    def kept(self, key: str, train: Callable[[], Clustering]) -> Clustering:
        """Return the clustering that an attempt before has trained, or train it and keep it.

        Args:
            key: of what the clustering depends on, besides the documents and the configuration.
            train: makes it.
        """
        name = f"{self._digest}-model-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"
        if name in self._stages.names():
            self._progress.info("the clusters were trained by an earlier attempt of this run")
            return _clustering_of(read_arrays(self._stages, name))
        clustering = train()
        write_arrays(self._stages, name, _arrays_of(clustering), self._scratch)
        return clustering

    def survey(
        self, clustering: Clustering, metric: str, seed: int, collection_ids: Sequence[str]
    ) -> DistributedSurvey:
        """Assign all documents to their nearest centroids, in one pass."""
        model = Model(clustering.centroids, clustering.means, metric, seed, self.rows, list(collection_ids))
        of_model = hashlib.sha256(clustering.centroids.tobytes() + clustering.means.tobytes()).hexdigest()[:16]
        stage = f"{self._digest}-members-{of_model}-{seed}"
        self._carry_out(stage, partial(_survey, self._stages, stage, self.parts, model))
        found = nothing_yet(clustering, seed)
        for number in range(len(self.parts)):
            found.merge(read_arrays(self._stages, _name(stage, number)))
        members = [_name(stage, number, ".parquet") for number in range(len(self.parts))]
        return DistributedSurvey(found, self._stages, members, list(collection_ids), integer_ids=self.integer_ids)

    def _carry_out(self, stage: str, task: Callable[[int], None]) -> None:
        there = self._stages.names()
        numbers = [part.number for part in self.parts if _name(stage, part.number) not in there]
        if len(numbers) < len(self.parts):
            found = len(self.parts) - len(numbers)
            self._progress.info(f"{found} of {len(self.parts)} parts were done by an earlier attempt of this run")
        self._executors.carry_out(task, numbers, self._progress)


@dataclass(frozen=True)
class DistributedSurvey:
    """What the executors have found and written.

    Attributes:
        survey: of all documents.
        stages: where the members are.
        files: with the members of each part, in order.
        collection_ids: in the order of the RunSpec.
        integer_ids: whether document ids are integers.
    """

    survey: Survey
    stages: Stages
    files: Sequence[str]
    collection_ids: Sequence[str]
    integer_ids: bool

    def compare(self, shared: Shared, progress: Progress) -> None:
        """Count the documents that the run before had, too."""
        several = len(self.collection_ids) > 1
        for number, table in enumerate(self._tables()):
            # The run before is known by ids: vectors are not needed, and were not written.
            index = self.collection_ids.index(table["collection_id"][0].as_py()) if several else 0
            ids = table["document_id"].combine_chunks()
            none = np.empty((0, 0), np.float32)
            shared.add(Batch(ids, none, index, FilePlace("members", 0)), table["cluster_id"].to_numpy())
            progress.advance(min(1.0, number * len(table) / max(self.survey.documents, 1)))

    def write_members(self, file: Path, ids: Rows) -> None:
        """Write members.parquet, as a local run does: one file, a row group per batch, in the order of the documents.

        Args:
            file: to write.
            ids: cluster_id by place, shape (clusters,).
        """
        schema = members_schema(integer_ids=self.integer_ids, tells_collections=len(self.collection_ids) > 1)
        with members_writer(file, schema) as writer:
            for table in self._tables():
                writer.write_table(renumbered(table, ids))

    def _tables(self) -> Iterator[Any]:
        """The row groups of all parts, in order: one group is in the memory at a time."""
        for name in self.files:
            with self.stages.open(name) as opened, pq.ParquetFile(opened, pre_buffer=False) as members:
                for group in range(members.num_row_groups):
                    yield members.read_row_group(group)


def _sample(stages: Stages, stage: str, parts: Sequence[DatasetPart], rows: Sequence[Rows], number: int) -> None:
    """A task: the vectors of some rows of a part."""
    with tempfile.TemporaryDirectory(dir=_scratch()) as scratch:
        vectors = picked(parts[number], rows[number])
        write_arrays(stages, _name(stage, number), {"vectors": vectors}, Path(scratch))


def _survey(stages: Stages, stage: str, parts: Sequence[DatasetPart], model: Model, number: int) -> None:
    """A task: the members of a part, and what the results need of it. The sums are written last."""
    part = parts[number]
    clustering = Clustering(model.centroids, model.means, None)
    with tempfile.TemporaryDirectory(dir=_scratch()) as scratch:
        with (
            stages.create(_name(stage, number, ".parquet"), Path(scratch)) as file,
            MembersTable(file, model.collection_ids, integer_ids=part.integer_ids) as members,
        ):
            place = Place(part.first, model.rows)
            found = survey(part, clustering, model.metric, model.seed, members.write, _SILENT, place)
        write_arrays(stages, _name(stage, number), found.state(), Path(scratch))


class _Silent(Progress):
    """The driver tells how far a pass is, by the tasks that are done."""

    def __init__(self) -> None:
        pass

    def advance(self, done: float, message: str = "") -> None:
        """Nobody reads it."""


_SILENT = _Silent()


def _scratch() -> str | None:
    return SCRATCH_MOUNT if Path(SCRATCH_MOUNT).is_dir() else None


def _name(stage: str, number: int, suffix: str = ".npz") -> str:
    return f"{stage}-{number:05}{suffix}"


def _arrays_of(clustering: Clustering) -> dict[str, Any]:
    begun = clustering.begun and [clustering.begun.start, clustering.begun.better]
    said = json.dumps([clustering.has_inertia, clustering.notes, begun]).encode()
    return {"centroids": clustering.centroids, "means": clustering.means, "said": np.frombuffer(said, np.uint8)}


def _clustering_of(arrays: Mapping[str, Any]) -> Clustering:
    has_inertia, notes, begun = json.loads(arrays["said"].tobytes())
    return Clustering(
        arrays["centroids"],
        arrays["means"],
        None,
        has_inertia=has_inertia,
        notes=notes,
        begun=Begun(*begun) if begun else None,
    )
