"""A collection in a PostgreSQL table."""

from collections.abc import Iterator, Mapping
from itertools import islice

import numpy as np
from psycopg import sql

from clustercontract.source import Source
from clusterworker.data.arrays import Rows as RowNumbers
from clusterworker.data.sources.batch import BATCH_ROWS, Batch, KeyedPlace
from clusterworker.data.sources.id_spool import IdSpool
from clusterworker.data.sources.matrix import batch_of
from clusterworker.data.sources.messages import REMEDY, missing, no_documents, wrong_length
from clusterworker.data.sources.postgresql.columns import Column, columns_of, quoted
from clusterworker.data.sources.postgresql.connection import LOOKUP_MILLISECONDS, Connection, Database
from clusterworker.data.sources.postgresql.copied import Rows, VectorFormat, rows_of
from clusterworker.data.sources.postgresql.where import Where, check_columns
from clusterworker.data.sources.predicate import predicate
from clusterworker.process.errors import MisconfiguredError
from clusterworker.process.secret import SecretFiles

LOOKUP_ROWS = 1_000
"""Number of texts per request."""
ORDERED_ROWS = 100_000
"""Maximum number of rows that are sorted by id, so that a rewritten table gives the same clusters again. With more, the
server would sort gigabytes on its disk before it sends the first row.
"""
_KEYS = "clusterworker.keys"


