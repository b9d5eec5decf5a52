"""Normalizes filters for all sources: AND and OR of comparisons, some of which are negated.

In databases, a comparison with a missing value is "unknown", and so is its negation. Here, a comparison either holds or
does not, so that NOT is the exact opposite. After NOT is pushed down to the comparisons (De Morgan), sources have to
handle it only in a negated comparison.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from clustercontract.filters import Filter, is_number
from clusterworker.process.errors import MisconfiguredError
from clusterworker.process.text import shortened

Kind = Literal["text", "number", "boolean", "time", "other"]
"""Kind of a column's content, for filters."""
_VALUE_CHARACTERS = 100
_ORDERING = ("gt", "gte", "lt", "lte")


@dataclass(frozen=True)
class Comparison:
    """One field compared to a value.

    Attributes:
        operator: eq, gt, gte, lt, lte, in or exists.
        negated: Whether it must not hold.
        place: Its path in the Collection, such as `filters.AND[0]`.
    """

    field: str
    operator: str
    value: Any
    negated: bool
    place: str


@dataclass(frozen=True)
class Junction:
    """All of its parts (and), or at least one of them (or), must hold."""

    kind: Literal["and", "or"]
    parts: "tuple[Predicate, ...]"


Predicate = Comparison | Junction

_OPPOSITES = {"ne": "eq", "nin": "in"}


def predicate(kind_of_value: Filter, place: str = "filters", *, negated: bool = False) -> Predicate:
    """Converts a filter, or its negation, to this form."""
    if not kind_of_value.groups():
        return _comparison(kind_of_value, place, negated=negated)
    parts = [
        _junction(name, [(inner, f"{place}.{name}[{index}]") for index, inner in enumerate(filters)], negated=negated)
        for name, filters in kind_of_value.groups()
    ]
    return parts[0] if len(parts) == 1 else Junction("or" if negated else "and", tuple(parts))


def comparisons(kind_of_value: Predicate) -> list[Comparison]:
    """Yields all comparisons in it."""
    if isinstance(kind_of_value, Comparison):
        return [kind_of_value]
    return [inner for part in kind_of_value.parts for inner in comparisons(part)]


def check_kind(comparison: Comparison, kind: Kind, holds: str) -> None:
    """Rejects a comparison that a column does not support.

    Args:
        comparison: Comparison of this column.
        kind: Kind of the column's content.
        holds: The column's type, as the source names it.

    Raises:
        MisconfiguredError: names the filter, the column and the remedy.
    """
    column = f"source.{comparison.place}: column {comparison.field} holds {holds}"
    if comparison.operator == "exists":
        return
    if kind == "other":
        raise MisconfiguredError(f"{column}, which filters cannot compare: use exists")
    if comparison.operator in _ORDERING:
        wanted = "number" if is_number(comparison.value) else "time"
        if kind != wanted:
            negations = {
                "number": "compare it with a number",
                "time": "compare it with a time in quotes, such as '2026-11-22T08:00:00Z'",
            }
            raise MisconfiguredError(f"{column}: {negations.get(kind, 'use eq, ne, in, nin or exists')}")
        return
    if kind == "time":
        raise MisconfiguredError(f"{column}: times support only gt, gte, lt, lte and exists: use one of them")
    value = comparison.value[0] if comparison.operator == "in" else comparison.value
    kind_of_value = _kind_of(value)
    if kind != kind_of_value:
        raise MisconfiguredError(
            f"{column}, but value {value_shown(value)} is {_WORDS[kind_of_value]}: write {_WORDS[kind]}"
        )


def value_shown(value: object) -> str:
    """Returns a filter's value for a message, which a long one would fill."""
    return shortened(repr(value), _VALUE_CHARACTERS)


def rounded(number: float, bits: int) -> float:
    """Returns a filter's number as a column of floating-point numbers of so many bits holds it.

    Unchanged if it is beyond their range, where it would become infinite or 0 and equal to what it is not.
    """
    with np.errstate(over="ignore", under="ignore"):
        found = float(_FLOATS[bits](number))
    return found if math.isfinite(found) and (found != 0) == (number != 0) else number


def is_single(number: float) -> bool:
    """Whether float32 holds a number exactly."""
    with np.errstate(over="ignore", under="ignore"):
        return float(np.float32(number)) == number


_FLOATS: dict[int, type[np.floating[Any]]] = {16: np.float16, 32: np.float32, 64: np.float64}
_WORDS = {"text": "a string", "number": "a number", "boolean": "true or false"}


def _kind_of(value: object) -> Kind:
    if isinstance(value, bool):
        return "boolean"
    return "number" if is_number(value) else "text"


def _junction(name: str, filters: list[tuple[Filter, str]], *, negated: bool) -> Predicate:
    inner = negated != (name == "NOT")
    parts = tuple(predicate(one, place, negated=inner) for one, place in filters)
    if len(parts) == 1:
        return parts[0]
    # NOT means "none of": all of its negated parts must hold.
    together = name in ("AND", "NOT")
    return Junction("and" if together != negated else "or", parts)


def _comparison(kind_of_value: Filter, place: str, *, negated: bool) -> Comparison:
    operator = str(kind_of_value.operator)
    if operator == "exists":
        return Comparison(str(kind_of_value.field), operator, True, negated == bool(kind_of_value.value), place)
    if operator in _OPPOSITES:
        operator, negated = _OPPOSITES[operator], not negated
    return Comparison(str(kind_of_value.field), operator, kind_of_value.value, negated, place)
