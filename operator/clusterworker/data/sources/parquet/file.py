"""Reads one Parquet file of a collection, and selects its rows."""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clustercontract.data_files import MAGIC
from clustercontract.partitions import Partitions, partitions_of
from clusterworker.data.arrays import Rows
from clusterworker.data.sources.batch import BATCH_ROWS, FilePlace, FilteredPlace, Place
from clusterworker.data.sources.messages import changed, damaged, name_shown
from clusterworker.data.sources.parquet.arrow_filter import check_columns, expression
from clusterworker.data.sources.parquet.identity import Identity
from clusterworker.data.sources.parquet.partitions import remaining
from clusterworker.data.sources.parquet.statistics import candidates
from clusterworker.data.sources.parquet.store import FileStore, encrypted, is_encrypted
from clusterworker.data.sources.plain import is_there, plain, plain_type, take
from clusterworker.data.sources.predicate import Predicate, comparisons
from clusterworker.process.errors import MisconfiguredError, UnavailableError

BUFFER_BYTES = 4 << 20
"""Whether column chunks are read in pieces; otherwise, a row group of a million vectors would be loaded at once."""
_BATCH_BYTES = 4 << 20
"""Maximum number of bytes of the rows of a batch, with all columns of the file, unless callers know the size of a row.
Vectors can be long, and pyarrow needs several times the memory of a batch.
"""
_INT96 = "us"
"""Unit of the times that Impala and old Spark write: in nanoseconds, the year 9999 silently becomes 1816."""
_ARROW_SCHEMA = b"ARROW:schema"
"""Key of the footer's metadata; the value can be long."""
_ROW = "\0row"
"""Name of a column of row numbers, in addition to those of the file."""


@dataclass(frozen=True)
class RowGroup:
    """One row group: its number, its first row in the file, its rows, and the number of selected rows."""

    number: int
    first: int
    total: int
    matching: int


