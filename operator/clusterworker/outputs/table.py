"""Defines the rows to write, and the interface of all outputs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from clustercontract.output import RUN_COLUMN
from clusterworker.process.progress import Progress

BATCH_ROWS = 65_536


@dataclass(frozen=True)
class Table:
    """A row for each document, which can be read repeatedly.

    Attributes:
        name: Name of a Parquet file in a directory.
        schema: document_id (string or int64) first, then columns of int32, int64, float, double, bool or string, or
            lists of these without nulls.
        keys: Names of the columns that identify a row: document_id, and collection_id if there are several collections.
        rows: Number of rows.
        batches: Yields all rows in order, in batches of this schema.
        run: Name of the run, which is written into every row.
        lineage: Prefix of the names of all runs of this trigger, which no other run has.
        previous: The last completed run, if there is one.
        run_column: Name of the column with the run that wrote a row.
    """

    name: str
    schema: pa.Schema
    keys: tuple[str, ...]
    rows: int
    batches: Callable[[], Iterator[pa.RecordBatch]]
    run: str
    lineage: str
    previous: str | None = None
    run_column: str = RUN_COLUMN

    @property
    def values(self) -> list[pa.Field]:
        """The columns except the keys."""
        return [field for field in self.schema if field.name not in self.keys]


class Output(Protocol):
    """A collection to write."""

    @property
    def shown(self) -> str:
        """Description of what is written, for messages."""

    def check(self, table: Table) -> None:
        """Verifies that a table of this schema can be written, and creates missing columns or a missing table.

        It is called before anything is computed; `table.batches` is not called.

        Raises:
            MisconfiguredError: it cannot, and why.
            UnavailableError: the server does not answer.
        """

    def write(self, table: Table, progress: Progress) -> str:
        """Writes all rows. After a failure, it can be called again.

        Returns:
            What was written, in one line.

        Raises:
            RunError: it failed, and how far it got.
        """
