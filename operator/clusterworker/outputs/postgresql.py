"""Writes to PostgreSQL: binary COPY into a temporary table, and one UPDATE ...

FROM it in the same transaction. Readers see either the previous values or the new ones, for all documents. Writers of
one table wait for each other.
"""

from collections.abc import Mapping
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from clustercontract.counted import counted
from clustercontract.output import RUN_COLUMNS, OutputInput
from clusterworker.data.sources.postgresql.columns import Column, columns_of, quoted
from clusterworker.data.sources.postgresql.connection import LOCK_MILLISECONDS, Connection, Database
from clusterworker.outputs.copied_rows import HEADER, TRAILER, TYPES, copied
from clusterworker.outputs.table import Table
from clusterworker.process.errors import MisconfiguredError, RunError
from clusterworker.process.progress import Progress
from clusterworker.process.secret import SecretFiles

_SESSION = (
    f"SET lock_timeout = {LOCK_MILLISECONDS}",
    "SET statement_timeout = 0",
    "SET idle_in_transaction_session_timeout = 0",
    # A million documents are sorted and hashed in memory rather than on the server's disk.
    "SET work_mem = '128MB'",
)
_DEFINING_MILLISECONDS = 5_000
_REMEDIES = {
    "22": "what is written does not fit: {reason}",
    "23": "a constraint of {table} does not allow it: {reason}",
    "25006": "the server is read-only, for example because it is a replica: set source.uri to the primary",
    "42501": "the user of Secret {secret} may not write it: {reason}",
}
_STAGE = "clusterworker_rows"
_NUMBERS, _TEXTS = ("int2", "int4", "int8", "float4", "float8", "numeric"), ("text", "varchar", "bpchar")
_HOLDING = {"text": _TEXTS, "boolean": ("bool",)}
"""Types of columns that can contain a type; all other types are written into columns of numbers."""


def _may_hold(kind: str) -> tuple[str, ...]:
    """PostgreSQL's internal names of the types of columns into which a type may be written."""
    found = _HOLDING.get(kind.removesuffix("[]"), _NUMBERS)
    return tuple(f"_{name}" for name in found) if kind.endswith("[]") else found


