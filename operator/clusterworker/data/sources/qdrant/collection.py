"""Reads a collection in Qdrant, page by page in the order of the points' ids."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from qdrant_client import QdrantClient, models

from clustercontract.source import Source
from clusterworker.data.arrays import Rows, Vectors
from clusterworker.data.sources.batch import Batch, KeyedPlace
from clusterworker.data.sources.id_spool import IdSpool
from clusterworker.data.sources.matrix import batch_of
from clusterworker.data.sources.messages import REMEDY, changed, missing, no_documents, wrong_length
from clusterworker.data.sources.predicate import predicate
from clusterworker.data.sources.print_spool import PrintSpool
from clusterworker.data.sources.qdrant.conditions import conditions
from clusterworker.data.sources.qdrant.connection import Server
from clusterworker.process.errors import MisconfiguredError, UnavailableError
from clusterworker.process.secret import SecretFiles

PAGE_NUMBERS = 1 << 20
"""Maximum number of numbers per page; the server's response is JSON, with about ten bytes for each."""
PAGE_ROWS = 4_096
LOOKUP_ROWS = 1_000
"""Number of texts per request."""


def open_qdrant(collection_id: str, source: Source, secret: SecretFiles) -> "QdrantCollection":
    """Opens one collection of the RunSpec.

    Raises:
        MisconfiguredError: there is no such collection or vector, or no point.
        UnavailableError: the server does not answer.
    """
    server = Server(source, secret)
    return QdrantCollection(collection_id, source, server, server.connect())


def count_points(source: Source, secret: SecretFiles) -> int:
    """Returns the number of documents of a collection, after filters, by one call of Qdrant's count.

    Raises:
        MisconfiguredError: there is no such collection.
        UnavailableError: the server does not answer.
    """
    server = Server(source, secret)
    client = server.connect()
    with server.errors():
        return _count(client, str(source.collection), _filter_of(source))


def _filter_of(source: Source) -> models.Filter | None:
    return conditions(predicate(source.filters)) if source.filters else None


def _count(client: QdrantClient, name: str, selection: models.Filter | None) -> int:
    return int(client.count(name, count_filter=selection, exact=True).count)


