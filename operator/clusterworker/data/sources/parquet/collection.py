"""A collection in Parquet files, read batch by batch."""

from collections.abc import Hashable, Iterator, Sequence
from copy import copy
from functools import cached_property
from itertools import groupby
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clustercontract.source import Source
from clusterworker.data.arrays import Rows
from clusterworker.data.sources.batch import Batch
from clusterworker.data.sources.collection import blaming_changes
from clusterworker.data.sources.document_ids import LARGEST, identifies, is_integer, to_ids
from clusterworker.data.sources.matrix import (
    RAW_BYTES,
    batch_of,
    first_length,
    fixed_dimensions,
    is_vector_type,
    to_numbers,
)
from clusterworker.data.sources.messages import missing, no_documents, twice, type_shown
from clusterworker.data.sources.parquet.file import ParquetFile, RowGroup
from clusterworker.data.sources.parquet.model_names import model_of
from clusterworker.data.sources.parquet.store import FileStore
from clusterworker.data.sources.parquet.texts import texts_of
from clusterworker.data.sources.predicate import predicate
from clusterworker.process.errors import MisconfiguredError

WIDE = "if these are the numbers of the vectors, write them into one column, as one list of numbers for each document"
"""The remedy for vectors whose numbers are in separate columns, as data frames have them."""
MOST_DIMENSIONS = 65_536
"""Maximum number of dimensions. A sparse vector can declare any length, and takes that much memory when it is dense,
which clustering requires.
"""
BATCH_NUMBERS = 1 << 26
"""Maximum number of numbers in a batch; with very long vectors, it has fewer rows."""
READ_ROWS = 4_000
"""Maximum number of rows in a batch. The vectors of more rows, and pyarrow's temporary arrays, exceed the processor's
cache, so that decoding takes more processor time.
"""


