"""Where a run's folder goes: on a volume it appears whole, in S3 its last file says that it is whole."""

import ctypes
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from clustertrigger.api.run import RunSpec
from clusterworker.errors import MisconfiguredError, RunError, UnavailableError
from clusterworker.s3 import SCHEME, S3Access

MARKER = "metrics.json"
"""Written last in S3: a folder without it is not whole."""
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_COPY_BYTES = 8 << 20


class Target(Protocol):
    """Where results go."""

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

    def abandon(self) -> None:
        """Remove what this or an earlier attempt left half done."""


def open_target(spec: RunSpec, secrets_root: Path) -> Target:
    """Return the target that the RunSpec names.

    Raises:
        MisconfiguredError: a name would lead elsewhere, or the Secret is not there.
    """
    names = (spec.namespace, spec.trigger, spec.run)
    for name in names:
        if not name or "/" in name or name.startswith("."):
            raise MisconfiguredError(f"{name!r} is no name of a Kubernetes object: results cannot go below it")
    uri = "/".join([spec.results.uri.rstrip("/"), *names])
    if uri.startswith(SCHEME):
        given = spec.results
        return BucketTarget(uri, S3Access(uri, given.secret_name, given.endpoint, given.region, secrets_root))
    return VolumeTarget(uri)


@dataclass(frozen=True)
class VolumeTarget:
    """A folder on a mounted volume, written as a hidden sibling and renamed."""

    uri: str

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.uri)

    def prepare(self, scratch: Path) -> Path:
        """See Target."""
        with self._errors():
            os.umask(0o002)  # the volume's group (the Pod's fsGroup) may clear up
            self.folder.parent.mkdir(parents=True, exist_ok=True)
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
            _sync_directory(self.folder.parent)

    def abandon(self) -> None:
        """See Target."""
        for leftover in self.folder.parent.glob(f".{self.folder.name}.*.partial"):
            shutil.rmtree(leftover, ignore_errors=True)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _explain(self.uri, error) from error


@dataclass(frozen=True)
class BucketTarget:
    """A folder in S3: files are uploaded when all are there, MARKER last."""

    uri: str
    access: S3Access

    def prepare(self, scratch: Path) -> Path:
        """See Target. Files are staged in the scratch directory."""
        filesystem = self.access.connect()
        with self.access.errors():
            from pyarrow import fs

            if filesystem.get_file_info(self.access.bucket).type == fs.FileType.NotFound:
                raise self.access.no_such_bucket()
        staged = scratch / "results"
        staged.mkdir()
        return staged

    def publish(self, staged: Path) -> None:
        """See Target. An earlier attempt's marker goes first: from there on, until the end, the folder is not whole."""
        from pyarrow import fs

        filesystem = self.access.connect()
        files = sorted(staged.iterdir(), key=lambda file: (file.name == MARKER, file.name))
        with self.access.errors():
            marker = f"{self.access.path}/{MARKER}"
            if filesystem.get_file_info(marker).type != fs.FileType.NotFound:
                filesystem.delete_file(marker)
            for file in files:
                with (
                    file.open("rb") as source,
                    filesystem.open_output_stream(f"{self.access.path}/{file.name}") as sink,
                ):
                    while chunk := source.read(_COPY_BYTES):
                        sink.write(chunk)

    def abandon(self) -> None:
        """See Target. Without MARKER the folder counts as absent, and the next attempt overwrites it."""


def _explain(uri: str, error: OSError) -> RunError:
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return MisconfiguredError(
            f"{uri}: cannot write results there as user {os.geteuid()}: {error.strerror}: "
            "check that the results volume is mounted, writable, and owned by the Pod's fsGroup"
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UnavailableError(f"{uri}: no space left for results: enlarge the results volume, or lower history_limit")
    return UnavailableError(f"{uri}: cannot write results: {error.strerror or error}")


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
