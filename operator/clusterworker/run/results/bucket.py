"""Stores results in a bucket, where nothing can be renamed: the last file of a folder marks it as complete."""

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
"""Files that are written last and deleted first, in this order. A record without MARKER belongs to an interrupted
removal.
"""


@dataclass(frozen=True)
class BucketTarget:
    """A folder in a bucket. Files are uploaded when all of them exist, MARKER last."""

    bucket: Bucket

    @property
    def uri(self) -> str:
        """See Target."""
        return self.bucket.uri

    @property
    def siblings(self) -> str:
        """The trigger's folder, which contains those of its runs."""
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
        """See Target.

        The marker of an earlier attempt is deleted first. Until the end, the folder does not count as complete.
        """
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
        """See Target. Writing an object is atomic."""
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
        """See Target. MARKER is deleted first and the record last, so that an interrupted removal is found again."""
        filesystem = self.bucket.connect()
        with self.bucket.errors():
            self._remove(filesystem, run, self._folders(filesystem).get(run, set()))

    def keep_spec(self, content: bytes) -> None:
        """See Target. It is the folder's first file."""
        if self.kept_spec() == content:
            return  # This is an attempt of a run that has completed, or failed, before.
        filesystem = self.bucket.connect()
        with self.bucket.errors(), filesystem.open_output_stream(f"{self.bucket.path}/{SPEC}") as sink:
            sink.write(content)

    def forget_specs(self, most: int) -> None:
        """See Target. It also removes what an interrupted upload left."""
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
        """See Target. A record without MARKER can also be a short moment of an upload, but not in an old run."""
        filesystem = self.bucket.connect()
        with self.bucket.errors():
            for run, names in self._folders(filesystem).items():
                if MARKER in names:
                    continue
                record = self._record(filesystem, run, names)
                if record and record.finished_at < before:
                    self._remove(filesystem, run, names)

    def _folders(self, filesystem: Any) -> dict[str, set[str]]:
        """Returns the files of each folder of a run of this trigger, with one request for each thousand of them."""
        from pyarrow import fs

        own_lineage = lineage(self.bucket.path.rpartition("/")[2])
        selector = fs.FileSelector(self.siblings, allow_not_found=True, recursive=True)
        folders: dict[str, set[str]] = defaultdict(set)
        for found in filesystem.get_file_info(selector):
            run, _, name = found.path.removeprefix(f"{self.siblings}/").partition("/")
            if found.type == fs.FileType.File and name and lineage(run) == own_lineage:
                folders[run].add(name)
        return folders

    def _record(self, filesystem: Any, run: str, names: set[str]) -> RunRecord | None:
        if records.FILE not in names:
            return None
        try:
            with filesystem.open_input_stream(f"{self.siblings}/{run}/{records.FILE}") as stream:
                record = read_record(stream.read())
        except FileNotFoundError:  # A run that ended at the same time has removed it.
            return None
        return record if record and record.run == run else None

    def _remove(self, filesystem: Any, run: str, names: set[str]) -> None:
        folder = f"{self.siblings}/{run}"
        for name in sorted(names - {records.FILE}, key=lambda name: (name != MARKER, name)):
            _delete_if_there(filesystem, f"{folder}/{name}")
        if names:
            with suppress(FileNotFoundError):
                # This deletes the record, and the empty object by which some tools show a folder.
                filesystem.delete_dir(folder)


def _place(name: str) -> int:
    return _LAST.index(name) + 1 if name in _LAST else 0


def _delete_if_there(filesystem: Any, path: str) -> None:
    from pyarrow import fs

    if filesystem.get_file_info(path).type != fs.FileType.NotFound:
        filesystem.delete_file(path)
