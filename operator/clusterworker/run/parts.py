"""Splits the documents of a run into parts that Spark's executors read, if the run's input selects Spark.

The functions of a local run read a part, and yield the same batches. The result for a document is therefore exactly
that of a local run. Sums of floating-point numbers are computed for each part and added in the order of the parts.
They can differ from those of a local run in the last digits.

Each task writes a file of a stage, and the driver combines the files. A retry of the run uses the files of earlier
attempts and computes the missing ones.
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
from clusterworker.run.workspace import Workspace

WAVES = 4
"""Intended number of parts per CPU of the executors, so that a slow executor delays a pass by one small part."""
LEAST_ROWS = 100_000
"""Minimum number of documents in a part: a smaller one takes longer to schedule than to read."""


class Executors(Protocol):
    """Carries out tasks; see clusterworker.spark."""

    @property
    def at_a_time(self) -> int:
        """Number of tasks that run at the same time."""

    def carry_out(self, task: Callable[[int], None], numbers: Sequence[int], progress: Progress) -> None:
        """Carry out a task for each of the numbers, in any order."""


class Parts:
    """The documents of a run in parts, and the results of the executors.

    Args:
        source: The documents.
        executors: Executors that carry out the tasks.
        stages: Storage for the results of tasks.
        scratch: Temporary directory of the driver.
        most: Maximum number of documents in a part; see `StreamedDataset.parts`.
        known: JSON value that distinguishes the run's files from those of another configuration.
        progress: Receives the progress of each pass.
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
        wanted = max(LEAST_ROWS, -(-source.rows // (executors.at_a_time * WAVES)))
        self.each = source.parts(min(most, wanted))
        self.progress = progress
        self._executors = executors
        # A file of another attempt is used if that attempt read the same files with the same configuration.
        read = [[part.first, part.rows, str(part.collection.fingerprint)] for part in self.each]
        self._digest = hashlib.sha256(json.dumps([known, read]).encode()).hexdigest()[:16]

    @property
    def notes(self) -> list[str]:
        """Notes for users about how the work is divided."""
        parts, tasks = len(self.each), self._executors.at_a_time
        notes = [f"{parts} parts of {self.rows} documents were read by Spark, {tasks} at a time"]
        if parts < tasks:
            notes.append(
                f"{tasks - parts} of {tasks} CPUs of the executors were idle: write the Parquet files with "
                "smaller row groups, or lower run.engine.executors"
            )
        return notes

    def stage(self, name: str, *depends_on: object) -> str:
        """Return the prefix of the names of a stage's files.

        Args:
            name: Name of the stage.
            depends_on: Values that the stage depends on besides the documents and the configuration: bytes, or objects
                that are converted to text.
        """
        fingerprint = hashlib.sha256()
        for value in depends_on:
            fingerprint.update(value if isinstance(value, bytes) else f"{value} ".encode())
        return f"{self._digest}-{name}-{fingerprint.hexdigest()[:16]}"

    def carry_out(self, stage: str, task: Callable[[int], None]) -> None:
        """Carry out a task for each part for which a stage has no file yet.

        Args:
            stage: Prefix from `stage`. The task writes the file `part_name(stage, number)` last.
            task: Takes the part's number; must be picklable.

        Raises:
            RunError: see `Executors.carry_out`.
        """
        names = self.stages.names()
        numbers = [part.number for part in self.each if part_name(stage, part.number) not in names]
        if len(numbers) < len(self.each):
            found = len(self.each) - len(numbers)
            self.progress.info(f"{found} of {len(self.each)} parts were done by an earlier attempt of this run")
        self._executors.carry_out(task, numbers, self.progress)

    def found(self, stage: str) -> Iterator[tuple[DatasetPart, dict[str, Any]]]:
        """Yield the arrays that tasks have written for each part, in the order of the documents."""
        for part in self.each:
            yield part, read_arrays(self.stages, part_name(stage, part.number))


@contextmanager
def open_parts(
    spec: Distributable,
    source: StreamedDataset,
    known: object,
    workspace: Workspace,
) -> Iterator[Parts | None]:
    """Start Spark if the run's input selects it; yield None if this process does the work.

    Args:
        spec: Spec of the run.
        source: Documents of the run.
        known: See `Parts`.
        workspace: Directories, memory and log of the run.

    Raises:
        RunError: Spark does not start.
    """
    if spec.engine is None or not spec.engine.distributes(source.rows):
        yield None
        return
    from clusterworker.spark.executors import started

    scratch, progress = workspace.scratch, workspace.progress
    with started(spec.engine, spec.run, scratch, workspace.memory, progress) as executors:
        stages = open_stages(spec, workspace.secrets)
        yield Parts(source, executors, stages, scratch, spec.engine.partition_rows, known, progress)


def part_name(stage: str, number: int, suffix: str = ".npz") -> str:
    """Return the name of the file with a stage's results for a part."""
    return f"{stage}-{number:05}{suffix}"


@contextmanager
def task_scratch() -> Iterator[Path]:
    """Yield a directory for a task's temporary files, on the machine that runs the task."""
    where = SCRATCH_MOUNT if Path(SCRATCH_MOUNT).is_dir() else None
    with tempfile.TemporaryDirectory(dir=where) as directory:
        yield Path(directory)


class Silent(Progress):
    """Ignores the progress of a task, because the driver reports the share of finished tasks."""

    def __init__(self) -> None:
        pass

    def advance(self, done: float, message: str = "") -> None:
        """Does nothing."""