class QdrantCollection:
    """One collection of the RunSpec; see Collection.

    Qdrant has no snapshots: the first pass records the existing points and hashes of their vectors, and later passes
    yield the same, because texts are looked up by row number. Points that come while it is read are left to the next
    run. One that goes, or whose vector differs from the first pass, ends the attempt.

    Args:
        collection_id: The collection_id of the API.
        source: Source of type qdrant.
        server: Explains errors.
        client: Client of the server.
    """

    def __init__(self, collection_id: str, source: Source, server: Server, client: QdrantClient) -> None:
        self.collection_id = collection_id
        self._source = source
        self._server = server
        self._client = client
        self._name = str(source.collection)
        self._spool = IdSpool()
        self._prints = PrintSpool()
        self._spooled = False
        self._filter = _filter_of(source)
        with server.errors():
            if not client.collection_exists(self._name):
                raise server.no_such_collection()
            self.dimensions = self._size()
            self.rows = _count(client, self._name, self._filter)
            if self.rows == 0:
                filtered = self._filter is not None and _count(client, self._name, None) > 0
                raise MisconfiguredError(f"{server.shown}: {no_documents(collection_id, filtered=filtered)}")

    @property
    def has_integer_ids(self) -> bool:
        """False, because Qdrant's ids are any mixture of numbers and UUIDs, so they are strings here."""
        return False

    @property
    def embedding_model(self) -> str:
        """Returns "", because a collection does not contain the name of a model."""
        return ""

    def batches(self, index: int) -> Iterator[Batch]:
        """See Collection."""
        if not self._spooled:
            self._spool, self._prints = IdSpool(), PrintSpool()
        wanted = self._spool.all() if self._spooled else None
        upcoming = next(wanted) if wanted else ""
        done = 0
        for page in self._pages():
            points = page[: self.rows - done]
            if wanted:
                points = []
                for point in page:
                    if str(point.id) == upcoming:
                        points.append(point)
                        upcoming = next(wanted, "")
            if points:
                place = KeyedPlace(self._server.shown, "point", [point.id for point in points])
                ids = pa.array([self._document_id(point, place, row) for row, point in enumerate(points)], pa.string())
                vectors = self._vectors(points, place)
                batch = batch_of(ids, vectors, index, place, self._vector)
                if not wanted:
                    self._spool.add([str(point.id) for point in points])
                    self._prints.add(vectors)
                elif (other := self._prints.first_other(done, vectors)) is not None:
                    raise changed(place.at(other), f"{self._vector} differs from the first pass")
                yield batch
            done += len(points)
            if done == self.rows:
                break
        if done < self.rows:
            raise UnavailableError(
                f"{self._server.shown}: {self.rows - done} of {self.rows} points were removed while it was read: "
                "run it again"
            )
        self._spooled = True

    def texts(self, rows: Rows) -> dict[int, str]:
        """See Collection."""
        column = self._source.text_column
        if column is None:
            return {}
        keys = self._spool.keys(np.unique(rows))
        found: dict[str, str] = {}
        wanted: list[int | str] = [int(key) if key.isdigit() else key for key in sorted(set(keys.values()))]
        with self._server.errors():
            for begin in range(0, len(wanted), LOOKUP_ROWS):
                points = self._client.retrieve(self._name, wanted[begin : begin + LOOKUP_ROWS], with_payload=[column])
                found |= {str(point.id): _value(point.payload, column) or "" for point in points}
        return {row: found.get(key, "") for row, key in keys.items()}

    def _pages(self) -> Iterator[Sequence[models.Record]]:
        vectors = [self._source.vector_column] if self._source.vector_column else True
        payload = [self._source.document_id_column] if self._source.document_id_column else False
        limit = max(1, min(PAGE_ROWS, PAGE_NUMBERS // self.dimensions))
        offset: Any = None
        while True:
            with self._server.errors():
                points, offset = self._client.scroll(
                    self._name,
                    scroll_filter=self._filter,
                    limit=limit,
                    offset=offset,
                    with_payload=payload,
                    with_vectors=vectors,
                )
            yield points
            if offset is None:
                return

    @property
    def _vector(self) -> str:
        name = self._source.vector_column
        return f"vector {name}" if name else "the vector"

    def _vectors(self, points: Sequence[models.Record], place: KeyedPlace) -> Vectors:
        name, shown = self._source.vector_column, self._vector
        of_points = [point.vector for point in points]
        found = [one.get(name) if name and isinstance(one, dict) else one for one in of_points]
        for row, vector in enumerate(found):
            if not isinstance(vector, list) or not vector:
                raise MisconfiguredError(f"{place.at(row)}: {shown} is missing: {REMEDY}")
            if len(vector) != self.dimensions:
                raise wrong_length(place.at(row), shown, len(vector), self.dimensions)
        return np.array(found, np.float32)

    def _document_id(self, point: models.Record, place: KeyedPlace, row: int) -> str:
        key = self._source.document_id_column
        if key is None:
            return str(point.id)
        value = _value(point.payload, key)
        if value is None:
            raise MisconfiguredError(
                f"{place.at(row)}: its payload has no {key}: give every document an id, or remove "
                "source.document_id_column to use the points' own IDs"
            )
        return value

    def _size(self) -> int:
        """Returns the length of the wanted vectors, from the collection's configuration."""
        parameters = self._client.get_collection(self._name).config.params.vectors
        name = self._source.vector_column
        if name is None:
            if isinstance(parameters, models.VectorParams):
                return self._dense(parameters)
            raise missing(self._server.shown, "vector without a name", parameters or (), "vector_column")
        if isinstance(parameters, models.VectorParams):
            raise MisconfiguredError(
                f"{self._server.shown}: no vector {name}: its only vector has no name: remove source.vector_column"
            )
        if not parameters or name not in parameters:
            raise missing(self._server.shown, f"vector {name}", parameters or (), "vector_column")
        return self._dense(parameters[name])

    def _dense(self, parameters: models.VectorParams) -> int:
        if parameters.multivector_config is not None:
            raise MisconfiguredError(
                f"{self._server.shown}: it has several vectors per point (multivector): "
                "set source.vector_column to a vector with one"
            )
        return parameters.size


def _value(payload: Any, key: str) -> str | None:
    """Returns a payload's value as text. Dots lead into objects, as in Qdrant's own filters."""
    for part in [key] if payload and key in payload else key.split("."):
        payload = payload.get(part) if isinstance(payload, dict) else None
    return None if payload is None else str(payload)
