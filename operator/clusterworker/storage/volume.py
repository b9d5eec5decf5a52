"""Writing on a mounted volume: in steps that a reader sees whole or not at all, and with errors in one line."""

import ctypes
import errno
import os
from pathlib import Path

from clusterworker.process.errors import MisconfiguredError, RunError, UnavailableError

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def replace(file: Path, content: bytes, writer: str, mode: int | None = None) -> None:
    """Replace a file in one step: a reader sees the old content or the new one.

    Args:
        file: to replace.
        content: all of it.
        writer: names the draft; no two may have one name at a time.
        mode: of the file; None: as the umask says, for volumes that know no other.
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
    """Swap two directories in one step (Linux' renameat2); where the system or the file system cannot, in two."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    paths = os.fsencode(one), os.fsencode(other)
    if renameat2 is not None and renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0:
        return
    aside = one.with_name(one.name.removesuffix(".partial") + ".old.partial")
    other.rename(aside)
    one.rename(other)
    aside.rename(one)


def sync(directory: Path) -> None:
    """Have the files on disk before their folder gets its name: a crash of the node must not leave empty files."""
    for file in directory.iterdir():
        sync_file(file)
    sync_directory(directory)


def sync_file(file: Path) -> None:
    """Have a file's content on disk."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def sync_directory(directory: Path) -> None:
    """Have the names of its files on disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def explained(uri: str, error: OSError, doing: str = "write results", there: str = " there") -> RunError:
    """Say what the file system would not do, and the remedy.

    Args:
        uri: what it is about.
        error: of the file system.
        doing: what was tried.
        there: where, if that is not the uri itself.
    """
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return MisconfiguredError(
            f"{uri}: cannot {doing}{there} as user {os.geteuid()}: {error.strerror}: "
            "check that the results volume is mounted, writable, and owned by the Pod's fsGroup"
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UnavailableError(f"{uri}: no space left for results: enlarge the results volume, or lower history_limit")
    return UnavailableError(f"{uri}: cannot {doing}: {error.strerror or error}")
