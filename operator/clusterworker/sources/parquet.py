"""A collection in Parquet files, read batch by batch."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from clustertrigger.api.run import Source
from clusterworker.arrays import Rows
from clusterworker.errors import MisconfiguredError
from clusterworker.sources.batch import BATCH_ROWS, Batch, Place
from clusterworker.sources.matrix import fixed_dimensions, is_vector_type, to_matrix
from clusterworker.sources.messages import REMEDY, missing, no_documents
from clusterworker.sources.parquet_file import ParquetFile
from clusterworker.sources.predicate import predicate
from clusterworker.sources.store import FileStore

MODEL_KEYS = (b"embedding_model", b"model_name", b"model")
"""Keys of the file's schema metadata under which writers name the embedding model."""


class ParquetCollection:
    """One collection of the RunSpec; see Collection.

    Args:
        collection_id: the API's id.
        source: where it lies and which columns matter.
        store: finds and opens the files.

    Raises:
        MisconfiguredError: files are missing or no Parquet, columns are missing or of a wrong type, there is no row.
    """

    def __init__(self, collection_id: str, source: Source, store: FileStore) -> None:
        self.collection_id = collection_id
        self._source = source
        self._id_column = source.document_id_column or "document_id"
        self._vector_column = source.vector_column or "embedding"
        wanted = predicate(source.filters) if source.filters else None
        self._files = [ParquetFile(store, name, self._shown(name), wanted) for name in store.find()]
        for file in self._files:
            self._check_columns(file)
        self.rows = sum(file.rows for file in self._files)
        if self.rows == 0:
            filtered = any(file.written for file in self._files)
            raise MisconfiguredError(f"{self._shown(source.uri)}: {no_documents(collection_id, filtered=filtered)}")

    @cached_property
    def dimensions(self) -> int:
        """Length of the vectors: what the first vector has, and all others must have.

        Raises:
            MisconfiguredError: files disagree, or the first vector is null.
        """
        filled = [file for file in self._files if file.rows]
        promised = {file.shown: fixed_dimensions(file.schema.field(self._vector_column).type) for file in filled}
        fixed = {name: length for name, length in promised.items() if length is not None}
        if len(set(fixed.values())) > 1:
            first = next(iter(fixed))
            other = next(name for name, length in fixed.items() if length != fixed[first])
            raise MisconfiguredError(
                f"{other}: vectors of length {fixed[other]}, but {first} has {fixed[first]}: "
                "embed all documents with one model"
            )
        length = next(iter(fixed.values()), None) or self._first_length(filled[0])
        if length == 0:
            raise MisconfiguredError(
                f"{filled[0].shown}: column {self._vector_column} holds empty vectors: embed the documents"
            )
        return length

    @property
    def has_integer_ids(self) -> bool:
        """See Collection."""
        return all(pa.types.is_integer(file.schema.field(self._id_column).type) for file in self._files if file.rows)

    @property
    def embedding_model(self) -> str:
        """Name of the embedding model, if the first file's schema metadata names one."""
        metadata = self._files[0].schema.metadata or {}
        return next((metadata[key].decode(errors="replace") for key in MODEL_KEYS if key in metadata), "")

    def batches(self, index: int) -> Iterator[Batch]:
        """See Collection."""
        columns = [self._id_column, self._vector_column]
        for file in self._files:
            for records, place in file.records(columns):
                vectors = to_matrix(records.column(columns[1]), self.dimensions, place, f"column {columns[1]}")
                yield Batch(self._ids(records.column(columns[0]), place), vectors, index, place)

    def texts(self, rows: Rows) -> dict[int, str]:
        """See Collection."""
        column = self._source.text_column
        wanted = np.unique(rows)
        if column is None or wanted.size == 0:
            return {}
        found: dict[int, str] = {}
        first = 0
        for file in self._files:
            inside = wanted[(wanted >= first) & (wanted < first + file.rows)] - first
            if inside.size:
                found |= {first + row: text for row, text in file.texts(column, inside)}
            first += file.rows
        return found

    def _check_columns(self, file: ParquetFile) -> None:
        wanted = {"document_id_column": self._id_column, "vector_column": self._vector_column}
        if self._source.text_column:
            wanted["text_column"] = self._source.text_column
        for field, column in wanted.items():
            if column not in file.schema.names:
                raise missing(file.shown, f"column {column}", file.schema.names, field)
        if not file.written:  # writers give columns of empty tables no type
            return
        kind = file.schema.field(self._id_column).type
        if not (_is_string(kind) or pa.types.is_integer(kind)):
            raise MisconfiguredError(
                f"{file.shown}: column {self._id_column} holds {kind}, not strings or integers: "
                "set source.document_id_column to another column"
            )
        kind = file.schema.field(self._vector_column).type
        if not is_vector_type(kind):
            raise MisconfiguredError(
                f"{file.shown}: column {self._vector_column} holds {kind}, not lists of floating-point numbers: "
                "set source.vector_column to the column with the embeddings"
            )

    def _first_length(self, file: ParquetFile) -> int:
        rows = BATCH_ROWS if self._source.filters else 1
        records, place = next(file.records([self._vector_column], rows))
        vector = records.column(self._vector_column)[0].as_py()
        if vector is None:
            raise MisconfiguredError(f"{place.at(0)}: column {self._vector_column} is null: {REMEDY}")
        return len(vector)

    def _ids(self, column: Any, place: Place) -> Any:
        if column.null_count:
            row = int(pa.compute.index(column.is_null(), True).as_py())
            raise MisconfiguredError(f"{place.at(row)}: column {self._id_column} is null: give every document an id")
        return column.cast(pa.int64() if pa.types.is_integer(column.type) else pa.string())

    def _shown(self, name: str) -> str:
        scheme, separator, _ = self._source.uri.rpartition("://")
        return f"{scheme}{separator}{name}" if separator and "://" not in name else name


def _is_string(kind: Any) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
