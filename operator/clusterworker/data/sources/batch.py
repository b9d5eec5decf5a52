"""Defines the batches of a source."""

from dataclasses import dataclass
from typing import Any, Protocol

from clusterworker.data.arrays import Doubles, Vectors

BATCH_ROWS = 16_384


class Place(Protocol):
    """The origin of a batch, for messages."""

    def at(self, offset: int) -> str:
        """Returns the name of one row of the batch."""


@dataclass(frozen=True)
class FilePlace:
    """Rows of a file.

    Attributes:
        file: Its name, as the user wrote it or would find it.
        row: Number of the batch's first row in that file, from 0.
    """

    file: str
    row: int

    def at(self, offset: int) -> str:
        """See Place."""
        return f"{self.file}, row {self.row + offset} (the first row is 0)"


@dataclass(frozen=True)
class FilteredPlace:
    """Rows of a file from which filters have removed some.

    Attributes:
        rows: Number of each of the batch's rows in that file.
    """

    file: str
    rows: Any

    def at(self, offset: int) -> str:
        """See Place."""
        return FilePlace(self.file, int(self.rows[offset])).at(0)


@dataclass(frozen=True)
class KeyedPlace:
    """Rows that have a key and no number.

    Attributes:
        where: What contains them, such as `table public.documents`.
        key: Name of the keys.
        keys: Key of each of the batch's rows.
    """

    where: str
    key: str
    keys: Any

    def at(self, offset: int) -> str:
        """See Place."""
        return f"{self.where}, {self.key} {self.keys[offset]}"


@dataclass(frozen=True)
class Batch:
    """Some documents.

    Attributes:
        ids: pyarrow array of strings or 64-bit integers, one per row.
        vectors: float32, shape (rows, dimensions).
        collection: Index of the collection in the RunSpec.
        place: Names its rows.
        doubles: float64, shape (rows, dimensions): the numbers before they were rounded to float32; None if the source
            has no more than float32.
    """

    ids: Any
    vectors: Vectors
    collection: int
    place: Place
    doubles: Doubles | None = None