class PostgresCollection:
    """One collection of the RunSpec; see Collection. All passes read one snapshot.

    Args:
        collection_id: The collection_id of the API.
        source: Source of type postgresql.
        secret: Its Secret.

    Raises:
        MisconfiguredError: the table cannot be read, columns are missing or of a wrong type, there is no row.
        UnavailableError: the server does not answer.
    """

    def __init__(self, collection_id: str, source: Source, secret: SecretFiles) -> None:
        self.collection_id = collection_id
        self._source = source
        self._database = Database(source, secret)
        self._shown = self._database.shown
        self._spool = IdSpool()
        self._connection = self._database.connect()
        with self._database.errors():
            columns = columns_of(self._connection, str(source.table))
            self._id, self._vector, self._text = self._checked(columns)
            self._from = _documents(self._connection, source, columns, self._shown)
            self.rows = _count(self._connection, self._from)
            if self.rows == 0:
                filtered = source.filters is not None and self._has_rows()
                raise MisconfiguredError(f"{self._shown}: {no_documents(collection_id, filtered=filtered)}")
        # This is reported here, because the connection executes one statement at a time, and is busy with a COPY later.
        self.dimensions = self._vector.dimensions or self._first_length()

    @property
    def has_integer_ids(self) -> bool:
        """See Collection."""
        return self._id.is_integer

    @property
    def embedding_model(self) -> str:
        """Returns "", because a table does not contain the name of a model."""
        return ""

    def batches(self, index: int) -> Iterator[Batch]:
        """See Collection."""
        spooling = self._text is not None and self._spool.rows == 0
        for rows in self._read(BATCH_ROWS):
            self._check(rows)
            place = self._place(rows)
            ids = place.keys
            if ids.null_count:
                raise MisconfiguredError(
                    f"{self._shown}: column {self._id.name} is NULL in some row: give every document an id"
                )
            batch = batch_of(ids, rows.numbers(self.dimensions), index, place, f"column {self._vector.name}")
            if spooling:
                self._spool.add([str(key) for key in ids.to_pylist()])
            yield batch

    def texts(self, rows: RowNumbers) -> dict[int, str]:
        """See Collection."""
        if self._text is None:
            return {}
        keys = self._spool.keys(np.unique(rows))
        texts: dict[str, str] = {}
        wanted = sorted(set(keys.values()))
        with self._database.errors():
            self._database.limit(self._connection, LOOKUP_MILLISECONDS)
            for begin in range(0, len(wanted), LOOKUP_ROWS):
                texts |= self._lookup(wanted[begin : begin + LOOKUP_ROWS])
        return {row: texts.get(key, "") for row, key in keys.items()}

    def _lookup(self, keys: list[str]) -> dict[str, str]:
        # The name is bound to a setting, as filters' values are. In a statement with parameters, a name with % in it is
        # misread.
        self._connection.execute("SELECT set_config(%s, (%s::text[])::text, true)", [_KEYS, keys])
        query = sql.SQL(
            "SELECT {id}::text, {text}::text FROM {table} "
            "WHERE {compared} = ANY ((SELECT current_setting({keys}))::{kind})"
        ).format(
            id=sql.Identifier(self._id.name),
            text=sql.Identifier(str(self._source.text_column)),
            table=quoted(str(self._source.table)),
            compared=self._id_expression(),
            keys=sql.Literal(_KEYS),
            kind=sql.SQL("bigint[]" if self._id.is_integer else "text[]"),
        )
        return {key: text or "" for key, text in self._connection.execute(query)}

    def _read(self, batch: int) -> Iterator[Rows]:
        """Yields all rows, in batches, from one COPY."""
        query = sql.SQL("COPY (SELECT {vector}, {id} {source}{order}{limit}) TO STDOUT (FORMAT BINARY)").format(
            vector=sql.Identifier(self._vector.name),
            id=self._id_expression(cast="int8"),
            source=self._from,
            order=self._order if self.rows <= ORDERED_ROWS else sql.SQL(""),
            limit=sql.SQL(" LIMIT 1" if batch == 1 else ""),
        )
        with self._database.errors():
            self._database.limit(self._connection, 0)
            with self._connection.cursor() as cursor, cursor.copy(query) as copy:
                rows = rows_of(copy)
                while found := list(islice(rows, batch)):
                    yield Rows(found, self._format)

    def _id_expression(self, cast: str | None = None) -> sql.Composable:
        name = sql.Identifier(self._id.name)
        wanted = cast if self._id.is_integer else "text"
        return sql.SQL("{}::{}").format(name, sql.SQL(wanted)) if wanted and wanted != self._id.type else name

    @property
    def _order(self) -> sql.Composable:
        if self._id.is_integer:
            return sql.SQL(" ORDER BY {}").format(sql.Identifier(self._id.name))
        # Rows are sorted by bytes, as everywhere else, whatever the database's collation is.
        return sql.SQL(' ORDER BY {}::text COLLATE "C"').format(sql.Identifier(self._id.name))

    def _has_rows(self) -> bool:
        table = quoted(str(self._source.table))
        found = self._connection.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(table)).fetchone()
        return bool(found and found[0])

    def _first_length(self) -> int:
        """Returns the length of the first vector, if the column's type does not determine it."""
        [rows] = self._read(1)
        self._check_null(rows)
        length = int(rows.lengths()[0])
        if length == 0:
            raise MisconfiguredError(f"{self._at(rows, 0)}: column {self._vector.name} holds an empty vector: {REMEDY}")
        return length

    @property
    def _format(self) -> VectorFormat:
        found = self._vector.vectors
        assert found is not None  # noqa: S101 - _checked has verified it.
        return found

    def _place(self, rows: Rows) -> KeyedPlace:
        return KeyedPlace(self._shown, self._id.name, rows.ids(integers=self._id.is_integer))

    def _check(self, rows: Rows) -> None:
        self._check_null(rows)
        name = self._vector.name
        if (position := rows.null_inside()) is not None:
            at = self._at(rows, position)
            raise MisconfiguredError(f"{at}: column {name} holds a NULL inside the vector: {REMEDY}")
        if (position := rows.nested()) is not None and rows.lengths()[position]:
            raise MisconfiguredError(
                f"{self._at(rows, position)}: column {name} holds an array of arrays: store one vector per row"
            )
        lengths = rows.lengths()
        if (wrong := lengths != self.dimensions).any():
            position = int(np.argmax(wrong))
            raise wrong_length(self._at(rows, position), f"column {name}", int(lengths[position]), self.dimensions)

    def _check_null(self, rows: Rows) -> None:
        if (position := rows.null()) is not None:
            raise MisconfiguredError(f"{self._at(rows, position)}: column {self._vector.name} is NULL: {REMEDY}")

    def _at(self, rows: Rows, position: int) -> str:
        return self._place(rows).at(position)

    def _checked(self, columns: dict[str, Column]) -> tuple[Column, Column, Column | None]:
        """Returns the columns of the source, if they exist and have suitable types."""
        source = self._source
        if not columns:
            quotes = ", which is written without quotes" if '"' in str(source.table) else ""
            raise MisconfiguredError(f"{source.uri}: no such table {source.table}: check source.table{quotes}")
        names = {
            "document_id_column": source.document_id_column or "document_id",
            "vector_column": source.vector_column or "embedding",
            "text_column": source.text_column,
        }
        for field, name in names.items():
            if name is not None and name not in columns:
                raise missing(self._shown, f"column {name}", columns, field)
        identifier, vector = columns[str(names["document_id_column"])], columns[str(names["vector_column"])]
        if not identifier.identifies:
            raise MisconfiguredError(
                f"{self._shown}: column {identifier.name} holds {identifier.shown}, not text, uuid or integers: "
                "cast the ids to one of these in a view, or set source.document_id_column to another column"
            )
        if vector.vectors is None:
            raise MisconfiguredError(
                f"{self._shown}: column {vector.name} holds {vector.shown}, not vector, halfvec, real[] or "
                "double precision[]: set source.vector_column to the column with the embeddings"
            )
        text = source.text_column
        return identifier, vector, columns[text] if text else None


def count_rows(source: Source, secret: SecretFiles) -> int:
    """Returns the number of documents of a collection, after filters, by one SELECT count(*).

    Raises:
        MisconfiguredError: the table cannot be read, or lacks the columns that filters compare.
        UnavailableError: the server does not answer.
    """
    database = Database(source, secret)
    with database.connect() as connection, database.errors():
        columns = columns_of(connection, str(source.table)) if source.filters else {}
        return _count(connection, _documents(connection, source, columns, database.shown))


def _documents(connection: Connection, source: Source, columns: Mapping[str, Column], shown: str) -> sql.Composable:
    """Returns FROM and WHERE with the filters, whose values are passed to the server."""
    table = sql.SQL("FROM {}").format(quoted(str(source.table)))
    if source.filters is None:
        return table
    wanted = predicate(source.filters)
    check_columns(wanted, columns, shown)
    where = Where(columns)
    condition = where.condition(wanted)
    where.bind(connection)
    return sql.SQL("{} WHERE {}").format(table, condition)


def _count(connection: Connection, documents: sql.Composable) -> int:
    [count] = connection.execute(sql.SQL("SELECT count(*) {}").format(documents)).fetchone() or (0,)
    return int(count)