class PostgresOutput:
    """Columns of the source's table, or a separate table; see Output.

    Args:
        output: The output in the RunSpec.
        secret: Secret of the user who writes.
    """

    def __init__(self, output: OutputInput, secret: SecretFiles) -> None:
        self._own = output.write.table
        self._table = str(self._own or output.source.table)
        source = output.source.model_copy(update={"table": self._table, "secret_name": output.write.secret_name})
        self._key = "document_id" if self._own else output.source.document_id_column or "document_id"
        self._database = Database(source, secret)

    @property
    def shown(self) -> str:
        """See Output."""
        return self._database.shown

    def check(self, table: Table) -> None:
        """See Output."""
        with self._database.errors(_REMEDIES), self._connect() as connection:
            columns = columns_of(connection, self._table)
            if self._own and not columns:
                self._create(connection, table)
                columns = columns_of(connection, self._table)
            if not columns:
                raise MisconfiguredError(
                    f"{self._database.source.uri}: no such table {self._table}: check source.table"
                )
            if self._own and table.run_column not in columns and (other := RUN_COLUMNS.intersection(columns)):
                raise MisconfiguredError(
                    f"{self.shown}: another action writes this table (it has the column {min(other)}), and its rows "
                    "would be lost: set write.table to another table for this action"
                )
            if self._key not in columns:
                field = "write.table" if self._own else "source.document_id_column"
                raise MisconfiguredError(f"{self.shown}: no column {self._key}: correct {field}")
            self._add_missing(connection, table, columns)
            columns = columns_of(connection, self._table)
            for name, kind in self._kinds(table).items():
                if columns[name].type not in _may_hold(kind):
                    raise MisconfiguredError(
                        f"{self.shown}: column {name} has the type {columns[name].shown}, but the run writes {kind}: "
                        "rename the column, or set write.table to write into a separate table"
                    )
            self._check_rights(connection, table)

    def write(self, table: Table, progress: Progress) -> str:
        """See Output."""
        copied_rows = 0
        try:
            with self._database.errors(_REMEDIES), self._connect() as connection, connection.transaction():
                self._wait_for_turn(connection)
                connection.execute(self._staging(table))
                names = sql.SQL(", ").join(map(sql.Identifier, table.schema.names))
                copy_in = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(sql.Identifier(_STAGE), names)
                with connection.cursor() as cursor, cursor.copy(copy_in) as copy:
                    copy.write(HEADER)
                    for batch in table.batches():
                        copy.write(copied(batch))
                        copied_rows += batch.num_rows
                        progress.advance(0.5 * copied_rows / max(table.rows, 1))
                    copy.write(TRAILER)
                connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(_STAGE)))
                written = self._replace(connection, table) if self._own else self._update(connection, table)
        except RunError as error:
            raise type(error)(
                f"{error}: {copied_rows:,} of {table.rows:,} rows were sent, and none was written: the table is "
                "unchanged"
            ) from error
        missing = table.rows - written
        summary = f"{counted(written, 'row')} of {self.shown}"
        return f"{summary}; it lacks {counted(missing, 'document')}" if missing > 0 and not self._own else summary

    def _connect(self) -> Connection:
        return self._database.connect(_SESSION, autocommit=True)

    def _wait_for_turn(self, connection: Connection) -> None:
        """Locks the outputs.

        Two concurrent runs would update the same rows in another order, or insert the same ones.
        """
        connection.execute("SET LOCAL lock_timeout = 0")
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('clustertrigger'), hashtext(%s))", [self._table])
        connection.execute(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}")

    def _kinds(self, table: Table) -> dict[str, str]:
        """Returns PostgreSQL's types of the columns that are written, in addition to the keys."""
        return {field.name: TYPES[field.type] for field in table.values} | {table.run_column: "text"}

    def _create(self, connection: Connection, table: Table) -> None:
        keys = [table.schema.field(name) for name in table.keys]
        typed = {field.name: TYPES[field.type] for field in keys} | self._kinds(table)
        statement = sql.SQL("CREATE TABLE IF NOT EXISTS {} ({}, PRIMARY KEY ({}))").format(
            quoted(self._table), _typed(typed), sql.SQL(", ").join(map(sql.Identifier, table.keys))
        )
        self._define(connection, statement, "it does not exist, and the user of Secret {} may not create it")

    def _add_missing(self, connection: Connection, table: Table, columns: Mapping[str, Column]) -> None:
        wanted = self._kinds(table)
        if self._own:
            wanted = {name: TYPES[table.schema.field(name).type] for name in table.keys} | wanted
        absent = {name: kind for name, kind in wanted.items() if name not in columns}
        if not absent:
            return
        added = [sql.SQL("ADD COLUMN IF NOT EXISTS {}").format(_typed({name: kind})) for name, kind in absent.items()]
        statement = sql.SQL("ALTER TABLE {} {}").format(quoted(self._table), sql.SQL(", ").join(added))
        why = f"it has no {' and no '.join(absent)}, and the user of Secret {{}} may not add columns"
        self._define(connection, statement, why)

    def _define(self, connection: Connection, statement: sql.Composed, why: str) -> None:
        try:
            # Readers that come in the meantime wait for it, but not for long.
            connection.execute(f"SET lock_timeout = {_DEFINING_MILLISECONDS}")
            connection.execute(statement)
            connection.execute(f"SET lock_timeout = {LOCK_MILLISECONDS}")
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.WrongObjectType):
            reason = why.format(self._database.source.secret_name)
            raise MisconfiguredError(
                f"{self.shown}: {reason}: ask its owner to run {statement.as_string(connection)}"
            ) from None

    def _check_rights(self, connection: Connection, table: Table) -> None:
        """Reports missing permissions before hours of clustering, rather than after."""
        relation = quoted(self._table).as_string(connection)
        if self._own:
            condition, needed = (
                "has_table_privilege(%s, 'INSERT') AND has_table_privilege(%s, 'DELETE')",
                "SELECT, INSERT, DELETE",
            )
            [allowed] = connection.execute(f"SELECT {condition}", [relation, relation]).fetchone() or (False,)
        else:
            written, needed = [*self._kinds(table)], "SELECT, UPDATE"
            query = "SELECT bool_and(has_column_privilege(%s, name, 'UPDATE')) FROM unnest(%s::text[]) AS name"
            [allowed] = connection.execute(query, [relation, written]).fetchone() or (False,)
        readable = [self._key, table.run_column]
        query = "SELECT bool_and(has_column_privilege(%s, name, 'SELECT')) FROM unnest(%s::text[]) AS name"
        [can_read] = connection.execute(query, [relation, readable]).fetchone() or (False,)
        if not (allowed and can_read):
            raise MisconfiguredError(
                f"{self.shown}: the user of Secret {self._database.source.secret_name} may not write it: "
                f"grant that user {needed} on {self._table}"
            )

    def _staging(self, table: Table) -> sql.Composed:
        typed = {field.name: TYPES[field.type] for field in table.schema}
        return sql.SQL("CREATE TEMPORARY TABLE {} ({}) ON COMMIT DROP").format(sql.Identifier(_STAGE), _typed(typed))

    def _update(self, connection: Connection, table: Table) -> int:
        """Sets the new values of the documents.

        Clears the values that an earlier run of this trigger wrote for other documents.
        """
        columns = columns_of(connection, self._table)
        values = [field.name for field in table.values]
        pairs = [sql.SQL("{0} = s.{0}").format(sql.Identifier(name)) for name in values]
        pairs.append(sql.SQL("{} = {}").format(sql.Identifier(table.run_column), sql.Literal(table.run)))
        update = sql.SQL("UPDATE {} AS t SET {} FROM {} AS s WHERE {}").format(
            quoted(self._table),
            sql.SQL(", ").join(pairs),
            sql.Identifier(_STAGE),
            _join(columns[self._key], table.schema.field(0).type),
        )
        written = connection.execute(update).rowcount
        emptied = [sql.SQL("{} = NULL").format(sql.Identifier(name)) for name in [*values, table.run_column]]
        clear = sql.SQL("UPDATE {} AS t SET {} WHERE {}").format(
            quoted(self._table), sql.SQL(", ").join(emptied), _of_earlier_runs(table)
        )
        connection.execute(clear)
        return written

    def _replace(self, connection: Connection, table: Table) -> int:
        """Deletes what earlier runs of this trigger wrote, and what other writers wrote for the same documents."""
        own, stage = quoted(self._table), sql.Identifier(_STAGE)
        connection.execute(sql.SQL("DELETE FROM {} AS t WHERE {}").format(own, _of_earlier_runs(table)))
        same = sql.SQL(" AND ").join(sql.SQL("t.{0} = s.{0}").format(sql.Identifier(name)) for name in table.keys)
        connection.execute(sql.SQL("DELETE FROM {} AS t USING {} AS s WHERE {}").format(own, stage, same))
        names = sql.SQL(", ").join(map(sql.Identifier, table.schema.names))
        insert = sql.SQL("INSERT INTO {} ({}, {}) SELECT DISTINCT ON ({}) {}, {} FROM {}").format(
            own,
            names,
            sql.Identifier(table.run_column),
            sql.SQL(", ").join(map(sql.Identifier, table.keys)),
            names,
            sql.Literal(table.run),
            stage,
        )
        return connection.execute(insert).rowcount


def _typed(columns: Mapping[str, str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL(f"{{}} {kind}").format(sql.Identifier(name)) for name, kind in columns.items())


def _of_earlier_runs(table: Table) -> sql.Composed:
    return sql.SQL("starts_with(t.{0}, {1}) AND t.{0} <> {2}").format(
        sql.Identifier(table.run_column), sql.Literal(table.lineage), sql.Literal(table.run)
    )


def _join(key: Column, value_type: Any) -> sql.Composed:
    """Casts document ids to the type of the table's own column, so that its index is used."""
    name: sql.Composable = sql.SQL("t.{}").format(sql.Identifier(key.name))
    value: sql.Composable = sql.SQL("s.document_id")
    if key.is_integer != pa.types.is_integer(value_type):
        value = sql.SQL("s.document_id::{}").format(sql.SQL("bigint" if key.is_integer else "text"))
    if key.type == "uuid":
        value = sql.SQL("s.document_id::uuid")
    elif not key.is_integer and key.type not in ("text", "varchar"):
        name = sql.SQL("{}::text").format(name)
    return sql.SQL("{} = {}").format(name, value)
