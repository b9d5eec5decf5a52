"""What every source offers."""

from collections.abc import Iterator
from typing import Protocol

from clusterworker.arrays import Rows
from clusterworker.sources.batch import Batch


class Collection(Protocol):
    """One opened collection of the RunSpec: its documents by batches, as often as needed, in the same order."""

    @property
    def collection_id(self) -> str:
        """The API's id."""

    @property
    def rows(self) -> int:
        """Documents, after filters; at least 1."""

    @property
    def dimensions(self) -> int:
        """Length of the vectors.

        Raises:
            MisconfiguredError: it cannot be told.
        """

    @property
    def has_integer_ids(self) -> bool:
        """Whether all document ids are 64-bit integers; they are strings otherwise."""

    @property
    def embedding_model(self) -> str:
        """Name of the embedding model, or ""."""

    def batches(self, index: int) -> Iterator[Batch]:
        """Yield all documents in order.

        Args:
            index: of this collection in the RunSpec.

        Raises:
            MisconfiguredError: bad data, named by its place.
            UnavailableError: the source does not answer.
        """

    def texts(self, rows: Rows) -> dict[int, str]:
        """Return the texts of some rows, by row number; empty without a text column.

        Asked once all documents have been read.
        """
