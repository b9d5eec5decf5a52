"""Reads and writes single files beside the results: the baseline of a run, and the record of measurements."""

import secrets as random
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from clustercontract.container import ResultsTarget
from clusterworker.storage.addresses import bucket_at
from clusterworker.storage.bucket import Bucket
from clusterworker.storage.volume import errors_at, replace


class StoredFile(Protocol):
    """One file on a mounted volume or in a bucket."""

    @property
    def uri(self) -> str:
        """Its address."""

    def read(self) -> bytes | None:
        """Returns its content; None if it does not exist.

        Raises:
            RunError: it may be there and cannot be read, in one line.
        """

    def write(self, content: bytes) -> None:
        """Replaces it atomically: a reader sees the old content or the new one.

        Raises:
            RunError: it cannot be written, in one line.
        """


def open_file(uri: str, results: ResultsTarget, secrets: Path) -> StoredFile:
    """Returns the file at an absolute path or an s3:// address, accessed like the results."""
    bucket = bucket_at(uri, results, secrets)
    return BucketFile(bucket) if bucket else VolumeFile(uri)


@dataclass(frozen=True)
class VolumeFile:
    """A file on a mounted volume."""

    uri: str

    def read(self) -> bytes | None:
        """See StoredFile."""
        with errors_at(self.uri, "read it", where=""):
            try:
                return Path(self.uri).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def write(self, content: bytes) -> None:
        """See StoredFile."""
        file = Path(self.uri)
        with errors_at(self.uri, "write it", where=""):
            file.parent.mkdir(parents=True, exist_ok=True)
            for leftover in file.parent.glob(f".{file.name}.*.partial"):
                leftover.unlink(missing_ok=True)  # of an attempt that was killed
            replace(file, content, random.token_hex(4), 0o664)  # the volume's group (the Pod's fsGroup) may clear up


@dataclass(frozen=True)
class BucketFile:
    """An object in a bucket, which is written atomically."""

    bucket: Bucket

    @property
    def uri(self) -> str:
        """See StoredFile."""
        return self.bucket.uri

    def read(self) -> bytes | None:
        """See StoredFile."""
        from pyarrow import fs

        filesystem = self.bucket.connect()
        with self.bucket.errors():
            if filesystem.get_file_info(self.bucket.path).type != fs.FileType.File:
                return None
            with filesystem.open_input_stream(self.bucket.path) as stream:
                content: bytes = stream.read()
                return content

    def write(self, content: bytes) -> None:
        """See StoredFile."""
        filesystem = self.bucket.connect()
        with self.bucket.errors(), filesystem.open_output_stream(self.bucket.path) as sink:
            sink.write(content)
