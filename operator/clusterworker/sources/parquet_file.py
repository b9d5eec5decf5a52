"""One Parquet file of a collection, and which of its rows count."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from clusterworker.arrays import Rows
from clusterworker.sources.arrow_filter import check_columns, expression
from clusterworker.sources.batch import BATCH_ROWS, FilePlace, FilteredPlace, Place
from clusterworker.sources.predicate import Predicate, comparisons
from clusterworker.sources.store import FileStore

BUFFER_BYTES = 4 << 20
"""Read a column chunk piece by piece: a row group of a million vectors would otherwise be loaded as a whole."""
_ROW = "\0row"
"""Name of a column of row numbers beside those of the file."""


@dataclass(frozen=True)
class RowGroup:
    """One row group: its number, its first row in the file, its rows, and how many of these count."""

    number: int
    first: int
    total: int
    matching: int


class ParquetFile:
    """What a file's footer says, and its rows.

    Args:
        store: opens it.
        name: in the store.
        shown: its name in messages.
        predicate: which rows count; None: all.

    Attributes:
        schema: pyarrow schema.
        rows: how many count.
        written: rows that the file holds.

    Raises:
        MisconfiguredError: it is no Parquet file, or has not the columns that the predicate compares.
    """

    def __init__(self, store: FileStore, name: str, shown: str, predicate: Predicate | None) -> None:
        self._store = store
        self._name = name
        self.shown = shown
        self._expression: Any = None
        self._compared: list[str] = []
        with self._reading() as parquet:
            self.schema = parquet.schema_arrow
            self.written: int = parquet.metadata.num_rows
            totals = [parquet.metadata.row_group(number).num_rows for number in range(parquet.num_row_groups)]
            firsts = np.cumsum([0, *totals]).tolist()
            groups = [RowGroup(n, firsts[n], total, total) for n, total in enumerate(totals)]
            if predicate is not None and self.written:
                check_columns(predicate, self.schema, shown)
                self._compared = list(dict.fromkeys(one.field for one in comparisons(predicate)))
                self._expression = expression(predicate, self.schema)
                groups = [self._counted(parquet, groups[number]) for number in self._candidates()]
        self._groups = [group for group in groups if group.matching]
        self.rows = sum(group.matching for group in self._groups)

    def records(self, columns: Sequence[str], rows: int = BATCH_ROWS) -> Iterator[tuple[Any, Place]]:
        """Yield the rows that count, batch by batch, and where they lie."""
        with self._reading() as parquet:
            for group in self._groups:
                row = group.first
                for batch in self._batches(parquet, group, columns, rows):
                    found, place = self._found(batch, row)
                    row += batch.num_rows
                    if found.num_rows:
                        yield found, place

    def texts(self, column: str, rows: Rows) -> Iterator[tuple[int, str]]:
        """Yield (row, text) of some of the rows that count, numbered from 0, ascending.

        Only row groups that hold such a row are read, and of them only that column and those compared.
        """
        first = 0
        with self._reading() as parquet:
            for group in self._groups:
                inside = rows[(rows >= first) & (rows < first + group.matching)]
                if inside.size:
                    table = parquet.read_row_group(group.number, columns=[column, *self._compared])
                    if self._expression is not None:
                        table = table.filter(self._expression)
                    texts = table.column(column).take(pa.array(inside - first)).to_pylist()
                    yield from zip(inside.tolist(), ("" if text is None else str(text) for text in texts), strict=True)
                first += group.matching

    def _found(self, batch: Any, row: int) -> tuple[Any, Place]:
        """A batch's rows that count, the batch beginning at this row of the file."""
        if self._expression is None:
            return batch, FilePlace(self.shown, row)
        matching = self._matching(batch)
        return batch.take(matching), FilteredPlace(self.shown, matching.to_numpy() + row)

    def _candidates(self) -> list[int]:
        """Row groups in which, by their statistics, something may match."""
        with self._reading_file() as file:
            fragment = pads.ParquetFileFormat().make_fragment(file)
            return [part.row_groups[0].id for part in fragment.split_by_row_group(self._expression, self.schema)]

    def _counted(self, parquet: Any, group: RowGroup) -> RowGroup:
        batches = self._batches(parquet, group, [], BATCH_ROWS)
        return RowGroup(group.number, group.first, group.total, sum(len(self._matching(batch)) for batch in batches))

    def _batches(self, parquet: Any, group: RowGroup, columns: Sequence[str], rows: int) -> Iterator[Any]:
        wanted = list(dict.fromkeys([*columns, *self._compared]))
        yield from parquet.iter_batches(rows, row_groups=[group.number], columns=wanted)

    def _matching(self, batch: Any) -> Any:
        """Positions of a batch's rows that count."""
        numbered = batch.select(self._compared).append_column(_ROW, pa.array(np.arange(batch.num_rows)))
        return numbered.filter(self._expression).column(_ROW)

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        with self._reading_file() as file:
            yield pq.ParquetFile(file, pre_buffer=False, buffer_size=BUFFER_BYTES)

    @contextmanager
    def _reading_file(self) -> Iterator[Any]:
        """Open the file; what goes wrong while reading it names it."""
        with self._store.errors(self.shown), self._store.open(self._name) as file:
            yield file
