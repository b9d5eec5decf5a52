"""What a source yields."""

from dataclasses import dataclass
from typing import Any

from clusterworker.arrays import Vectors


@dataclass(frozen=True)
class Place:
    """Where a batch comes from, for messages.

    Attributes:
        file: its name as the user wrote it or would find it.
        row: number of the batch's first row in that file, counted from 0.
    """

    collection_id: str
    file: str
    row: int

    def at(self, offset: int) -> str:
        """Name one row of the batch."""
        return f"{self.file}, row {self.row + offset} (the first row is 0)"


@dataclass(frozen=True)
class Batch:
    """Some documents.

    Attributes:
        ids: pyarrow array of strings or 64-bit integers, one per row.
        vectors: float32, shape (rows, dimensions).
        collection: index of the collection in the RunSpec.
        place: where the first row lies.
    """

    ids: Any
    vectors: Vectors
    collection: int
    place: Place
