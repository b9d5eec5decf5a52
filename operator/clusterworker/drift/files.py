"""Single files beside the results: the baseline that a run left, and the record of measurements."""

import errno
import os
import secrets as random
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from clustercontract.container import ResultsTarget
from clusterworker.process.errors import MisconfiguredError, RunError, UnavailableError
from clusterworker.storage.s3 import SCHEME, S3Access


class StoredFile(Protocol):
    """One file on a mounted volume or in S3."""

    @property
    def uri(self) -> str:
        """Where it lies."""

    def read(self) -> bytes | None:
        """Return its content, None if it is not there.

        Raises:
            RunError: it may be there and cannot be read, in one line.
        """

    def write(self, content: bytes) -> None:
        """Replace it in one step: a reader sees the old content or the new one.

        Raises:
            RunError: it cannot be written, in one line.
        """


def open_file(uri: str, results: ResultsTarget, secrets: Path) -> StoredFile:
    """Return the file at an absolute path or an s3:// address, reached as the results are."""
    if uri.startswith(SCHEME):
        return BucketFile(uri, S3Access(uri, results.secret_name, results.endpoint, results.region, secrets))
    return VolumeFile(uri)


@dataclass(frozen=True)
class VolumeFile:
    """A file on a mounted volume."""

    uri: str

    def read(self) -> bytes | None:
        """See StoredFile."""
        try:
            return Path(self.uri).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _explain(self.uri, "read", error) from error

    def write(self, content: bytes) -> None:
        """See StoredFile."""
        file = Path(self.uri)
        draft = file.with_name(f".{file.name}.{random.token_hex(4)}.partial")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._write(draft, content)
            draft.replace(file)
        except OSError as error:
            raise _explain(self.uri, "write", error) from error
        finally:
            draft.unlink(missing_ok=True)

    def _write(self, draft: Path, content: bytes) -> None:
        for leftover in draft.parent.glob(f".{Path(self.uri).name}.*.partial"):
            leftover.unlink(missing_ok=True)  # of an attempt that was killed
        with draft.open("wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        draft.chmod(0o664)  # the volume's group (the Pod's fsGroup) may clear up


@dataclass(frozen=True)
class BucketFile:
    """An object in S3; putting one is one step."""

    uri: str
    access: S3Access

    def read(self) -> bytes | None:
        """See StoredFile."""
        from pyarrow import fs

        filesystem = self.access.connect()
        with self.access.errors():
            if filesystem.get_file_info(self.access.path).type != fs.FileType.File:
                return None
            with filesystem.open_input_stream(self.access.path) as stream:
                content: bytes = stream.read()
                return content

    def write(self, content: bytes) -> None:
        """See StoredFile."""
        filesystem = self.access.connect()
        with self.access.errors(), filesystem.open_output_stream(self.access.path) as sink:
            sink.write(content)


def _explain(uri: str, verb: str, error: OSError) -> RunError:
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return MisconfiguredError(
            f"{uri}: cannot {verb} it as user {os.geteuid()}: {error.strerror}: "
            "check that the results volume is mounted, writable, and owned by the Pod's fsGroup"
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UnavailableError(f"{uri}: no space left for results: enlarge the results volume, or lower history_limit")
    return UnavailableError(f"{uri}: cannot {verb} it: {error.strerror or error}")
