"""The documents of a run in parts, which Spark's executors read: the one place that chooses Spark.

A part is read by the very functions that a local run uses, and yields the same batches. So what is found for a
document is what a local run finds for it, bit for bit. Sums of floating-point numbers are added up per part, and the
parts in their order: they may differ from a local run's in the last digits.

Each task writes a file of a stage, and the driver puts the files together. A retry of the run finds the files of the
attempt before, and does what is missing.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from clustercontract.container import SCRATCH_MOUNT
from clusterworker.data.dataset import DatasetPart, StreamedDataset
from clusterworker.process.progress import Progress
from clusterworker.run.results.stages import Distributable, Stages, open_stages, read_arrays

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


class Parts:
    """The documents of a run in parts, and what executors find in them.

    Args:
        source: the documents.
        executors: carry out the tasks.
        stages: where tasks leave what they find.
        scratch: directory of the driver.
        most: documents of a part; see `StreamedDataset.parts`.
        known: of the run, what tells its files apart from those of another configuration, for JSON.
        progress: receives the progress of each pass.
    """

    def __init__(
        self,
        source: StreamedDataset,
        executors: Executors,
        stages: Stages,
        scratch: Path,
        most: int,
        known: object,
        progress: Progress,
    ) -> None:
        self.source = source
        self.rows = source.rows
        self.stages = stages
        self.scratch = scratch
        wished = max(LEAST_ROWS, -(-source.rows // (executors.at_a_time * WAVES)))
        self.each = source.parts(min(most, wished))
        self.progress = progress
        self._executors = executors
        # A file of another attempt counts if that attempt read the same files, with the same configuration.
        read = [[part.first, part.rows, str(part.collection.fingerprint)] for part in self.each]
        self._digest = hashlib.sha256(json.dumps([known, read]).encode()).hexdigest()[:16]

    @property
    def notes(self) -> list[str]:
        """What a person should know of how the work is divided."""
        parts, tasks = len(self.each), self._executors.at_a_time
        notes = [f"{parts} parts of {self.rows} documents were read by Spark, {tasks} at a time"]
        if parts < tasks:
            notes.append(
                f"{tasks - parts} of {tasks} CPUs of the executors had nothing to do: write the Parquet files with "
                "smaller row groups, or lower run.engine.executors"
            )
        return notes

    def stage(self, name: str, *depends_on: object) -> str:
        """Return what the names of a stage's files begin with.

        Args:
            name: of the stage.
            depends_on: besides the documents and the configuration; each is bytes, or has a text.
        """
        told = hashlib.sha256()
        for one in depends_on:
            told.update(one if isinstance(one, bytes) else f"{one} ".encode())
        return f"{self._digest}-{name}-{told.hexdigest()[:16]}"

    def carry_out(self, stage: str, task: Callable[[int], None]) -> None:
        """Carry out a task for each part of which a stage has no file yet.

        Args:
            stage: from `stage`; the task writes the file `part_name(stage, number)` last.
            task: takes the part's number, and can be pickled.

        Raises:
            RunError: as of `Executors.carry_out`.
        """
        there = self.stages.names()
        numbers = [part.number for part in self.each if part_name(stage, part.number) not in there]
        if len(numbers) < len(self.each):
            found = len(self.each) - len(numbers)
            self.progress.info(f"{found} of {len(self.each)} parts were done by an earlier attempt of this run")
        self._executors.carry_out(task, numbers, self.progress)

    def found(self, stage: str) -> Iterator[tuple[DatasetPart, dict[str, Any]]]:
        """Yield the arrays that tasks have left for each part, in the order of the documents."""
        for part in self.each:
            yield part, read_arrays(self.stages, part_name(stage, part.number))


@contextmanager
def open_parts(
    spec: Distributable,
    source: StreamedDataset,
    known: object,
    scratch: Path,
    secrets: Path,
    memory: int,
    progress: Progress,
) -> Iterator[Parts | None]:
    """Choose where the work is done, as the run's input says; yield None where this process does it.

    Args:
        spec: of the run.
        source: its documents.
        known: see Parts.
        scratch: directory for temporary files.
        secrets: where Secrets are mounted.
        memory: bytes that the container may use.
        progress: receives the progress.

    Raises:
        RunError: Spark does not start.
    """
    if spec.engine is None or not spec.engine.distributes(source.rows):
        yield None
        return
    from clusterworker.spark.executors import started

    with started(spec.engine, spec.run, scratch, memory, progress) as executors:
        stages = open_stages(spec, secrets)
        yield Parts(source, executors, stages, scratch, spec.engine.partition_rows, known, progress)


def part_name(stage: str, number: int, suffix: str = ".npz") -> str:
    """Return the name of the file in which a stage keeps what was found in a part."""
    return f"{stage}-{number:05}{suffix}"


@contextmanager
def task_scratch() -> Iterator[Path]:
    """Yield a directory for the temporary files of a task, where the task is carried out."""
    where = SCRATCH_MOUNT if Path(SCRATCH_MOUNT).is_dir() else None
    with tempfile.TemporaryDirectory(dir=where) as directory:
        yield Path(directory)


class Silent(Progress):
    """The driver tells how far a pass is, by the tasks that are done."""

    def __init__(self) -> None:
        pass

    def advance(self, done: float, message: str = "") -> None:
        """Nobody reads it."""
