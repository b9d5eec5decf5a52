"""Writes on a mounted volume atomically, with errors in one line."""

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clusterworker.process.errors import MisconfiguredError, RunError, UnavailableError

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def replace(file: Path, content: bytes, writer: str, mode: int | None = None) -> None:
    """Replaces a file atomically: a reader sees the old content or the new one.

    Args:
        file: File to replace.
        content: The whole content.
        writer: Part of the temporary file's name, which must be unique among concurrent writers.
        mode: Mode of the file; None for the umask's.
    """
    draft = file.with_name(f".{file.name}.{writer}.partial")
    try:
        with draft.open("wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        if mode is not None:
            draft.chmod(mode)
        draft.replace(file)
        sync_directory(file.parent)
    finally:
        draft.unlink(missing_ok=True)


def exchange(one: Path, other: Path) -> None:
    """Swaps two directories atomically (Linux' renameat2).

    It takes two steps if the system or the file system does not support this.
    """
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    paths = os.fsencode(one), os.fsencode(other)
    if renameat2 is not None and renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0:
        return
    aside = one.with_name(one.name.removesuffix(".partial") + ".old.partial")
    other.rename(aside)
    one.rename(other)
    aside.rename(one)


def sync(directory: Path) -> None:
    """Syncs the files to disk before their folder gets its name.

    Otherwise, a crash of the node could leave empty files.
    """
    for file in directory.iterdir():
        sync_file(file)
    sync_directory(directory)


def sync_file(file: Path) -> None:
    """Syncs a file's content to disk."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def sync_directory(directory: Path) -> None:
    """Syncs the names of its files to disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def errors_at(uri: str, doing: str = "write results", where: str = " there") -> Iterator[None]:
    """Converts errors of the file system.

    Args:
        uri: The affected address.
        doing: The operation.
        where: Its place, if that is not the uri itself.

    Raises:
        RunError: an operation failed; says the remedy.
    """
    try:
        yield
    except OSError as error:
        raise _explained(uri, error, doing, where) from error


def _explained(uri: str, error: OSError, doing: str, where: str) -> RunError:
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return MisconfiguredError(
            f"{uri}: cannot {doing}{where} as user {os.geteuid()}: {error.strerror}: "
            "check that the results volume is mounted, writable, and owned by the Pod's fsGroup"
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UnavailableError(f"{uri}: no space left for results: enlarge the results volume, or lower history_limit")
    return UnavailableError(f"{uri}: cannot {doing}: {error.strerror or error}")
