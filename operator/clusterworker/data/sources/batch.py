"""What a source yields."""

from dataclasses import dataclass
from typing import Any, Protocol

from clusterworker.data.arrays import Vectors

BATCH_ROWS = 16_384


class Place(Protocol):
    """Where a batch comes from, for messages."""

    def at(self, offset: int) -> str:
        """Name one row of the batch."""


@dataclass(frozen=True)
class FilePlace:
    """Rows of a file.

    Attributes:
        file: its name as the user wrote it or would find it.
        row: number of the batch's first row in that file, counted from 0.
    """

    file: str
    row: int

    def at(self, offset: int) -> str:
        """See Place."""
        return f"{self.file}, row {self.row + offset} (the first row is 0)"


@dataclass(frozen=True)
class FilteredPlace:
    """Rows of a file of which filters left out some.

    Attributes:
        rows: number of each of the batch's rows in that file.
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
        where: what holds them, such as `table public.documents`.
        key: what the keys are called.
        keys: of each of the batch's rows.
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
        collection: index of the collection in the RunSpec.
        place: names its rows.
    """

    ids: Any
    vectors: Vectors
    collection: int
    place: Place
