"""Determines the types of a table's columns."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from clusterworker.data.sources.postgresql.copied import VECTORS, VectorFormat
from clusterworker.data.sources.predicate import Kind

_KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(("int2", "int4", "int8", "float4", "float8", "numeric"), "number"),
    **dict.fromkeys(("text", "varchar", "bpchar", "uuid", "name", "citext"), "text"),
    **dict.fromkeys(("timestamp", "timestamptz", "date"), "time"),
    "bool": "boolean",
}
_INTEGERS = frozenset({"int2", "int4", "int8"})
_ENUM = "e"

_QUERY = """
WITH RECURSIVE found AS (
    SELECT attnum, attname, atttypid AS type, atttypmod AS modifier, format_type(atttypid, atttypmod) AS shown
    FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT attnum, attname, typbasetype, typtypmod, shown FROM found JOIN pg_type t ON t.oid = type WHERE typtype = 'd'
)
SELECT attname, typname, typtype, modifier, shown FROM found JOIN pg_type t ON t.oid = type
WHERE typtype <> 'd' ORDER BY attnum
"""
"""A domain has the type on which it is based, and that type's modifier."""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        type: PostgreSQL's internal name of its type, such as int8.
        shown: The type as people write it, such as vector(384), or the name of a domain.
        modifier: Modifier of the type, in which pgvector stores the dimensions.
        is_enum: whether its type is an enumeration.
    """

    name: str
    type: str
    shown: str
    modifier: int
    is_enum: bool

    @property
    def kind(self) -> Kind:
        """Its kind for filters."""
        return "text" if self.is_enum else _KINDS.get(self.type, "other")

    @property
    def is_integer(self) -> bool:
        """Whether it contains integers of at most 64 bits."""
        return self.type in _INTEGERS

    @property
    def identifies(self) -> bool:
        """Whether it can contain document ids."""
        return self.kind == "text" or self.is_integer

    @property
    def vectors(self) -> VectorFormat | None:
        """Format of its vectors, if it contains any."""
        return VECTORS.get(self.type)

    @property
    def dimensions(self) -> int | None:
        """Length of every vector, if the type determines it."""
        return self.modifier if self.type in ("vector", "halfvec") and self.modifier > 0 else None


def quoted(table: str) -> sql.Identifier:
    """Returns a table's name, with its schema if there is one before a dot."""
    return sql.Identifier(*table.split(".", 1))


def columns_of(connection: psycopg.Connection[tuple[Any, ...]], table: str) -> dict[str, Column]:
    """Returns a table's columns by name; none if the table does not exist."""
    name = quoted(table).as_string(connection)
    return {column.name: column for column in _columns(connection.execute(_QUERY, [name]).fetchall())}


def _columns(rows: list[tuple[Any, ...]]) -> Iterator[Column]:
    for name, kind, category, modifier, shown in rows:
        yield Column(name, kind, shown, modifier, is_enum=category == _ENUM)