class ParquetFile:
    """The footer and the rows of a file, which must be the same file whenever it is opened.

    Args:
        store: Opens the file.
        name: Name in the store.
        shown: Name in messages.
        predicate: Selects rows; None for all.

    Attributes:
        schema: pyarrow schema, as written.
        metadata: Keys and values in the footer, without the Arrow schema.
        types: The same columns with plain types, as `records` yields them.
        partitions: Columns in the file's path, without those that the file itself has.
        rows: Number of selected rows.
        written: Number of rows in the file.

    Raises:
        MisconfiguredError: It is not a Parquet file, or lacks columns that the predicate compares.
    """

    def __init__(self, store: FileStore, name: str, shown: str, predicate: Predicate | None) -> None:
        self._store = store
        self._name = name
        self.shown = shown
        self._expression: Any = None
        self._compared: list[str] = []
        self._identity: Identity | None = None
        with self._opened() as parquet:
            self.schema = parquet.schema_arrow
            self.metadata = _metadata(parquet)
            self._footer = _footer(parquet)
            self.types = pa.schema([field.with_type(plain_type(field.type)) for field in self.schema])
            self.partitions: Partitions = {
                column: value for column, value in partitions_of(name).items() if column not in self.schema.names
            }
            totals = [parquet.metadata.row_group(number).num_rows for number in range(parquet.num_row_groups)]
            firsts = np.cumsum([0, *totals]).tolist()
            self.written: int = firsts[-1]
            if self.written != parquet.metadata.num_rows:  # A file that declares to be empty would not be read.
                raise damaged(shown, f"{parquet.metadata.num_rows} rows in all, {self.written} in its row groups")
            groups = [RowGroup(n, firsts[n], total, total) for n, total in enumerate(totals)]
            if predicate is not None and self.written:
                groups = self._filtered(parquet, groups, predicate)
        self._groups = [group for group in groups if group.matching]
        self.rows = sum(group.matching for group in self._groups)

    @property
    def groups(self) -> Sequence[RowGroup]:
        """Returns the row groups with selected rows, in order."""
        return self._groups

    def of_groups(self, groups: Sequence[RowGroup]) -> Self:
        """Returns the same file, restricted to these row groups."""
        part = copy(self)
        part._groups = list(groups)
        part.rows = sum(group.matching for group in groups)
        return part

    @property
    def fingerprint(self) -> Hashable:
        """A text that is equal if the same rows of the same file are read."""
        identity = self._identity
        version = None if identity is None else (identity.size, identity.version)
        return (self._name, version, tuple(group.number for group in self._groups))

    def records(self, columns: Sequence[str], rows: int | None = None) -> Iterator[tuple[Any, Place]]:
        """Yields the selected rows, batch by batch, with their places. Columns are plain, and in this order.

        Args:
            columns: Names of the columns.
            rows: Maximum number of rows of a batch; None for a number that is small with long rows.

        Raises:
            UnavailableError: it is not the file that it was.
        """
        with self._opened() as parquet:
            for group in self._groups:
                row = group.first
                for batch in self._batches(parquet, group, columns, rows):
                    found, place = self._found(batch, row)
                    row += batch.num_rows
                    if found.num_rows:
                        yield found, place
                if row != group.first + group.total:
                    raise damaged(self.shown, f"{row - group.first} of {group.total} rows in row group {group.number}")
            self.check_unchanged()

    def select(self, column: str, rows: Rows) -> Iterator[tuple[Rows, Any]]:
        """Yields (rows, values) of some of the selected rows, numbered from 0, ascending.

        Only row groups with such a row are read, and only that column and the compared ones.
        """
        with self._opened() as parquet:
            first = 0
            for group in self._groups:
                if not ((rows >= first) & (rows < first + group.matching)).any():
                    first += group.matching
                    continue
                for batch in self._batches(parquet, group, [column]):
                    found, _ = self._found(batch, 0)
                    inside = rows[(rows >= first) & (rows < first + found.num_rows)]
                    if inside.size:
                        yield inside, take(found.column(0), pa.array(inside - first))
                    first += found.num_rows
            self.check_unchanged()

    def check_unchanged(self) -> None:
        """Verifies that the file is still the one that was opened first.

        Raises:
            UnavailableError: it is not.
        """
        now = self._store.identity(self._name)
        if self._identity is None or not self._identity.is_same(now):
            raise changed(self.shown, "it was rewritten")

    @contextmanager
    def blaming_changes(self) -> Iterator[None]:
        """A file that is being replaced can look like bad data, or like an error of the bucket's server.

        This is reported as a change, because it is temporary.
        """
        try:
            yield
        except (MisconfiguredError, UnavailableError):
            self.blame_changes()
            raise

    def blame_changes(self) -> None:
        """See Changeable. Any sign of a change will do here, because another attempt decides."""
        if self._identity is not None and self._identity.may_have_changed(self._store.identity(self._name)):
            raise changed(self.shown, "it was rewritten") from None

    def _filtered(self, parquet: Any, groups: list[RowGroup], predicate: Predicate) -> list[RowGroup]:
        """Returns the row groups with the numbers of their selected rows, if the file's path does not decide."""
        left = remaining(predicate, self.partitions)
        if isinstance(left, bool):
            return groups if left else []
        check_columns(left, self.types, self.schema, self.shown, self.partitions)
        self._compared = list(dict.fromkeys(one.field for one in comparisons(left)))
        self._expression = expression(left, self.types)
        return [self._counted(parquet, groups[number]) for number in self._candidates(left, len(groups))]

    def _found(self, batch: Any, row: int) -> tuple[Any, Place]:
        """Returns the selected rows of a batch that begins at this row of the file."""
        if self._expression is None:
            return batch, FilePlace(self.shown, row, self)
        matching = self._matching(batch)
        kept = [take(column, matching) for column in batch.columns]
        found = pa.RecordBatch.from_arrays(kept, names=batch.schema.names)
        return found, FilteredPlace(self.shown, matching.to_numpy() + row, self)

    def _candidates(self, left: Predicate, groups: int) -> Sequence[int]:
        """Returns the row groups in which a row may match, according to their statistics."""
        compared = pa.schema([self.schema.field(name) for name in self._compared])
        if any(field.type != self.types.field(field.name).type for field in compared):
            return range(groups)  # Statistics have the type that was written.
        if any(one.negated and pa.types.is_floating(self.types.field(one.field).type) for one in comparisons(left)):
            return range(groups)  # statistics omit NaN, for which ne, nin and NOT hold
        with self._reading_file() as file:
            return candidates(file, compared, self._expression, groups)

    def _counted(self, parquet: Any, group: RowGroup) -> RowGroup:
        batches = self._batches(parquet, group, [])
        return RowGroup(group.number, group.first, group.total, sum(len(self._matching(batch)) for batch in batches))

    def _batches(self, parquet: Any, group: RowGroup, columns: Sequence[str], rows: int | None = None) -> Iterator[Any]:
        wanted = list(dict.fromkeys([*columns, *self._compared]))
        own = [name for name in wanted if name not in self.partitions]
        for batch in self._read(parquet, group, own, rows or _rows_of_batch(parquet, group)):
            arrays = [
                plain(batch.column(name)) if name in own else pa.repeat(_value(self.partitions[name]), batch.num_rows)
                for name in wanted
            ]
            yield pa.RecordBatch.from_arrays(arrays, names=wanted)

    def _read(self, parquet: Any, group: RowGroup, columns: Sequence[str], rows: int) -> Iterator[Any]:
        """Yields batches of columns as written. pyarrow's error about an encrypted column does not name it."""
        try:
            yield from parquet.iter_batches(rows, row_groups=[group.number], columns=columns, use_threads=False)
        except OSError as error:
            if not is_encrypted(error):
                raise
            raise encrypted(self.shown, _encrypted_column(parquet, group, columns)) from error

    def _matching(self, batch: Any) -> Any:
        """Returns the positions of a batch's selected rows."""
        compared = [batch.column(name) for name in self._compared]
        arrays = [is_there(column) if pa.types.is_nested(column.type) else column for column in compared]
        rows = pa.array(np.arange(batch.num_rows))
        numbered = pa.RecordBatch.from_arrays([*arrays, rows], names=[*self._compared, _ROW])
        return numbered.filter(self._expression).column(_ROW)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        with self._reading_file() as file:
            try:
                parquet = pq.ParquetFile(
                    file, pre_buffer=False, buffer_size=BUFFER_BYTES, coerce_int96_timestamp_unit=_INT96
                )
            except pa.ArrowInvalid:
                if _is_cut(file):
                    raise damaged(self.shown, "it ends without a footer, as after an interrupted write") from None
                raise
            if hasattr(self, "_footer") and _footer(parquet) != self._footer:
                raise changed(self.shown, "another schema, or other rows")
            yield parquet

    @contextmanager
    def _reading_file(self) -> Iterator[Any]:
        """Opens the file. Errors while it is read name it."""
        with self.blaming_changes(), self._store.errors(self.shown):
            file, identity = self._store.open(self._name)
            with file:
                if self._identity is None:
                    self._identity = identity
                if not self._identity.is_same(identity):
                    raise changed(self.shown, "it was rewritten")
                yield file


