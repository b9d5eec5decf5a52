"""A collection in Parquet files, read batch by batch."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clustertrigger.api.run import Source
from clusterworker.arrays import Rows
from clusterworker.errors import MisconfiguredError
from clusterworker.sources.batch import Batch, Place
from clusterworker.sources.matrix import fixed_dimensions, is_vector_type, to_matrix
from clusterworker.sources.store import FileStore

BATCH_ROWS = 16_384
BUFFER_BYTES = 4 << 20
"""Read a column chunk piece by piece: a row group of a million vectors would otherwise be loaded as a whole."""
MODEL_KEYS = (b"embedding_model", b"model_name", b"model")
"""Keys of the file's schema metadata under which writers name the embedding model."""


@dataclass(frozen=True)
class ParquetFileInfo:
    """What a file's footer says."""

    name: str
    rows: int
    schema: Any


class ParquetCollection:
    """One collection of the RunSpec.

    Args:
        collection_id: the API's id.
        source: where it lies and which columns matter.
        store: finds and opens the files.

    Raises:
        MisconfiguredError: files are missing or no Parquet, columns are missing or of a wrong type, there is no row.
    """

    def __init__(self, collection_id: str, source: Source, store: FileStore) -> None:
        self.collection_id = collection_id
        self.source = source
        self._store = store
        self.files = [self._inspect(name) for name in store.find()]
        self.rows = sum(file.rows for file in self.files)
        if self.rows == 0:
            raise MisconfiguredError(
                f"{self._shown(source.uri)}: collection {collection_id} has no documents: "
                "add some, or leave the collection out"
            )

    @cached_property
    def dimensions(self) -> int:
        """Length of the vectors: what the first vector has, and all others must have.

        Raises:
            MisconfiguredError: files disagree, or the first vector is null.
        """
        filled = [file for file in self.files if file.rows]
        promised = {file.name: fixed_dimensions(file.schema.field(self.source.vector_column).type) for file in filled}
        fixed = {name: length for name, length in promised.items() if length is not None}
        if len(set(fixed.values())) > 1:
            first = next(iter(fixed))
            other = next(name for name, length in fixed.items() if length != fixed[first])
            raise MisconfiguredError(
                f"{self._shown(other)}: vectors of length {fixed[other]}, but {self._shown(first)} has {fixed[first]}: "
                "embed all documents with one model"
            )
        length = next(iter(fixed.values()), None) or self._first_length(filled[0])
        if length == 0:
            raise MisconfiguredError(
                f"{self._shown(filled[0].name)}: column {self.source.vector_column} holds empty vectors: "
                "embed the documents"
            )
        return length

    @property
    def has_integer_ids(self) -> bool:
        """Whether every file has integer document ids."""
        column = self.source.document_id_column
        return all(pa.types.is_integer(file.schema.field(column).type) for file in self.files if file.rows)

    @property
    def embedding_model(self) -> str:
        """Name of the embedding model, if the first file's schema metadata names one."""
        metadata = self.files[0].schema.metadata or {}
        return next((metadata[key].decode(errors="replace") for key in MODEL_KEYS if key in metadata), "")

    def batches(self, index: int) -> Iterator[Batch]:
        """Yield all documents in order.

        Args:
            index: of this collection in the RunSpec.

        Raises:
            MisconfiguredError: bad data, named by file and row.
            UnavailableError: the volume or S3 does not answer.
        """
        columns = [self.source.document_id_column, self.source.vector_column]
        for file in self.files:
            row = 0
            for records in self._records(file, columns):
                place = Place(self.collection_id, self._shown(file.name), row)
                vectors = to_matrix(records.column(columns[1]), self.dimensions, place, columns[1])
                yield Batch(self._ids(records.column(columns[0]), place), vectors, index, place)
                row += len(vectors)

    def texts(self, rows: Rows) -> dict[int, str]:
        """Return the texts of some rows of this collection, by row number; empty without a text column.

        Only row groups that hold such a row are read, and of them only that column.
        """
        column = self.source.text_column
        wanted = np.unique(rows)
        if column is None or wanted.size == 0:
            return {}
        found: dict[int, str] = {}
        first = 0
        for file in self.files:
            inside = wanted[(wanted >= first) & (wanted < first + file.rows)] - first
            if inside.size:
                with self._reading(file.name) as parquet:
                    found |= {first + row: text for row, text in _pick(parquet, column, inside)}
            first += file.rows
        return found

    def _inspect(self, name: str) -> ParquetFileInfo:
        with self._reading(name) as parquet:
            info = ParquetFileInfo(name, parquet.metadata.num_rows, parquet.schema_arrow)
        self._check_columns(info)
        return info

    def _check_columns(self, file: ParquetFileInfo) -> None:
        source, shown = self.source, self._shown(file.name)
        wanted = {"document_id_column": source.document_id_column, "vector_column": source.vector_column}
        if source.text_column:
            wanted["text_column"] = source.text_column
        for field, column in wanted.items():
            if column not in file.schema.names:
                there = ", ".join(file.schema.names[:20])
                raise MisconfiguredError(
                    f"{shown}: no column {column}: it has {there}: set source.{field} to one of them"
                )
        if not file.rows:  # writers give columns of empty tables no type
            return
        kind = file.schema.field(source.document_id_column).type
        if not (_is_string(kind) or pa.types.is_integer(kind)):
            raise MisconfiguredError(
                f"{shown}: column {source.document_id_column} holds {kind}, not strings or integers: "
                "set source.document_id_column to another column"
            )
        kind = file.schema.field(source.vector_column).type
        if not is_vector_type(kind):
            raise MisconfiguredError(
                f"{shown}: column {source.vector_column} holds {kind}, not lists of floating-point numbers: "
                "set source.vector_column to the column with the embeddings"
            )

    def _first_length(self, file: ParquetFileInfo) -> int:
        records = next(self._records(file, [self.source.vector_column], rows=1))
        vector = records.column(0)[0].as_py()
        if vector is None:
            place = Place(self.collection_id, self._shown(file.name), 0)
            raise MisconfiguredError(
                f"{place.at(0)}: column {self.source.vector_column} is null: embed that document again or leave it out"
            )
        return len(vector)

    def _records(self, file: ParquetFileInfo, columns: Sequence[str], rows: int = BATCH_ROWS) -> Iterator[Any]:
        with self._reading(file.name) as parquet:
            for records in parquet.iter_batches(rows, columns=list(columns)):
                if records.num_rows:
                    yield records

    @contextmanager
    def _reading(self, name: str) -> Iterator[Any]:
        """Open a file; what goes wrong while reading it names it."""
        with self._store.errors(self._shown(name)), self._store.open(name) as file:
            yield pq.ParquetFile(file, pre_buffer=False, buffer_size=BUFFER_BYTES)

    def _ids(self, column: Any, place: Place) -> Any:
        if column.null_count:
            row = int(pa.compute.index(column.is_null(), True).as_py())
            raise MisconfiguredError(
                f"{place.at(row)}: column {self.source.document_id_column} is null: give every document an id"
            )
        return column.cast(pa.int64() if pa.types.is_integer(column.type) else pa.string())

    def _shown(self, name: str) -> str:
        return f"s3://{name}" if self.source.is_remote and not name.startswith("s3://") else name


def _is_string(kind: Any) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _pick(parquet: Any, column: str, rows: Rows) -> Iterator[tuple[int, str]]:
    """Yield (row, text) of some rows of one file, rows ascending."""
    first = 0
    for group in range(parquet.num_row_groups):
        count = parquet.metadata.row_group(group).num_rows
        inside = rows[(rows >= first) & (rows < first + count)]
        if inside.size:
            texts = parquet.read_row_group(group, columns=[column]).column(column).take(pa.array(inside - first))
            yield from zip(
                inside.tolist(), ("" if text is None else str(text) for text in texts.to_pylist()), strict=True
            )
        first += count
