"""Defines the batches of a source."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from clusterworker.data.arrays import Doubles, Vectors
from clusterworker.process.errors import MisconfiguredError

BATCH_ROWS = 16_384


class Place(Protocol):
    """The origin of a batch, for messages."""

    def at(self, offset: int) -> str:
        """Returns the name of one row of the batch."""

    def refused(self, offset: int, why: str) -> MisconfiguredError:
        """Returns the error about a row's values, which all code makes here that gets batches from a source.

        Args:
            offset: Number of the row in the batch.
            why: What is wrong, and the remedy.

        Raises:
            UnavailableError: The source has changed meanwhile, which may be the cause.
        """


@runtime_checkable
class Changeable(Protocol):
    """Something that can change while it is read."""

    def blame_changes(self) -> None:
        """Looks for a cause of an error.

        Raises:
            UnavailableError: There is a sign of a change since it was opened.
        """


@dataclass(frozen=True)
class FilePlace:
    """Rows of a file.

    Attributes:
        file: Its name, as the user wrote it or would find it.
        row: Number of the batch's first row in that file, from 0.
        source: The file; None if it cannot change.
    """

    file: str
    row: int
    source: Changeable | None = None

    def at(self, offset: int) -> str:
        """See Place."""
        return f"{self.file}, row {self.row + offset} (the first row is 0)"

    def refused(self, offset: int, why: str) -> MisconfiguredError:
        """See Place."""
        if self.source is not None:
            self.source.blame_changes()
        return MisconfiguredError(f"{self.at(offset)}: {why}")


@dataclass(frozen=True)
class FilteredPlace:
    """Rows of a file from which filters have removed some.

    Attributes:
        rows: Number of each of the batch's rows in that file.
        source: See FilePlace.
    """

    file: str
    rows: Any
    source: Changeable | None = None

    def at(self, offset: int) -> str:
        """See Place."""
        return self._row(offset).at(0)

    def refused(self, offset: int, why: str) -> MisconfiguredError:
        """See Place."""
        return self._row(offset).refused(0, why)

    def _row(self, offset: int) -> FilePlace:
        return FilePlace(self.file, int(self.rows[offset]), self.source)


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

    def refused(self, offset: int, why: str) -> MisconfiguredError:
        """See Place. Databases are read in one transaction, or compare each pass with the first."""
        return MisconfiguredError(f"{self.at(offset)}: {why}")


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
