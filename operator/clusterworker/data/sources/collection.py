"""Defines the interface of all sources."""

from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

from clusterworker.data.arrays import Rows
from clusterworker.data.sources.batch import Batch, Changeable
from clusterworker.data.sources.messages import changed
from clusterworker.process.errors import MisconfiguredError


class Collection(Protocol):
    """One opened collection of the RunSpec, which can be read repeatedly in the same order, batch by batch."""

    @property
    def collection_id(self) -> str:
        """The collection_id of the API."""

    @property
    def rows(self) -> int:
        """Number of documents, after filters; at least 1."""

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
        """Yields all documents in order.

        Args:
            index: Index of this collection in the RunSpec.

        Raises:
            MisconfiguredError: bad data, named by its place.
            UnavailableError: the source does not answer, or is no longer what it was when it was opened.
        """

    def texts(self, rows: Rows) -> dict[int, str]:
        """Returns the texts of some rows, by row number; empty without a text column.

        It is called after all documents were read.
        """


class CollectionPart(Collection, Protocol):
    """Some documents of a collection. It can be pickled, without credentials."""

    @property
    def fingerprint(self) -> Hashable:
        """A text that is equal if the same documents are read."""

    def ids(self) -> Iterator[Any]:
        """Yields the ids of all documents in order, as pyarrow arrays, without reading vectors; raises as `batches`."""


@runtime_checkable
class Divisible(Protocol):
    """A collection that several processes can read separately."""

    def parts(self, most: int) -> Iterator[CollectionPart]:
        """Yields its documents in parts, in order.

        Args:
            most: Maximum number of documents of a part, unless the smallest unit of the collection has more.
        """


@contextmanager
def blaming_changes(sources: Iterable[object]) -> Iterator[None]:
    """Reports an error about several files or collections as a change, if one of them is no longer what was opened.

    Args:
        sources: Collections or files, of which some may be Changeable. More can be added while the context lasts.

    Raises:
        UnavailableError: There was a MisconfiguredError, and a source has changed since it was opened.
    """
    try:
        yield
    except MisconfiguredError:
        for source in sources:
            if isinstance(source, Changeable):
                source.blame_changes()
        raise


def whole_pass(collection: Collection, index: int) -> Iterator[Batch]:
    """Yields all documents in order, and verifies their number, because arrays have this size.

    Args:
        collection: The collection.
        index: Index of this collection in the RunSpec.

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
