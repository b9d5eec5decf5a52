"""The directories, the memory and the log that the work of one run uses."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clustercontract.actions.taxonomy_enrichment import EnrichmentSpec
from clustercontract.run import RunSpec
from clusterworker.process.cgroup import ControlGroup
from clusterworker.process.command import Mounts
from clusterworker.process.progress import Progress
from clusterworker.run.results.stages import clearing_stages
from clusterworker.run.results.target import Target, staging


@dataclass(frozen=True)
class Workspace:
    """What the work of one run uses.

    Attributes:
        staged: Directory that becomes the run's folder.
        scratch: Directory for temporary files.
        secrets: Directory where Secrets are mounted.
        memory: Number of bytes that the container may use.
        progress: Receives the progress.
    """

    staged: Path
    scratch: Path
    secrets: Path
    memory: int
    progress: Progress


@contextmanager
def workspace_of(
    spec: RunSpec | EnrichmentSpec, progress: Progress, mounts: Mounts | None, memory: int | None
) -> Iterator[tuple[Target, Workspace]]:
    """Prepares the work of one run, and clears up after it.

    Args:
        spec: The run's input.
        progress: Receives the progress.
        mounts: Directories of Secrets and scratch space. Default: those of the Pod.
        memory: Bytes that may be used. Default: the container's limit.

    Yields:
        Where the run's folder goes, and what the work uses.

    Raises:
        RunError: nothing can be written there.
    """
    mounts = mounts or Mounts()
    memory = memory or ControlGroup().memory()
    with staging(spec, mounts) as (target, staged, scratch), clearing_stages(spec, mounts.secrets):
        yield target, Workspace(staged, scratch, mounts.secrets, memory, progress)
