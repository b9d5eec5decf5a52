"""Writes a run's folder, and removes the folders of earlier runs. Design record: docs/design/results.md."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Protocol

from clustercontract.container import ResultsTarget
from clusterworker.process.command import Mounts
from clusterworker.process.errors import MisconfiguredError, RunError
from clusterworker.run.results.record import SPEC, RunRecord
from clusterworker.storage.addresses import bucket_at

_MOST_ACTIVE = 100
"""Number of runs of one trigger that can be active in addition to those in its history. Their input is kept as long."""


class Target(Protocol):
    """Location of results: `<uri of the results>/<namespace>/<trigger>/<run>/`."""

    @property
    def uri(self) -> str:
        """The run's folder."""

    def prepare(self, scratch: Path) -> Path:
        """Removes what crashed attempts left, and returns an empty directory to write files into.

        Raises:
            MisconfiguredError: nothing can be written there.
        """

    def publish(self, staged: Path) -> None:
        """Replaces the run's folder by the files in the directory."""

    def put_beside(self, name: str, content: bytes) -> None:
        """Writes a file beside the trigger's folders atomically: a reader sees the old content or the new one."""

    def abandon(self) -> None:
        """Removes what this or an earlier attempt has left unfinished."""

    def finished(self) -> list[RunRecord]:
        """Returns the finished runs of this trigger, in any order: complete folders with a record."""

    def remove(self, run: str) -> None:
        """Removes a finished run's folder.

        It becomes incomplete atomically, and is then deleted. It is not an error if it does not exist.
        """

    def keep_spec(self, content: bytes) -> None:
        """Writes the run's input before the run does anything. A failed run leaves only this file in its folder.

        Args:
            content: Content of the file SPEC.

        Raises:
            RunError: it cannot be written, in one line.
        """

    def forget_specs(self, most: int) -> None:
        """Removes the inputs of runs that left nothing else, except the newest.

        Args:
            most: Number of inputs to keep.

        Raises:
            RunError: the storage does not let us, in one line.
        """

    def kept_spec(self) -> bytes | None:
        """Returns the run's input; None if it does not exist.

        Raises:
            RunError: it may be there and cannot be read, in one line.
        """

    @property
    def spec_places(self) -> tuple[str, ...]:
        """Where the input can be."""

    def clear_remnants(self, before: datetime) -> None:
        """Finishes interrupted removals of runs of this trigger that finished before an instant."""


class Destination(Protocol):
    """Identifies a run's folder; a RunSpec contains this, among other things."""

    @property
    def namespace(self) -> str:
        """Namespace of the trigger."""

    @property
    def trigger(self) -> str:
        """Name of the trigger."""

    @property
    def run(self) -> str:
        """Name of the run's Job."""

    @property
    def results(self) -> ResultsTarget:
        """Location of the trigger's results."""


class RunInput(Destination, Protocol):
    """The input of a run: a RunSpec, or that of another action."""

    @property
    def history_limit(self) -> int:
        """Number of results folders to keep."""

    def model_dump_json(self, *, exclude_none: bool, indent: int) -> str:
        """Returns JSON, as every model of pydantic does."""


def folder_of(run: Destination) -> str:
    """Returns the path or address of a run's folder.

    Raises:
        MisconfiguredError: a name would lead elsewhere.
    """
    names = (run.namespace, run.trigger, run.run)
    for name in names:
        if not name or "/" in name or name.startswith("."):
            raise MisconfiguredError(
                f"{name!r} is not a valid name of a Kubernetes object: results cannot be stored under it"
            )
    return "/".join([run.results.uri.rstrip("/"), *names])


def open_target(spec: Destination, secrets_root: Path) -> Target:
    """Returns the target of a RunSpec, or of another description of a run.

    Raises:
        MisconfiguredError: A name would lead elsewhere, or the Secret is missing.
    """
    from clusterworker.run.results.bucket import BucketTarget
    from clusterworker.run.results.volume import VolumeTarget

    uri = folder_of(spec)
    bucket = bucket_at(uri, spec.results, secrets_root)
    return BucketTarget(bucket) if bucket else VolumeTarget(uri)


@contextmanager
def staging(spec: RunInput, mounts: Mounts) -> Iterator[tuple[Target, Path, Path]]:
    """Prepares a run's folder, which then contains only the file SPEC.

    Args:
        spec: The run's input.
        mounts: Directories of Secrets and scratch space.

    Yields:
        Where the folder goes, the directory that becomes it, and a scratch directory. Both directories go in the end.

    Raises:
        RunError: nothing can be written there.
    """
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clusterworker-", dir=mounts.scratch)))
        target = open_target(spec, mounts.secrets)
        staged = target.prepare(scratch)
        stack.callback(target.abandon)
        content = spec.model_dump_json(exclude_none=True, indent=2).encode() + b"\n"
        target.keep_spec(content)
        with suppress(RunError):  # A run does not fail because of leftovers of older ones.
            target.forget_specs(spec.history_limit + _MOST_ACTIVE)
        (staged / SPEC).write_bytes(content)
        yield target, staged, scratch
