"""What every source offers."""

from collections.abc import Hashable, Iterator
from typing import Protocol, runtime_checkable

from clusterworker.data.arrays import Rows
from clusterworker.data.sources.batch import Batch
from clusterworker.data.sources.messages import changed


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
            MisconfiguredError: It is unknown.
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
            UnavailableError: the source does not answer, or is no longer what it was when it was opened.
        """

    def texts(self, rows: Rows) -> dict[int, str]:
        """Return the texts of some rows, by row number; empty without a text column.

        Asked once all documents have been read.
        """


class CollectionPart(Collection, Protocol):
    """Some documents of a collection. It can be pickled, without credentials."""

    @property
    def fingerprint(self) -> Hashable:
        """Equal where the same documents are read; its text tells it apart from others."""


@runtime_checkable
class Divisible(Protocol):
    """A collection that several processes can read apart."""

    def parts(self, most: int) -> Iterator[CollectionPart]:
        """Yield its documents in parts, in order.

        Args:
            most: documents of a part, where the smallest pieces of the collection have not more.
        """


def whole_pass(collection: Collection, index: int) -> Iterator[Batch]:
    """Yield all documents in order, as many as the collection has said: arrays are sized by that.

    Args:
        collection: to read.
        index: of this collection in the RunSpec.

    Raises:
        MisconfiguredError: bad data, named by its place.
        UnavailableError: as of `batches`; or there are fewer or more documents.
    """
    rows = 0
    for batch in collection.batches(index):
        rows += len(batch.vectors)
        if rows > collection.rows:
            break
        yield batch
    if rows != collection.rows:
        more = "more" if rows > collection.rows else "fewer"
        raise changed(f"collection {collection.collection_id}", f"{more} than {collection.rows} documents")
