"""Results in a bucket, where nothing can be renamed: a folder's last file says that it is whole."""

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from clusterworker.run.results import record as records
from clusterworker.run.results.record import MARKER, SPEC, RunRecord, lineage, read_record
from clusterworker.storage.bucket import Bucket

_COPY_BYTES = 8 << 20
_LAST = (records.FILE, MARKER)
"""Files that are written last and go first, in this order: a record without MARKER is an interrupted removal's."""


@dataclass(frozen=True)
class BucketTarget:
    """A folder in a bucket: files are uploaded when all are there, MARKER last."""

    bucket: Bucket

    @property
    def uri(self) -> str:
        """See Target."""
        return self.bucket.uri

    @property
    def siblings(self) -> str:
        """The trigger's folder, in which those of its runs are."""
        return self.bucket.path.rpartition("/")[0]

    def prepare(self, scratch: Path) -> Path:
        """See Target. Files are staged in the scratch directory."""
        filesystem = self.bucket.connect()
        with self.bucket.errors():
            from pyarrow import fs

            if filesystem.get_file_info(self.bucket.name).type == fs.FileType.NotFound:
                raise self.bucket.no_such_bucket()
        staged = scratch / "results"
        staged.mkdir()
        return staged

    def publish(self, staged: Path) -> None:
        """See Target. An earlier attempt's marker goes first: from there on, until the end, the folder is not whole."""
        filesystem = self.bucket.connect()
        files = sorted(staged.iterdir(), key=lambda file: (_place(file.name), file.name))
        with self.bucket.errors():
            for name in reversed(_LAST):
                _delete_if_there(filesystem, f"{self.bucket.path}/{name}")
            for file in files:
                with (
                    file.open("rb") as source,
                    filesystem.open_output_stream(f"{self.bucket.path}/{file.name}") as sink,
                ):
                    while chunk := source.read(_COPY_BYTES):
                        sink.write(chunk)

    def put_beside(self, name: str, content: bytes) -> None:
        """See Target. Putting an object is one step."""
        filesystem = self.bucket.connect()
        with self.bucket.errors(), filesystem.open_output_stream(f"{self.siblings}/{name}") as sink:
            sink.write(content)

    def abandon(self) -> None:
        """See Target. Without MARKER the folder counts as absent, and the next attempt overwrites it."""

    def finished(self) -> list[RunRecord]:
        """See Target."""
        filesystem = self.bucket.connect()
        with self.bucket.errors():
            return [
                record
                for run, names in self._folders(filesystem).items()
                if MARKER in names and (record := self._record(filesystem, run, names))
            ]

    def remove(self, run: str) -> None:
        """See Target. MARKER goes first; the record goes last, so that an interrupted removal is found again."""
        filesystem = self.bucket.connect()
        with self.bucket.errors():
            self._remove(filesystem, run, self._folders(filesystem).get(run, set()))

    def keep_spec(self, content: bytes) -> None:
        """See Target. It is the folder's first file."""
        if self.kept_spec() == content:
            return  # an attempt at a run that has completed, or failed, before
        filesystem = self.bucket.connect()
        with self.bucket.errors(), filesystem.open_output_stream(f"{self.bucket.path}/{SPEC}") as sink:
            sink.write(content)

    def forget_specs(self, most: int) -> None:
        """See Target. With them goes what an interrupted upload left."""
        filesystem = self.bucket.connect()
        with self.bucket.errors():
            folders = self._folders(filesystem)
            alone = [run for run, names in folders.items() if SPEC in names and not names.intersection(_LAST)]
            if len(alone) <= most:
                return
            files = filesystem.get_file_info([f"{self.siblings}/{run}/{SPEC}" for run in alone])
            for file in sorted(files, key=lambda file: file.mtime_ns or 0, reverse=True)[most:]:
                run = file.path.split("/")[-2]
                self._remove(filesystem, run, folders[run])

    def kept_spec(self) -> bytes | None:
        """See Target."""
        filesystem = self.bucket.connect()
        with self.bucket.errors():
            try:
                with filesystem.open_input_stream(f"{self.bucket.path}/{SPEC}") as stream:
                    content: bytes = stream.read()
            except FileNotFoundError:
                return None
        return content

    @property
    def spec_places(self) -> tuple[str, ...]:
        """See Target."""
        return (f"{self.uri}/{SPEC}",)

    def clear_remnants(self, before: datetime) -> None:
        """See Target. A record without MARKER may also be a moment of an upload, but not of a run of long ago."""
        filesystem = self.bucket.connect()
        with self.bucket.errors():
            for run, names in self._folders(filesystem).items():
                if MARKER in names:
                    continue
                record = self._record(filesystem, run, names)
                if record and record.finished_at < before:
                    self._remove(filesystem, run, names)

    def _folders(self, filesystem: Any) -> dict[str, set[str]]:
        """The files of each folder of a run of this trigger: one request for a thousand of them."""
        from pyarrow import fs

        ours = lineage(self.bucket.path.rpartition("/")[2])
        selector = fs.FileSelector(self.siblings, allow_not_found=True, recursive=True)
        folders: dict[str, set[str]] = defaultdict(set)
        for found in filesystem.get_file_info(selector):
            run, _, name = found.path.removeprefix(f"{self.siblings}/").partition("/")
            if found.type == fs.FileType.File and name and lineage(run) == ours:
                folders[run].add(name)
        return folders

    def _record(self, filesystem: Any, run: str, names: set[str]) -> RunRecord | None:
        if records.FILE not in names:
            return None
        try:
            with filesystem.open_input_stream(f"{self.siblings}/{run}/{records.FILE}") as stream:
                record = read_record(stream.read())
        except FileNotFoundError:  # a run that ended at the same time has removed it
            return None
        return record if record and record.run == run else None

    def _remove(self, filesystem: Any, run: str, names: set[str]) -> None:
        folder = f"{self.siblings}/{run}"
        for name in sorted(names - {records.FILE}, key=lambda name: (name != MARKER, name)):
            _delete_if_there(filesystem, f"{folder}/{name}")
        if names:
            with suppress(FileNotFoundError):
                filesystem.delete_dir(folder)  # the record, and the empty object by which some tools show a folder


def _place(name: str) -> int:
    return _LAST.index(name) + 1 if name in _LAST else 0


def _delete_if_there(filesystem: Any, path: str) -> None:
    from pyarrow import fs

    if filesystem.get_file_info(path).type != fs.FileType.NotFound:
        filesystem.delete_file(path)
