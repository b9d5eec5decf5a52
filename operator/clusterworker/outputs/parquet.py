"""Writes Parquet: one file, which replaces that of an earlier run atomically."""

import secrets as random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clustercontract.counted import counted
from clustercontract.output import OutputInput, output_file
from clusterworker.outputs.table import Table
from clusterworker.process.errors import MisconfiguredError, RunError
from clusterworker.process.progress import Progress
from clusterworker.storage.addresses import bucket_at
from clusterworker.storage.bucket import Bucket
from clusterworker.storage.volume import errors_at, sync_directory, sync_file

_MARK = b"clustertrigger.run"
"""Key in the metadata of every file that a run writes. Other files are never replaced."""
_COPY_BYTES = 8 << 20


class ParquetOutput:
    """A file on a volume or in a bucket; see Output.

    Args:
        output: The output in the RunSpec.
        scratch: Directory for files to upload.
        secrets: Directory with one directory per mounted Secret.
    """

    def __init__(self, output: OutputInput, scratch: Path, secrets: Path) -> None:
        self._given = output
        self._scratch = scratch
        access = output.source.model_copy(update={"secret_name": output.write.secret_name})
        self._secrets, self._access = secrets, access
        self._id_column = output.source.document_id_column or "document_id"

    @property
    def shown(self) -> str:
        """See Output."""
        return self._given.source.uri

    def check(self, table: Table) -> None:
        """See Output."""
        target = self._target(table)
        schema = target.schema()
        if schema is not None and _MARK not in (schema.metadata or {}):
            raise MisconfiguredError(
                f"{target.shown}: the file exists but was not written by a run, so it is not replaced: change the uri "
                "of the collection, or remove the file"
            )
        if schema is not None and table.run_column not in schema.names:
            raise MisconfiguredError(
                f"{target.shown}: another action writes this file, so it is not replaced: change the uri of the "
                "collection, for example to a directory, or remove the file"
            )
        target.prepare()

    def write(self, table: Table, progress: Progress) -> str:
        """See Output."""
        target, rows = self._target(table), 0
        self.check(table)
        try:
            with target.draft() as draft:
                schema = self._schema(table)
                with pq.ParquetWriter(draft, schema, compression="zstd") as writer:
                    for batch in table.batches():
                        run = pa.repeat(pa.scalar(table.run, pa.string()), batch.num_rows)
                        writer.write_batch(pa.record_batch([*batch.columns, run], schema=schema))
                        rows += batch.num_rows
                        progress.advance(0.9 * rows / max(table.rows, 1))
        except RunError as error:
            raise type(error)(
                f"{error}: {rows:,} of {table.rows:,} rows were written to a temporary file: the output is unchanged"
            ) from error
        return f"{counted(rows, 'row')} of {target.shown}"

    def _schema(self, table: Table) -> pa.Schema:
        first = table.schema.field(0).with_name(self._id_column)
        fields = [first, *list(table.schema)[1:], pa.field(table.run_column, pa.string(), nullable=False)]
        return pa.schema(fields, metadata={_MARK: table.run})

    def _target(self, table: Table) -> "_VolumeFile | _Object":
        uri = output_file(self._given.source.uri, table.name)
        bucket = bucket_at(uri, self._access, self._secrets)
        if bucket:
            return _Object(bucket, self._scratch)
        if self._given.mount_path is None:
            raise MisconfiguredError(f"{uri}: it is a path, but no volume is mounted: set spec.volume")
        return _VolumeFile(Path(self._given.mount_path), uri)


class _VolumeFile:
    """A file below a mount point. A path that leads outside of it, for example through a symbolic link, is refused."""

    def __init__(self, mount: Path, uri: str) -> None:
        self.shown = uri
        self._file = mount / uri
        if not self._file.parent.resolve().is_relative_to(mount.resolve()):
            raise MisconfiguredError(
                f"{uri}: leads outside of the collection's volume: change the uri of the collection"
            )

    def schema(self) -> Any | None:
        """Returns the schema of the existing file; None if there is none."""
        with errors_at(self.shown, "write it", where=""):
            if self._file.is_dir():
                raise MisconfiguredError(f"{self.shown}: it is a directory: change the uri of the collection")
            return _schema_of(lambda: pq.read_schema(self._file)) if self._file.exists() else None

    def prepare(self) -> None:
        """Creates its directory, and removes files of killed attempts there."""
        with errors_at(self.shown, "write it", where=""):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            for leftover in self._file.parent.glob(f".{self._file.name}.*.partial"):
                leftover.unlink(missing_ok=True)
            probe = self._file.with_name(f".{self._file.name}.{random.token_hex(4)}.partial")
            probe.touch()
            probe.unlink()

    @contextmanager
    def draft(self) -> Iterator[Path]:
        """Yields a path to write to. If there is no error, the file is replaced atomically."""
        draft = self._file.with_name(f".{self._file.name}.{random.token_hex(4)}.partial")
        try:
            with errors_at(self.shown, "write it", where=""):
                yield draft
                sync_file(draft)
                draft.chmod(0o664)  # The volume's group (the Pod's fsGroup) may remove it.
                draft.replace(self._file)
                sync_directory(self._file.parent)
        finally:
            draft.unlink(missing_ok=True)


class _Object:
    """An object in a bucket.

    It is uploaded under another name, and the server then copies it atomically to its own name.
    """

    def __init__(self, bucket: Bucket, scratch: Path) -> None:
        self.shown = bucket.uri
        self._bucket = bucket
        self._scratch = scratch
        self._filesystem = bucket.connect()

    def schema(self) -> Any | None:
        """Returns the schema of the existing object; None if there is none."""
        from pyarrow import fs

        with self._bucket.errors():
            found = self._filesystem.get_file_info(self._bucket.path)
            if found.type != fs.FileType.File:
                return None
            return _schema_of(lambda: pq.read_schema(self._bucket.path, filesystem=self._filesystem))

    def prepare(self) -> None:
        """Verifies that the bucket exists."""
        from pyarrow import fs

        with self._bucket.errors():
            if self._filesystem.get_file_info(self._bucket.name).type == fs.FileType.NotFound:
                raise self._bucket.no_such_bucket()

    @contextmanager
    def draft(self) -> Iterator[Path]:
        """Yields a path to write to. If there is no error, the object is replaced atomically."""
        with tempfile.TemporaryDirectory(prefix="output-", dir=self._scratch) as directory:
            draft = Path(directory) / "draft.parquet"
            yield draft
            folder, _, name = self._bucket.path.rpartition("/")
            aside = f"{folder}/_{name}.partial"
            with self._bucket.errors():
                with draft.open("rb") as source, self._filesystem.open_output_stream(aside) as sink:
                    shutil.copyfileobj(source, sink, _COPY_BYTES)
                self._filesystem.move(aside, self._bucket.path)


def _schema_of(read: Callable[[], Any]) -> Any:
    """Returns the schema of a Parquet file; an empty one for any other file."""
    try:
        return read()
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return pa.schema([])
