"""Finding and opening a collection's files, on a mounted volume or in S3."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from clusterworker.errors import MisconfiguredError, UnavailableError
from clusterworker.sources.patterns import fixed_part, has_wildcard, is_data_file, matcher

_PASSING = frozenset({errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.ENOTCONN, errno.EHOSTDOWN})
"""What a network volume says while its server is away."""


class FileStore(Protocol):
    """Where files lie."""

    def find(self) -> list[str]:
        """Names of the files, sorted: a file, the matches of a glob, or all data files below a directory.

        Raises:
            MisconfiguredError: there is none.
        """

    def open(self, name: str) -> Any:
        """Return pyarrow's random access file."""

    def errors(self, name: str) -> AbstractContextManager[None]:
        """Turn what goes wrong while reading this file into one line with a remedy."""


@dataclass(frozen=True)
class VolumeStore:
    """Files below a mount point; whatever leads outside of it, a symbolic link for one, is refused."""

    mount: Path
    uri: str

    def find(self) -> list[str]:
        """See FileStore."""
        if not self.mount.is_dir():
            raise MisconfiguredError(
                f"{self.uri}: the collection's volume is not mounted at {self.mount}: set spec.volume"
            )
        with self.errors(self.uri):
            names = self._names()
        if not names:
            raise MisconfiguredError(f"{self.uri}: no such file on the volume: check source.uri ({self._nearby()})")
        for name in names:
            self._inside(name)
        return names

    def open(self, name: str) -> Any:
        """See FileStore."""
        import pyarrow as pa

        with self.errors(name):
            return pa.OSFile(str(self._inside(name)))

    @contextmanager
    def errors(self, name: str) -> Iterator[None]:
        """See FileStore."""
        import pyarrow as pa

        try:
            yield
        except PermissionError as error:
            raise MisconfiguredError(
                f"{name}: permission denied for user {os.geteuid()}: "
                "make the file readable for others or for the Pod's fsGroup"
            ) from error
        except FileNotFoundError as error:
            raise MisconfiguredError(f"{name}: no such file on the volume: check source.uri") from error
        except OSError as error:
            if error.errno in _PASSING:
                raise UnavailableError(f"{name}: the volume does not answer: {error.strerror}") from error
            raise _damaged(name, error) from error
        except pa.ArrowInvalid as error:
            raise _damaged(name, error) from error

    def _names(self) -> list[str]:
        target = self._inside(self.uri)
        if target.is_dir():
            return self._below(self.uri.rstrip("/"), is_data_file)
        if target.exists():
            return [self.uri]
        if has_wildcard(self.uri):
            return self._below(fixed_part(self.uri), matcher(self.uri))
        return []

    def _below(self, directory: str, wanted: Callable[[str], bool]) -> list[str]:
        top = self._inside(directory)
        found = []
        for folder, _, files in os.walk(top, onerror=_raise):
            for file in files:
                relative = os.path.relpath(os.path.join(folder, file), top)  # noqa: PTH118 - millions of files
                name = f"{directory}/{relative}" if directory not in ("", ".") else relative
                if wanted(name if has_wildcard(self.uri) else relative):
                    found.append(name)
        return sorted(found)

    def _inside(self, name: str) -> Path:
        resolved = (self.mount / name).resolve()
        if not resolved.is_relative_to(self.mount.resolve()):
            raise MisconfiguredError(f"{name}: leads outside of the collection's volume: move the file onto it")
        return resolved

    def _nearby(self) -> str:
        """Name what is there, since a wrong directory is the usual cause."""
        parent = (self.mount / self.uri).parent
        while not parent.is_dir():
            parent = parent.parent
        names = sorted(entry.name for entry in parent.iterdir())[:5] if os.access(parent, os.R_OK) else []
        where = os.path.relpath(parent, self.mount)
        place = "the volume's root" if where == "." else where
        return f"{place} holds {', '.join(names)}" if names else f"{place} is empty"


class BucketAccess(Protocol):
    """How to reach a bucket."""

    @property
    def uri(self) -> str:
        """As the user wrote it."""

    @property
    def product(self) -> str:
        """Whose bucket it is, for messages."""

    @property
    def path(self) -> str:
        """Bucket and key, as pyarrow names them."""

    @property
    def bucket(self) -> str:
        """The bucket's name."""

    def errors(self) -> AbstractContextManager[None]:
        """Turn what pyarrow raises about this bucket into one line with a remedy."""

    def no_such_bucket(self) -> MisconfiguredError:
        """The error for a bucket that is not there."""


@dataclass(frozen=True)
class BucketStore:
    """Objects below a bucket's prefix."""

    access: BucketAccess
    filesystem: Any

    def find(self) -> list[str]:
        """See FileStore."""
        with self.access.errors():
            names = self._names()
            if not names and self._type(self.access.bucket) == "NotFound":
                raise self.access.no_such_bucket()
        if not names:
            raise MisconfiguredError(f"{self.access.uri}: no such object in {self.access.product}: check source.uri")
        return names

    def open(self, name: str) -> Any:
        """See FileStore."""
        with self.access.errors():
            return self.filesystem.open_input_file(name)

    @contextmanager
    def errors(self, name: str) -> Iterator[None]:
        """See FileStore."""
        import pyarrow as pa

        try:
            with self.access.errors():
                yield
        except pa.ArrowInvalid as error:
            raise _damaged(name, error) from error

    def _names(self) -> list[str]:
        path = self.access.path
        match self._type(path):
            case "File":
                return [path]
            case "Directory":
                return self._below(path, lambda name: is_data_file(name.removeprefix(path).lstrip("/")))
        if has_wildcard(path):
            return self._below(fixed_part(path), matcher(path))
        return []

    def _below(self, directory: str, wanted: Callable[[str], bool]) -> list[str]:
        from pyarrow import fs

        selector = fs.FileSelector(directory, recursive=True, allow_not_found=True)
        files = self.filesystem.get_file_info(selector)
        return sorted(info.path for info in files if info.type == fs.FileType.File and wanted(info.path))

    def _type(self, path: str) -> str:
        return str(self.filesystem.get_file_info(path).type.name)


def _damaged(name: str, error: Exception) -> MisconfiguredError:
    reason = " ".join(str(error).split())
    if "magic bytes" in reason or "Parquet file size is" in reason:
        return MisconfiguredError(f"{name}: not a Parquet file: write the collection as Parquet, or correct source.uri")
    return MisconfiguredError(f"{name}: damaged or unreadable: {reason[:200]}: write the file again")


def _raise(error: OSError) -> None:
    raise error
