"""Converts filters to SQL.

No value becomes part of a statement. COPY takes no parameters, so each value is bound to a setting of the transaction,
by `SELECT set_config($1, $2, true)`, and the statement reads that setting. Reading it in a subquery makes the server
read it once, rather than once per row.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from clustercontract.filters import is_number, parsed_time
from clusterworker.data.sources.messages import missing
from clusterworker.data.sources.postgresql.columns import Column
from clusterworker.data.sources.predicate import Comparison, Predicate, check_kind, comparisons, is_single, rounded

_OPERATORS = {
    "eq": sql.SQL("="),
    "gt": sql.SQL(">"),
    "gte": sql.SQL(">="),
    "lt": sql.SQL("<"),
    "lte": sql.SQL("<="),
}
_MAY_BE_NAN = ("float4", "float8", "numeric")
_LARGEST = {"int2": 2**15 - 1, "int4": 2**31 - 1, "int8": 2**63 - 1}


@dataclass
class Where:
    """A condition, and the settings that contain its values.

    Attributes:
        columns: Columns of the table.
        settings: Names and values: a text, or a list of texts.
    """

    columns: Mapping[str, Column]
    settings: dict[str, str | list[str]] = field(default_factory=dict)

    def condition(self, predicate: Predicate) -> sql.Composable:
        """Returns the condition.

        It is never NULL where that matters: NULL counts as false, and no NOT is left around it.
        """
        if isinstance(predicate, Comparison):
            holds = self._comparison(predicate, self.columns[predicate.field])
            return sql.SQL("({}) IS NOT TRUE").format(holds) if predicate.negated else holds
        parts = [self.condition(part) for part in predicate.parts]
        return sql.SQL("({})").format(sql.SQL(f" {predicate.kind.upper()} ").join(parts))

    def bind(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        """Passes the values to the server, for the duration of the transaction."""
        for name, value in self.settings.items():
            if isinstance(value, list):
                connection.execute("SELECT set_config(%s, (%s::text[])::text, true)", [name, value])
            else:
                connection.execute("SELECT set_config(%s, %s, true)", [name, value])

    def _comparison(self, comparison: Comparison, column: Column) -> sql.Composable:
        name: sql.Composable = sql.Identifier(column.name)
        if comparison.operator == "exists":
            return sql.SQL("{} IS NOT NULL").format(name)
        if comparison.operator == "in":
            kind, texts = _bound(column, comparison.value)
            value = self._setting(texts, f"{kind}[]")
            return sql.SQL("{} = ANY {}").format(_compared(column, kind), value)
        kind, [text] = _bound(column, [comparison.value])
        holds = sql.SQL("{} {} {}").format(
            _compared(column, kind), _OPERATORS[comparison.operator], self._setting(text, kind)
        )
        if column.type in _MAY_BE_NAN and comparison.operator in ("gt", "gte"):
            # In PostgreSQL, NaN is the largest number.
            return sql.SQL("({} AND {} <> 'NaN')").format(holds, name)
        return holds

    def _setting(self, value: str | list[str], kind: str) -> sql.Composable:
        name = f"clusterworker.filter_{len(self.settings)}"
        self.settings[name] = value
        # The type is outside of the subquery, because ANY would otherwise use its rows instead of the array.
        return sql.SQL("((SELECT current_setting({}))::{})").format(sql.Literal(name), sql.SQL(kind))


def check_columns(predicate: Predicate, columns: Mapping[str, Column], shown: str) -> None:
    """Rejects a filter that the columns of a table do not support.

    Raises:
        MisconfiguredError: names table, filter and column.
    """
    for comparison in comparisons(predicate):
        column = columns.get(comparison.field)
        if column is None:
            raise missing(shown, f"column {comparison.field}", columns, f"{comparison.place}.field")
        check_kind(comparison, column.kind, column.shown)


def _compared(column: Column, kind: str) -> sql.Composable:
    name = sql.Identifier(column.name)
    if kind == "text" and column.type != "text":
        return sql.SQL("{}::text").format(name)
    return name


def _bound(column: Column, values: list[Any]) -> tuple[str, list[str]]:
    """Returns the type in which to compare, and the values as text.

    It is the column's own type if that can express the values.
    """
    first = values[0]
    if isinstance(first, bool):
        return "boolean", [str(value).lower() for value in values]
    if is_number(first):
        if column.is_integer:
            fits = all(float(value).is_integer() and abs(value) <= _LARGEST[column.type] for value in values)
            return (column.type, [str(int(value)) for value in values]) if fits else ("numeric", _texts(values))
        # A value beyond the range of real would be an error of the server.
        fits = column.type != "float4" or all(is_single(rounded(float(value), 32)) for value in values)
        return column.type if fits else "float8", _texts(values)
    if column.kind == "time":
        times = [time for time in map(parsed_time, values) if time]
        kind = "timestamptz" if column.type == "timestamptz" else "timestamp"
        return kind, [time.replace(tzinfo=None).isoformat(" ") for time in times]
    return "text", list(values)


def _texts(numbers: list[Any]) -> list[str]:
    return [repr(number) for number in numbers]