class ParquetCollection:
    """One collection of the RunSpec; see Collection. Files that are added while it is read are left to the next run.

    Args:
        collection_id: The collection_id of the API.
        source: Address and columns.
        store: Finds and opens the files.

    Raises:
        MisconfiguredError: files are missing or no Parquet, columns are missing or of a wrong type, there is no row.
        UnavailableError: files change or go while they are opened.
    """

    def __init__(self, collection_id: str, source: Source, store: FileStore) -> None:
        self.collection_id = collection_id
        self._source = source
        self._id_column = source.document_id_column or "document_id"
        self._vector_column = source.vector_column or "embedding"
        files = _files_of(source, store)
        self._files = [file for file in files if file.rows]
        self.rows = sum(file.rows for file in self._files)
        with blaming_changes(files):
            for file in files:
                if file.written:  # Writers give the columns of empty tables no type, or leave them out.
                    self._check_columns(file)
            if self.rows == 0:
                nothing = no_documents(collection_id, filtered=any(file.written for file in files))
                raise MisconfiguredError(f"{_shown(source, source.uri)}: {nothing}")
            self.embedding_model = model_of(self._files, self._vector_column)

    def blame_changes(self) -> None:
        """See Changeable. It asks for each file once, as opening did."""
        for file in self._files:
            file.blame_changes()

    @cached_property
    def dimensions(self) -> int:
        """Length of the vectors: that of the first vector, which all others must have.

        Raises:
            MisconfiguredError: files disagree, or the first vector is null.
            UnavailableError: files have changed since they were opened.
        """
        with blaming_changes(self._files):
            return self._length()

    def _length(self) -> int:
        promised = {file.shown: fixed_dimensions(file.types.field(self._vector_column).type) for file in self._files}
        fixed = {name: length for name, length in promised.items() if length is not None}
        if len(set(fixed.values())) > 1:
            first = next(iter(fixed))
            other = next(name for name, length in fixed.items() if length != fixed[first])
            raise MisconfiguredError(
                f"{other}: vectors of length {fixed[other]}, but {first} has {fixed[first]}: "
                "embed all documents with one model"
            )
        length = next(iter(fixed.values()), None)
        if length is None:
            length = self._first_length(self._files[0])
        if length == 0:
            raise MisconfiguredError(
                f"{self._files[0].shown}: column {self._vector_column} holds empty vectors: embed the documents"
            )
        if length > MOST_DIMENSIONS:
            raise MisconfiguredError(
                f"{self._files[0].shown}: column {self._vector_column} holds vectors of length {length}, and at most "
                f"{MOST_DIMENSIONS} are clustered: reduce the dimensions first, for example with PCA or SVD"
            )
        return length

    @cached_property
    def has_integer_ids(self) -> bool:
        """See Collection."""
        return all(self._holds_integers(file) for file in self._files)

    def batches(self, index: int) -> Iterator[Batch]:
        """See Collection."""
        columns = [self._id_column, self._vector_column]
        rows = min(READ_ROWS, BATCH_NUMBERS // self.dimensions)
        for file in self._files:
            for records, place in file.records(columns, rows):
                what = f"column {columns[1]}"
                with file.blaming_changes():
                    numbers = to_numbers(records.column(1), self.dimensions, place, what)
                    ids = to_ids(records.column(0), place, f"column {columns[0]}", integers=self.has_integer_ids)
                    batch = batch_of(ids, numbers, index, place, what)
                yield batch

    def ids(self) -> Iterator[Any]:
        """See CollectionPart."""
        for file in self._files:
            for records, place in file.records([self._id_column]):
                with file.blaming_changes():
                    found = to_ids(records.column(0), place, f"column {self._id_column}", integers=self.has_integer_ids)
                yield found

    def parts(self, most: int) -> Iterator[Self]:
        """See Divisible.

        Parts consist of whole row groups, and verify that the files are those that this collection has opened.
        """
        self.dimensions, self.has_integer_ids  # noqa: B018 - It is determined once, rather than by each part.
        chosen: list[tuple[ParquetFile, RowGroup]] = []
        for file in self._files:
            for group in file.groups:
                if chosen and sum(own.matching for _, own in chosen) + group.matching > most:
                    yield self._of(chosen)
                    chosen = []
                chosen.append((file, group))
        yield self._of(chosen)

    def _of(self, chosen: Sequence[tuple[ParquetFile, RowGroup]]) -> Self:
        part = copy(self)
        by_file = [list(pairs) for _, pairs in groupby(chosen, key=lambda pair: id(pair[0]))]
        part._files = [pairs[0][0].of_groups([group for _, group in pairs]) for pairs in by_file]
        part.rows = sum(file.rows for file in part._files)
        return part

    @property
    def fingerprint(self) -> Hashable:
        """See CollectionPart."""
        read = (self._id_column, self._vector_column, str(self._source.filters))
        return (*read, *(file.fingerprint for file in self._files))

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
                for numbers, values in file.select(column, inside):
                    found |= zip((numbers + first).tolist(), texts_of(values), strict=True)
            first += file.rows
        return found

    def _check_columns(self, file: ParquetFile) -> None:
        wanted = {"document_id_column": self._id_column, "vector_column": self._vector_column}
        if self._source.text_column:
            wanted["text_column"] = self._source.text_column
        available = [*file.schema.names, *file.partitions]
        for field, column in wanted.items():
            if column not in available:
                error = missing(file.shown, f"column {column}", available, field)
                if field == "vector_column" and _is_wide(file):
                    raise MisconfiguredError(f"{error.found}: {WIDE}")
                raise error
            if available.count(column) > 1:
                raise twice(file.shown, column)
        kind, shown = self._type(file, self._id_column)
        if not identifies(kind):
            raise MisconfiguredError(
                f"{file.shown}: column {self._id_column} holds {shown}, not strings or integers: "
                "write the ids as one of these, or set source.document_id_column to another column"
            )
        kind, shown = self._type(file, self._vector_column)
        if pa.types.is_fixed_size_binary(kind):
            raise MisconfiguredError(f"{file.shown}: column {self._vector_column} holds {shown}, {RAW_BYTES}")
        if self._vector_column in file.partitions or not is_vector_type(kind):
            raise MisconfiguredError(
                f"{file.shown}: column {self._vector_column} holds {shown}, not lists of numbers: "
                "write one list of numbers for each document, or set source.vector_column to another column"
            )

    def _type(self, file: ParquetFile, column: str) -> tuple[Any, str]:
        """Returns a column's plain type, and its type as written for messages."""
        if column in file.partitions:
            return pa.string(), "the names of directories"
        return file.types.field(column).type, type_shown(file.schema.field(column).type)

    def _holds_integers(self, file: ParquetFile) -> bool:
        kind, _ = self._type(file, self._id_column)
        if not pa.types.is_uint64(kind):
            return is_integer(kind)
        largest = (pc.max(records.column(0)).as_py() for records, _ in file.records([self._id_column]))
        return all(value is None or value <= LARGEST for value in largest)

    def _first_length(self, file: ParquetFile) -> int:
        rows = None if self._source.filters else 1  # Before the first selected row, there can be many others.
        records, place = next(file.records([self._vector_column], rows))
        with file.blaming_changes():
            return first_length(records.column(0), place, f"column {self._vector_column}")


def count_rows(source: Source, store: FileStore) -> int:
    """Returns the number of documents of a collection, after filters.

    It reads the files' footers and the columns that filters compare.

    Raises:
        MisconfiguredError: files are missing or no Parquet, or lack the columns that filters compare.
        UnavailableError: files are changed or removed in the meantime.
    """
    return sum(file.rows for file in _files_of(source, store))


def _files_of(source: Source, store: FileStore) -> list[ParquetFile]:
    wanted = predicate(source.filters) if source.filters else None
    files: list[ParquetFile] = []
    with blaming_changes(files):
        for name in store.find():
            files.append(ParquetFile(store, name, _shown(source, name), wanted))  # noqa: PERF401 - these may be to blame
    return files


def _shown(source: Source, name: str) -> str:
    scheme, separator, _ = source.uri.rpartition("://")
    return f"{scheme}{separator}{name}" if separator and "://" not in name else name


def _is_wide(file: ParquetFile) -> bool:
    """Returns whether the numbers of a vector can be in separate columns, because no column contains lists."""
    kinds = [field.type for field in file.types]
    return sum(map(pa.types.is_floating, kinds)) > 1 and not any(map(pa.types.is_nested, kinds))
