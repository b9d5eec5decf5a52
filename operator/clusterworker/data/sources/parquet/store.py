"""Finds and opens a collection's files, on a mounted volume or in a bucket."""

import errno
import os
import posixpath
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, Self

from clustercontract.data_files import MAGIC, Chosen, GlobError, files_at, hint
from clustercontract.directories import files_below, without_aliases
from clusterworker.data.sources.messages import damaged, gone
from clusterworker.data.sources.parquet.identity import Identity, of_object, of_status
from clusterworker.process.errors import MisconfiguredError, UnavailableError
from clusterworker.process.text import one_line
from clusterworker.storage.bucket import Bucket

_PASSING = frozenset({errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.ENOTCONN, errno.EHOSTDOWN})
"""Errors of a network volume whose server is unavailable."""
_GONE = (FileNotFoundError, NotADirectoryError)
"""Errors of paths that do not exist; of the second kind if a directory in it has become a file."""
_OF_CONTENT = ("crypt", "Corrupt ", "thrift", "Unexpected end of stream", "decompress")
"""pyarrow's messages about damaged or encrypted files; other errors of a bucket's files are errors of the bucket."""
_LISTED = 5
"""Maximum number of names in messages."""


class _CycleError(MisconfiguredError):
    """Links lead in a circle."""


class FileStore(Protocol):
    """A storage of files."""

    def find(self) -> list[str]:
        """Returns the names of the files, sorted: a file, the matches of a glob, or all data files below a directory.

        Raises:
            MisconfiguredError: There is no file, or the glob is malformed.
        """

    def open(self, name: str) -> tuple[Any, Identity]:
        """Returns pyarrow's random access file, and its identity.

        Raises:
            UnavailableError: A file that was found no longer exists.
        """

    def identity(self, name: str) -> Identity:
        """Returns the identity of the file that has this name now; raises as `open` does."""

    def errors(self, name: str) -> AbstractContextManager[None]:
        """Converts errors of reading this file to one line with a remedy."""


@dataclass(frozen=True)
class VolumeStore:
    """Files below a mount point. A path that leads outside of it, for example through a symbolic link, is refused."""

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
            directory = self._inside(self.uri)
            if _is_there(directory):
                raise MisconfiguredError(
                    f"{self.uri}: no Parquet file in this directory: name the files *.parquet, or correct source.uri "
                    f"({_content(directory, 'it')})"
                )
            raise MisconfiguredError(
                f"{self.uri}: no such file on the volume: check source.uri ({self._nearby()}){hint(self.uri)}"
            )
        return without_aliases({name: str(self._inside(name)) for name in names})

    def open(self, name: str) -> tuple[Any, Identity]:
        """See FileStore."""
        import pyarrow as pa

        with self.errors(name):
            try:
                # The identity is read first: if the file is replaced in between, the next identity differs.
                status = self._inside(name).stat()
                if not stat.S_ISREG(status.st_mode):
                    raise MisconfiguredError(f"{name}: not a regular file: remove it, or correct source.uri")
                identity = of_status(status)
                return pa.OSFile(os.fsencode(self._inside(name))), identity  # A name can be any bytes.
            except _GONE as error:
                raise self._gone(name) from error

    def identity(self, name: str) -> Identity:
        """See FileStore."""
        with self.errors(name):
            try:
                return of_status(self._inside(name).stat())
            except _GONE as error:
                raise self._gone(name) from error

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
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
                raise MisconfiguredError(f"{name}: no such file on the volume: check source.uri") from error
            if error.errno in _PASSING:
                raise UnavailableError(f"{name}: the volume does not answer: {error.strerror}") from error
            raise _unreadable(name, error) from error
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise _unreadable(name, error) from error

    def _names(self) -> list[str]:
        target = self._inside(self.uri)
        if _is_there(target):
            is_root = self.uri.rstrip("/") == "."
            kind: Literal["file", "directory"] = "directory" if target.is_dir() else "file"
            return self._readable(_files_at("" if is_root else self.uri, kind, self._below))
        pattern = posixpath.normpath(self.uri) + ("/" if self.uri.endswith("/") else "")
        return self._readable(_files_at(pattern, None, self._below))

    def _below(self, directory: str) -> Iterator[str]:
        """Yields the names of all files below a directory; "" is the root."""
        top = str(self._inside(directory))
        try:
            for relative in files_below(top, str(self.mount)):
                yield f"{directory}/{relative}" if directory else relative
        except _GONE as error:
            if error.filename == top:
                raise
            raise gone(f"{self.uri}: directory {os.path.relpath(error.filename, self.mount)}") from error

    def _gone(self, name: str) -> UnavailableError:
        """Returns the error for a file that was found and cannot be opened. A link without a target may be lasting."""
        path = self.mount / name
        if not path.is_symlink():
            return gone(name)
        return UnavailableError(
            f"{name}: is a link to {path.readlink()}, which does not exist: restore that file, or remove the link"
        )

    def _readable(self, chosen: Chosen) -> list[str]:
        def begins(name: str) -> bytes:
            with self.errors(name):
                try:
                    if not self._inside(name).is_file():
                        return b""  # Opening a named pipe would wait for a writer.
                    with self._inside(name).open("rb") as file:
                        return file.read(len(MAGIC))
                except (*_GONE, _CycleError):
                    return b""  # It is a link without a target, or was removed.

        return chosen.parquet(begins)

    def _inside(self, name: str) -> Path:
        try:
            resolved = (self.mount / name).resolve()
        except RuntimeError as error:
            raise _CycleError(f"{name}: no such file on the volume: {error}: check source.uri") from error
        except ValueError as error:  # The cause is a name with a NUL character.
            raise MisconfiguredError(f"{name}: no such file on the volume: {error}: check source.uri") from error
        if not resolved.is_relative_to(self.mount.resolve()):
            raise MisconfiguredError(
                f"{name}: leads outside of the collection's volume: move its target onto the volume, or remove the link"
            )
        return resolved

    def _nearby(self) -> str:
        """Names the existing files, because a wrong directory is the usual cause."""
        parent = (self.mount / self.uri).parent
        while not _is_there(parent) or not parent.is_dir():
            parent = parent.parent
        where = os.path.relpath(parent, self.mount)
        return _content(parent, "the volume's root" if where == "." else where)


