"""The directories, the memory and the log that the work of one run uses."""

from dataclasses import dataclass
from pathlib import Path

from clusterworker.process.progress import Progress


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
