"""Stores results on a mounted volume: a folder is published and removed atomically by renaming."""

import errno
import os
import secrets
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from clusterworker.run.results import record as records
from clusterworker.run.results.record import MARKER, SPEC, RunRecord, lineage, read_record
from clusterworker.storage.volume import errors_at, exchange, replace, sync, sync_directory

_REMOVED = ".removed"


@dataclass(frozen=True)
class VolumeTarget:
    """A folder on a mounted volume, which is written as a hidden sibling and renamed."""

    uri: str

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.uri)

    @property
    def siblings(self) -> Path:
        """The trigger's folder, which contains those of its runs."""
        return self.folder.parent

    def prepare(self, scratch: Path) -> Path:
        """See Target."""
        with errors_at(self.uri):
            os.umask(0o002)  # The volume's group (the Pod's fsGroup) may remove it.
            self.siblings.mkdir(parents=True, exist_ok=True)
            self.abandon()
            staged = self.folder.with_name(f".{self.folder.name}.{secrets.token_hex(4)}.partial")
            staged.mkdir()
        return staged

    def publish(self, staged: Path) -> None:
        """See Target."""
        with errors_at(self.uri):
            sync(staged)
            try:
                staged.rename(self.folder)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                exchange(staged, self.folder)
                shutil.rmtree(staged)
            sync_directory(self.siblings)
            self._spec_aside.unlink(missing_ok=True)  # The folder contains it.

    def put_beside(self, name: str, content: bytes) -> None:
        """See Target."""
        with errors_at(self.uri):
            replace(self.siblings / name, content, self.folder.name)

    def abandon(self) -> None:
        """See Target."""
        for leftover in self.siblings.glob(f".{self.folder.name}.*.partial"):
            shutil.rmtree(leftover, ignore_errors=True)

    def finished(self) -> list[RunRecord]:
        """See Target."""
        own_lineage = lineage(self.folder.name)
        with errors_at(self.uri):
            folders = [entry for entry in self.siblings.iterdir() if lineage(entry.name) == own_lineage]
            found = [_record(folder) for folder in folders if (folder / MARKER).is_file()]
        return [record for record in found if record]

    def remove(self, run: str) -> None:
        """See Target. Readers with open files of it keep them; on NFS, their names stay until they are closed."""
        aside = self.siblings / f".{run}.{secrets.token_hex(4)}{_REMOVED}"
        with errors_at(self.uri):
            try:
                (self.siblings / run).rename(aside)
            except FileNotFoundError:
                return
        shutil.rmtree(aside, ignore_errors=True)

    def keep_spec(self, content: bytes) -> None:
        """See Target. It lies beside the folder until the folder, which is published atomically, exists."""
        if self.kept_spec() == content:
            return  # This is an attempt of a run that has completed, or failed, before.
        with errors_at(self.uri):
            replace(self._spec_aside, content, secrets.token_hex(4))

    def forget_specs(self, most: int) -> None:
        """See Target."""
        own_lineage = lineage(self.folder.name)
        with errors_at(self.uri):
            files = self.siblings.glob(f".*.{SPEC}")
            found = [(_modified(file), file) for file in files if lineage(file.name.split(".")[1]) == own_lineage]
            for _, file in sorted(found, reverse=True)[most:]:
                file.unlink(missing_ok=True)

    def kept_spec(self) -> bytes | None:
        """See Target."""
        with errors_at(self.uri):
            for place in self.spec_places:
                with suppress(FileNotFoundError):
                    return Path(place).read_bytes()
        return None

    @property
    def spec_places(self) -> tuple[str, ...]:
        """See Target."""
        return str(self.folder / SPEC), str(self._spec_aside)

    @property
    def _spec_aside(self) -> Path:
        return self.siblings / f".{self.folder.name}.{SPEC}"

    def clear_remnants(self, before: datetime) -> None:
        """See Target. A renamed folder belongs to no run, whenever its run finished."""
        own_lineage = lineage(self.folder.name)
        with errors_at(self.uri):
            for entry in self.siblings.glob(f".*{_REMOVED}"):
                if lineage(entry.name.removeprefix(".").partition(".")[0]) == own_lineage:
                    shutil.rmtree(entry, ignore_errors=True)


def _modified(file: Path) -> float:
    with suppress(FileNotFoundError):  # Its run has completed at the same time.
        return file.stat().st_mtime
    return 0.0


def _record(folder: Path) -> RunRecord | None:
    """Returns the folder's record, if it belongs to this folder. A copy under another name is left alone."""
    try:
        record = read_record((folder / records.FILE).read_bytes())
    except FileNotFoundError:
        return None
    return record if record and record.run == folder.name else None
