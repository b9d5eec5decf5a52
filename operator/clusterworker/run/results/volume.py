"""Results on a mounted volume: a folder appears whole by being renamed, and goes the same way."""

import ctypes
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from clusterworker.process.errors import MisconfiguredError, RunError, UnavailableError
from clusterworker.run.results import record as records
from clusterworker.run.results.record import LATEST, MARKER, RunRecord, lineage, read_record

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_REMOVED = ".removed"


@dataclass(frozen=True)
class VolumeTarget:
    """A folder on a mounted volume, written as a hidden sibling and renamed."""

    uri: str

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.uri)

    @property
    def siblings(self) -> Path:
        """The trigger's folder, in which those of its runs are."""
        return self.folder.parent

    def prepare(self, scratch: Path) -> Path:
        """See Target."""
        with self._errors():
            os.umask(0o002)  # the volume's group (the Pod's fsGroup) may clear up
            self.siblings.mkdir(parents=True, exist_ok=True)
            self.abandon()
            staged = self.folder.with_name(f".{self.folder.name}.{secrets.token_hex(4)}.partial")
            staged.mkdir()
        return staged

    def publish(self, staged: Path) -> None:
        """See Target."""
        with self._errors():
            _sync(staged)
            try:
                staged.rename(self.folder)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                _exchange(staged, self.folder)
                shutil.rmtree(staged)
            _sync_directory(self.siblings)

    def point_latest(self, record: RunRecord) -> None:
        """See Target. A file, not a symbolic link: not every volume has those, and S3 has none."""
        with self._errors():
            draft = self.siblings / f".{LATEST}.{record.run}.partial"
            draft.write_bytes(record.to_bytes())
            with draft.open("rb") as opened:
                os.fsync(opened.fileno())
            draft.replace(self.siblings / LATEST)
            _sync_directory(self.siblings)

    def abandon(self) -> None:
        """See Target."""
        for leftover in self.siblings.glob(f".{self.folder.name}.*.partial"):
            shutil.rmtree(leftover, ignore_errors=True)

    def finished(self) -> list[RunRecord]:
        """See Target."""
        ours = lineage(self.folder.name)
        with self._errors():
            folders = [entry for entry in self.siblings.iterdir() if lineage(entry.name) == ours]
            found = [_record(folder) for folder in folders if (folder / MARKER).is_file()]
        return [record for record in found if record]

    def remove(self, run: str) -> None:
        """See Target. Readers that have files of it open keep them; on NFS their names stay until they are closed."""
        aside = self.siblings / f".{run}.{secrets.token_hex(4)}{_REMOVED}"
        with self._errors():
            try:
                (self.siblings / run).rename(aside)
            except FileNotFoundError:
                return
        shutil.rmtree(aside, ignore_errors=True)

    def clear_remnants(self, before: datetime) -> None:
        """See Target. What was renamed away belongs to nobody, whenever its run finished."""
        ours = lineage(self.folder.name)
        with self._errors():
            for entry in self.siblings.glob(f".*{_REMOVED}"):
                if lineage(entry.name.removeprefix(".").partition(".")[0]) == ours:
                    shutil.rmtree(entry, ignore_errors=True)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise explain(self.uri, error) from error


def explain(uri: str, error: OSError) -> RunError:
    """Say what the file system would not do, and the way out."""
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return MisconfiguredError(
            f"{uri}: cannot write results there as user {os.geteuid()}: {error.strerror}: "
            "check that the results volume is mounted, writable, and owned by the Pod's fsGroup"
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UnavailableError(f"{uri}: no space left for results: enlarge the results volume, or lower history_limit")
    return UnavailableError(f"{uri}: cannot write results: {error.strerror or error}")


def _record(folder: Path) -> RunRecord | None:
    """The folder's record, if it is this folder's: a copy that a person made under another name is left alone."""
    try:
        record = read_record((folder / records.FILE).read_bytes())
    except FileNotFoundError:
        return None
    return record if record and record.run == folder.name else None


def _exchange(one: Path, other: Path) -> None:
    """Swap two directories in one step (renameat2); where the file system cannot, in two."""
    libc = ctypes.CDLL(None, use_errno=True)
    paths = os.fsencode(one), os.fsencode(other)
    if libc.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0:
        return
    aside = one.with_name(one.name.removesuffix(".partial") + ".old.partial")
    other.rename(aside)
    one.rename(other)
    aside.rename(one)


def _sync(directory: Path) -> None:
    """Have the files on disk before their folder gets its name: a crash of the node must not leave empty files."""
    for file in directory.iterdir():
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
    _sync_directory(directory)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
