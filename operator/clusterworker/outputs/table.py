"""What is written, and what every place to write to offers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from clustercontract.output import RUN_COLUMN
from clusterworker.process.progress import Progress

BATCH_ROWS = 65_536


@dataclass(frozen=True)
class Table:
    """A row for each document, read as often as needed.

    Attributes:
        name: of a Parquet file in a directory.
        schema: document_id (string or int64) first, then columns of int32, int64, float, double, bool or string, or
            lists of these without nulls.
        keys: names of the columns that tell rows apart: document_id, and collection_id where there are several.
        rows: how many.
        batches: yields all rows in order, in batches of this schema.
        run: that found it; is written into every row.
        lineage: what the names of all runs of this trigger begin with, and no other's.
        previous: the last completed run, if any.
        run_column: name of the column that says which run wrote a row.
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
        """The columns besides the keys."""
        return [field for field in self.schema if field.name not in self.keys]


class Output(Protocol):
    """A collection to write."""

    @property
    def shown(self) -> str:
        """What is written, for messages."""

    def check(self, table: Table) -> None:
        """Look whether a table of this schema can be written, and make columns or a table where they are missing.

        Called before anything is computed; `table.batches` is not called.

        Raises:
            MisconfiguredError: it cannot, and why.
            UnavailableError: the server does not answer.
        """

    def write(self, table: Table, progress: Progress) -> str:
        """Write all rows; again, after a failure, as often as needed.

        Returns:
            What was written, in one line.

        Raises:
            RunError: it failed, and how far it got.
        """
