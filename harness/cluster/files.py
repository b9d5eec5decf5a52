"""Paths of files, and atomic writes, so that no reader sees a partial file or folder."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.cluster.errors import ClusterError
from harness.cluster.progress import say

REPOSITORY = Path(__file__).resolve().parents[2]


def cache_directory() -> Path:
    """Return ${XDG_CACHE_HOME:-~/.cache}/clustertrigger, made if missing."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(base) / "clustertrigger"
    path.mkdir(parents=True, exist_ok=True)
    return path


def write(path: Path, text: str, mode: int = 0o644) -> Path:
    """Write TEXT to PATH, completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text)
    draft.chmod(mode)
    draft.replace(path)
    return path


@contextmanager
def locked(path: Path, waiting_for: str) -> Iterator[None]:
    """Hold an exclusive lock on PATH; the kernel lets go of it when this process dies, however it dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for {waiting_for}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def made_once(path: Path, name: str, waiting_for: str, make: Callable[[Path], None]) -> Path:
    """Returns PATH, a file or a folder of the cache, after making it if it does not exist.

    Of several processes, one makes it, and the others wait. A partial result never has the name PATH.

    Args:
        path: The file or folder.
        name: Name of the lock. Processes that make things of the same name wait for each other.
        waiting_for: What is printed while another process holds the lock: `waiting for ...`.
        make: Makes the file or folder at the path that it gets, in an empty folder that it can also use for its work.
    """
    if not path.exists():
        with locked(cache_directory() / f"{name}.lock", waiting_for):
            if not path.exists():
                _make(path, f"{name}-build-", make)
    return path


def _make(path: Path, prefix: str, make: Callable[[Path], None]) -> None:
    for left in path.parent.glob(f"{prefix}*"):  # by a process that was killed: this one holds the lock
        try:
            shutil.rmtree(left)
        except OSError as error:
            raise ClusterError(
                f"{left}: what a killed process left cannot be removed: {error}: unmount what is mounted below it, "
                "such as proc, and remove it"
            ) from error
    with tempfile.TemporaryDirectory(prefix=prefix, dir=path.parent) as work:
        draft = Path(work) / path.name
        make(draft)
        draft.rename(path)
