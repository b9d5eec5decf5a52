"""Paths of files, and atomic writes, so that no reader sees a partial file."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
