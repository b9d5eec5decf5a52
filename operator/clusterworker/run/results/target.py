"""Where a run's folder goes, and what becomes of the folders of earlier runs.

Design record: docs/design/results.md.
"""

from datetime import datetime
from pathlib import Path
from typing import Protocol

from clustercontract.run import RunSpec
from clusterworker.process.errors import MisconfiguredError
from clusterworker.run.results.record import RunRecord
from clusterworker.storage.addresses import bucket_at


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

    def point_latest(self, record: RunRecord) -> None:
        """Write LATEST beside the trigger's folders, in one step."""

    def abandon(self) -> None:
        """Remove what this or an earlier attempt left half done."""

    def finished(self) -> list[RunRecord]:
        """Return the finished runs of this trigger, in any order: whole folders with a record."""

    def remove(self, run: str) -> None:
        """Remove a finished run's folder: in one step it is no longer whole, and then gone; if it is gone, fine."""

    def clear_remnants(self, before: datetime) -> None:
        """Finish removals that were interrupted, of runs of this trigger that finished before an instant."""


def open_target(spec: RunSpec, secrets_root: Path) -> Target:
    """Return the target that the RunSpec names.

    Raises:
        MisconfiguredError: a name would lead elsewhere, or the Secret is not there.
    """
    from clusterworker.run.results.bucket import BucketTarget
    from clusterworker.run.results.volume import VolumeTarget

    names = (spec.namespace, spec.trigger, spec.run)
    for name in names:
        if not name or "/" in name or name.startswith("."):
            raise MisconfiguredError(f"{name!r} is no name of a Kubernetes object: results cannot go below it")
    uri = "/".join([spec.results.uri.rstrip("/"), *names])
    bucket = bucket_at(uri, spec.results, secrets_root)
    return BucketTarget(bucket) if bucket else VolumeTarget(uri)
