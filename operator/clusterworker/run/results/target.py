"""Where a run's folder goes, and what becomes of the folders of earlier runs.

Design record: docs/design/results.md.
"""

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
"""Runs of one trigger that can be active in addition to those in its history. Their input is kept as long."""


class Target(Protocol):
    """Where results go: `<uri of the results>/<namespace>/<trigger>/<run>/`."""

    @property
    def uri(self) -> str:
        """The run's folder."""

    def prepare(self, scratch: Path) -> Path:
        """Remove what crashed attempts left, and return an empty directory to write files into.

        Raises:
            MisconfiguredError: nothing can be written there.
        """

    def publish(self, staged: Path) -> None:
        """Make the files in the directory the run's folder, in place of any earlier one."""

    def put_beside(self, name: str, content: bytes) -> None:
        """Write a file beside the trigger's folders, in one step: a reader sees the old content or the new one."""

    def abandon(self) -> None:
        """Remove what this or an earlier attempt left half done."""

    def finished(self) -> list[RunRecord]:
        """Return the finished runs of this trigger, in any order: whole folders with a record."""

    def remove(self, run: str) -> None:
        """Remove a finished run's folder: in one step it is no longer whole, and then gone; if it is gone, fine."""

    def keep_spec(self, content: bytes) -> None:
        """Write the run's input before it does anything. A failed run leaves only this in its folder.

        Args:
            content: of the file SPEC.

        Raises:
            RunError: it cannot be written, in one line.
        """

    def forget_specs(self, most: int) -> None:
        """Remove the inputs of runs that left nothing else, except the newest.

        Args:
            most: how many stay.

        Raises:
            RunError: the storage does not let us, in one line.
        """

    def kept_spec(self) -> bytes | None:
        """Return the run's input; None if it is missing.

        Raises:
            RunError: it may be there and cannot be read, in one line.
        """

    @property
    def spec_places(self) -> tuple[str, ...]:
        """Where that may be."""

    def clear_remnants(self, before: datetime) -> None:
        """Finish removals that were interrupted, of runs of this trigger that finished before an instant."""


class Destination(Protocol):
    """Which run's folder is meant: a RunSpec says it, among other things."""

    @property
    def namespace(self) -> str:
        """Namespace of the trigger."""

    @property
    def trigger(self) -> str:
        """Its name."""

    @property
    def run(self) -> str:
        """The Job's name."""

    @property
    def results(self) -> ResultsTarget:
        """Where the trigger's results are."""


class Told(Destination, Protocol):
    """The input of a run: a RunSpec, or that of another action."""

    @property
    def history_limit(self) -> int:
        """Folders of results to keep."""

    def model_dump_json(self, *, exclude_none: bool, indent: int) -> str:
        """As every model of pydantic."""


def folder_of(run: Destination) -> str:
    """Return the path or address of a run's folder.

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
    """Return the target that a RunSpec, or another description of a run, names.

    Raises:
        MisconfiguredError: A name would lead elsewhere, or the Secret is missing.
    """
    from clusterworker.run.results.bucket import BucketTarget
    from clusterworker.run.results.volume import VolumeTarget

    uri = folder_of(spec)
    bucket = bucket_at(uri, spec.results, secrets_root)
    return BucketTarget(bucket) if bucket else VolumeTarget(uri)


@contextmanager
def staging(spec: Told, mounts: Mounts) -> Iterator[tuple[Target, Path, Path]]:
    """Prepare a run's folder, which then holds the file SPEC and nothing else.

    Args:
        spec: The run's input.
        mounts: where Secrets and scratch space are.

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
        told = spec.model_dump_json(exclude_none=True, indent=2).encode() + b"\n"
        target.keep_spec(told)
        with suppress(RunError):  # a run does not fail for what older ones left
            target.forget_specs(spec.history_limit + _MOST_ACTIVE)
        (staged / SPEC).write_bytes(told)
        yield target, staged, scratch