def _is_cut(file: Any) -> bool:
    """Returns whether a file begins as a Parquet file, and does not end as one."""
    size, length = file.size(), len(MAGIC)
    if size <= length:
        return False
    begin, end = file.read_at(length, 0), file.read_at(length, size - length)
    return bool(begin == MAGIC != end)


def _metadata(parquet: Any) -> dict[bytes, bytes]:
    return {key: value for key, value in (parquet.metadata.metadata or {}).items() if key != _ARROW_SCHEMA}


def _footer(parquet: Any) -> tuple[Any, ...]:
    """Returns what must be the same in every pass."""
    metadata = parquet.metadata
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    return metadata.num_rows, parquet.schema_arrow, [(group.num_rows, group.total_byte_size) for group in groups]


def _rows_of_batch(parquet: Any, group: RowGroup) -> int:
    """Returns the number of a row group's rows that are read at a time, by the length of its rows."""
    row_bytes = parquet.metadata.row_group(group.number).total_byte_size / max(group.total, 1)
    return BATCH_ROWS if row_bytes <= 0 else min(BATCH_ROWS, 1 + int(_BATCH_BYTES / row_bytes))


def _encrypted_column(parquet: Any, group: RowGroup, columns: Sequence[str]) -> str:
    for column in columns:
        try:
            next(parquet.iter_batches(1, row_groups=[group.number], columns=[column], use_threads=False))
        except OSError as error:
            if is_encrypted(error):
                return f"column {name_shown(column)}"
    return "it"


def _value(text: str | None) -> Any:
    return pa.scalar(text, pa.string())