@dataclass(frozen=True)
class BucketStore:
    """Objects below a bucket's prefix."""

    bucket: Bucket
    filesystem: Any

    @classmethod
    def connected(cls, bucket: Bucket) -> Self:
        """Connects to a bucket."""
        return cls(bucket, bucket.connect())

    def __reduce__(self) -> tuple[Any, ...]:
        """Removes the connection, because another process connects itself; pyarrow would pickle the credentials."""
        return BucketStore.connected, (self.bucket,)

    def find(self) -> list[str]:
        """See FileStore."""
        with self.bucket.errors():
            names = self._names()
            if not names and self._type(self.bucket.name) == "NotFound":
                raise self.bucket.no_such_bucket()
            directory = not names and self._type(self.bucket.path) == "Directory"
        if directory:
            raise MisconfiguredError(
                f"{self.bucket.uri}: no Parquet file in this directory: name the files *.parquet, or correct source.uri"
            )
        if not names:
            raise MisconfiguredError(
                f"{self.bucket.uri}: no such object in {self.bucket.product}: check source.uri{hint(self.bucket.path)}"
            )
        return names

    def open(self, name: str) -> tuple[Any, Identity]:
        """See FileStore."""
        with self.bucket.errors():
            try:
                file = self.filesystem.open_input_file(name)
            except FileNotFoundError as error:
                raise gone(self.shown(name)) from error
            return file, of_object(file.size(), {str(key): value for key, value in file.metadata().items()})

    def identity(self, name: str) -> Identity:
        """See FileStore."""
        file, identity = self.open(name)
        file.close()
        return identity

    def shown(self, name: str) -> str:
        """Returns an object's name as users write it."""
        return f"{self.bucket.uri.partition('://')[0]}://{name}"

    @contextmanager
    def errors(self, name: str) -> Iterator[None]:
        """See FileStore."""
        import pyarrow as pa

        try:
            with self.bucket.errors():
                try:
                    yield
                except OSError as error:
                    if any(word in str(error) for word in _OF_CONTENT):
                        raise _unreadable(name, error) from error
                    raise
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise _unreadable(name, error) from error

    def _names(self) -> list[str]:
        path = self.bucket.path
        match self._type(path):
            case "File":
                chosen = _files_at(path, "file", self._below)
            case "Directory":
                chosen = _files_at(path, "directory", self._below)
            case _:
                pattern = path + ("/" if self.bucket.uri.endswith("/") else "")
                chosen = _files_at(pattern, None, self._below)
        return self._readable(chosen)

    def _below(self, directory: str) -> list[str]:
        """Returns the names of all objects below a prefix that ends with a slash."""
        from pyarrow import fs

        selector = fs.FileSelector(directory, recursive=True, allow_not_found=True)
        return [info.path for info in self.filesystem.get_file_info(selector) if info.type == fs.FileType.File]

    def _readable(self, chosen: Chosen) -> list[str]:
        def begins(name: str) -> bytes:
            with self.filesystem.open_input_file(name) as file:
                content: bytes = file.read_at(min(len(MAGIC), file.size()), 0)
                return content

        return chosen.parquet(begins)

    def _type(self, path: str) -> str:
        return str(self.filesystem.get_file_info(path).type.name)


def _is_there(path: Path) -> bool:
    """Whether a path exists; one that is too long for a name, as globs may be, does not."""
    try:
        return path.exists()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise


def _content(directory: Path, place: str) -> str:
    """Returns the first names in a directory, for messages."""
    names = sorted(entry.name for entry in directory.iterdir())[:_LISTED] if os.access(directory, os.R_OK) else []
    return f"{place} holds {', '.join(names)}" if names else f"{place} is empty"


def _files_at(path: str, kind: Literal["file", "directory"] | None, below: Callable[[str], Iterable[str]]) -> Chosen:
    """Returns the files of a uri; see `files_at`.

    Raises:
        MisconfiguredError: The glob is malformed.
    """
    try:
        return files_at(path, kind, below)
    except GlobError as error:
        raise MisconfiguredError(f"{path}: source.uri contains {error}") from error


def is_encrypted(error: Exception) -> bool:
    """Returns whether an error of pyarrow is about an encrypted file or column."""
    return any(word in str(error) for word in ("decrypt", "encrypted metadata"))


def encrypted(name: str, what: str) -> MisconfiguredError:
    """Returns the error for an encrypted file, or a column of one."""
    return MisconfiguredError(f"{name}: {what} is encrypted: write it without encryption")


def _unreadable(name: str, error: Exception) -> Exception:
    """Returns the error for an error of pyarrow."""
    import pyarrow as pa

    if isinstance(error, MemoryError):
        return error
    reason = one_line(error)
    if is_encrypted(error):
        return encrypted(name, "it")
    if "magic bytes" in reason or "Parquet file size is" in reason:
        return MisconfiguredError(f"{name}: not a Parquet file: write the collection as Parquet, or correct source.uri")
    if isinstance(error, pa.ArrowNotImplementedError):
        return MisconfiguredError(
            f"{name}: a column is not readable by pyarrow {pa.__version__}: {reason[:200]}: write it in another type"
        )
    return damaged(name, reason[:200])
