"""Stores the files of a run's stages, which several processes write, and which a retry of the run finds again.

They are beside the run's folder, on the same volume or in the same bucket, until the run has completed. A file is
written atomically, so a part of the work that is done twice, for example after an executor was lost, exists once.
"""

from __future__ import annotations

import contextlib
import io
import secrets as random
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from clustercontract.engine import Engine
from clusterworker.process.errors import MisconfiguredError
from clusterworker.run.results.record import lineage
from clusterworker.run.results.target import Destination, folder_of
from clusterworker.storage.addresses import bucket_at
from clusterworker.storage.bucket import Bucket
from clusterworker.storage.volume import errors_at, sync_file

_SUFFIX = ".stages"
_ABANDONED_SECONDS = 2 * 24 * 3600
"""Time without a new file after which the stages of another run of the trigger are removed, because its driver no
longer exists.
"""


class Stages(Protocol):
    """Files by name. The object can be pickled, without credentials."""

    def names(self) -> set[str]:
        """Returns the names of the complete files."""

    def create(self, name: str, scratch: Path) -> contextlib.AbstractContextManager[Path]:
        """Yields a path to write a file to. The file gets its name if there is no error, and replaces an earlier one.

        Args:
            name: Name of the file.
            scratch: Directory for files that are not complete yet.
        """

    def open(self, name: str) -> Any:
        """Returns pyarrow's random access file."""

    def clear(self) -> None:
        """Removes all files, and those of earlier runs of the trigger that were abandoned."""


class Distributable(Destination, Protocol):
    """The input of a run that may have executors."""

    @property
    def engine(self) -> Engine | None:
        """Its executors; None: it has none."""


@contextmanager
def clearing_stages(spec: Distributable, secrets: Path) -> Iterator[None]:
    """Remove the files of a distributed run's stages in the end, unless another attempt can continue from them.

    Args:
        spec: of the run.
        secrets: where Secrets are mounted.
    """
    try:
        yield
    except MisconfiguredError:
        _clear(spec, secrets)
        raise
    _clear(spec, secrets)


def _clear(spec: Distributable, secrets: Path) -> None:
    if spec.engine is not None:
        open_stages(spec, secrets).clear()


def open_stages(spec: Destination, secrets: Path) -> Stages:
    """Returns the stages of the run in a RunSpec."""
    folder, _, run = folder_of(spec).rpartition("/")
    uri = f"{folder}/.{run}{_SUFFIX}"
    bucket = bucket_at(uri, spec.results, secrets)
    return BucketStages(bucket) if bucket else VolumeStages(uri)


@dataclass(frozen=True)
class VolumeStages:
    """Files on a volume that the driver and all executors mount at the same path."""

    uri: str

    def names(self) -> set[str]:
        """See Stages."""
        with errors_at(self.uri):
            if not self._folder.is_dir():
                return set()
            return {file.name for file in self._folder.iterdir() if not file.name.startswith(".")}

    @contextmanager
    def create(self, name: str, scratch: Path) -> Iterator[Path]:
        """See Stages."""
        with errors_at(self.uri):
            self._folder.mkdir(parents=True, exist_ok=True)
            draft = self._folder / f".{name}.{random.token_hex(4)}"
            try:
                yield draft
                sync_file(draft)
                draft.replace(self._folder / name)
            finally:
                draft.unlink(missing_ok=True)

    def open(self, name: str) -> Any:
        """See Stages."""
        import pyarrow as pa

        with errors_at(self.uri):
            return pa.OSFile(str(self._folder / name))

    def clear(self) -> None:
        """See Stages."""
        shutil.rmtree(self._folder, ignore_errors=True)
        for other in self._folder.parent.glob(f".*{_SUFFIX}"):
            with contextlib.suppress(OSError):
                written = max(entry.stat().st_mtime for entry in (other, *other.iterdir()))
                if _is_kin(other.name, self._folder.name) and written < time.time() - _ABANDONED_SECONDS:
                    shutil.rmtree(other, ignore_errors=True)

    @property
    def _folder(self) -> Path:
        return Path(self.uri)


@dataclass(frozen=True)
class BucketStages:
    """Objects in a bucket, which are written atomically."""

    bucket: Bucket

    def names(self) -> set[str]:
        """See Stages."""
        return {path.rpartition("/")[2] for path, _ in self._files(self.bucket.path)}

    @contextmanager
    def create(self, name: str, scratch: Path) -> Iterator[Path]:
        """See Stages."""
        draft = scratch / f"{random.token_hex(4)}.{name}"
        try:
            yield draft
            filesystem = self.bucket.connect()
            with (
                self.bucket.errors(),
                draft.open("rb") as source,
                filesystem.open_output_stream(f"{self.bucket.path}/{name}") as sink,
            ):
                while chunk := source.read(8 << 20):
                    sink.write(chunk)
        finally:
            draft.unlink(missing_ok=True)

    def open(self, name: str) -> Any:
        """See Stages."""
        with self.bucket.errors():
            return self.bucket.connect().open_input_file(f"{self.bucket.path}/{name}")

    def clear(self) -> None:
        """See Stages."""
        own = self.bucket.path
        with contextlib.suppress(Exception):  # What remains takes up space, but does not change results.
            filesystem = self.bucket.connect()
            written: dict[str, list[Any]] = {}
            for path, changed in self._files(own.rpartition("/")[0]):
                written.setdefault(path.rpartition("/")[0], []).append(changed)
            for folder, times in written.items():
                stale = max(times) < time.time() - _ABANDONED_SECONDS
                if folder == own or (stale and _is_kin(folder.rpartition("/")[2], own.rpartition("/")[2])):
                    filesystem.delete_dir(folder)

    def _files(self, folder: str) -> Iterator[tuple[str, float]]:
        from pyarrow import fs

        with self.bucket.errors():
            selector = fs.FileSelector(folder, recursive=True, allow_not_found=True)
            for found in self.bucket.connect().get_file_info(selector):
                if found.type == fs.FileType.File and found.path.rpartition("/")[0].endswith(_SUFFIX):
                    yield found.path, (found.mtime_ns or 0) / 1e9


def _is_kin(one: str, other: str) -> bool:
    """Returns whether two folders of stages belong to runs of one trigger."""
    return lineage(one) == lineage(other)


def write_arrays(stages: Stages, name: str, arrays: Mapping[str, Any], scratch: Path) -> None:
    """Writes arrays of numbers by name, as NumPy's .npz."""
    import numpy as np

    with stages.create(name, scratch) as draft, draft.open("wb") as file:
        np.savez(file, **arrays)


def read_arrays(stages: Stages, name: str) -> dict[str, Any]:
    """Reads what `write_arrays` has written; nothing in it is executed."""
    import numpy as np

    with stages.open(name) as file, np.load(io.BytesIO(file.read()), allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}
