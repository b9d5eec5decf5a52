"""Defines filters, which select the documents of a collection by comparisons combined with AND, OR and NOT."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from clustercontract.base import ApiModel

Operator = Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "exists"]
ORDERING = ("gt", "gte", "lt", "lte")
SET = ("in", "nin")

DEEPEST = 4
"""Maximum nesting depth of AND, OR and NOT."""
MOST_COMPARISONS = 64
MOST_VALUES = 256
LONGEST_TEXT = 1024
_SAFE_INTEGER = 2**53
"""Above this value, a source that stores numbers as doubles cannot distinguish adjacent integers."""

Scalar = bool | int | float | str


class Filter(ApiModel):
    """Either a comparison (`field`, `operator`, `value`) or a group (`AND`, `OR`, `NOT`).

    In a group, all filters of AND, at least one of OR, and none of NOT must hold. A comparison does not hold for a
    document whose field is missing or null, or is not a number where numbers are compared. The operators ne, nin
    and NOT are the exact opposites of eq, in and the negated filter, and hold for such documents.

    A structural schema does not support recursion. Therefore the CustomResourceDefinition accepts any object here, and
    the operator's webhook, the operator itself and `kubectl clustertrigger validate` validate it with this model.
    """

    field: str | None = Field(None, min_length=1, max_length=253)
    operator: Operator | None = None
    value: Any = None
    AND: list[Filter] | None = Field(None, min_length=1)
    OR: list[Filter] | None = Field(None, min_length=1)
    NOT: list[Filter] | None = Field(None, min_length=1)

    @classmethod
    def __get_pydantic_json_schema__(cls, _core: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Returns the schema for the CRD."""
        return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}

    @model_validator(mode="after")
    def _is_one_or_the_other(self) -> Self:
        written = [name for name in ("field", "operator", "value") if getattr(self, name) is not None]
        if self.groups():
            if written:
                raise ValueError(
                    f"{written[0]} is not valid beside AND, OR or NOT: move it into a comparison of its own"
                )
            return self
        if not written:
            raise ValueError("is empty: set field, operator and value, or AND, OR or NOT")
        for name in ("field", "operator", "value"):
            if name not in written:
                raise ValueError(f"{name} is required with a comparison: set it")
        self._check_value()
        return self

    def groups(self) -> list[tuple[str, list[Filter]]]:
        """Returns the groups that are set, by the API's names; an empty list for a comparison."""
        parts = [("AND", self.AND), ("OR", self.OR), ("NOT", self.NOT)]
        return [(name, part) for name, part in parts if part is not None]

    def depth(self) -> int:
        """Returns the nesting depth of the groups."""
        inner = [part.depth() for _, parts in self.groups() for part in parts]
        return 1 + max(inner) if inner else 0

    def comparisons(self) -> Iterator[Filter]:
        """Yields all comparisons in the filter."""
        parts = [part for _, group in self.groups() for part in group]
        if not parts:
            yield self
        for part in parts:
            yield from part.comparisons()

    def _check_value(self) -> None:
        value, operator = self.value, self.operator
        if operator == "exists":
            if not isinstance(value, bool):
                raise ValueError(f"value {value!r} must be true or false with exists")
        elif operator in SET:
            _check_set(value)
        elif operator in ORDERING:
            if not is_number(value) and parsed_time(value) is None:
                raise ValueError(
                    f"value {value!r} must be a number or a time (RFC 3339, such as '2026-11-22' or "
                    f"'2026-11-22T08:00:00Z') with {operator}"
                )
        elif not isinstance(value, Scalar):
            raise ValueError(f"value {value!r} must be a string, a number, true or false with {operator}")
        for one in value if isinstance(value, list) else [value]:
            _check_size(one)


def check_filters(filters: Filter | None) -> None:
    """Checks the limits of a filter as a whole.

    Raises:
        ValueError: The filter is nested too deeply or has too many comparisons.
    """
    if filters is None:
        return
    if filters.depth() > DEEPEST:
        raise ValueError(
            f"filters nest {filters.depth()} levels of AND, OR and NOT, and the limit is {DEEPEST}: "
            "combine nested groups of the same kind"
        )
    count = sum(1 for _ in filters.comparisons())
    if count > MOST_COMPARISONS:
        raise ValueError(
            f"filters have {count} comparisons, and the limit is {MOST_COMPARISONS}: use in to match many values"
        )


def all_of(filters: Iterable[Filter]) -> Filter:
    """Returns a filter that holds if all of the given filters hold; there is at least one."""
    parts = [part for one in filters for part in conjuncts(one)]
    return parts[0] if len(parts) == 1 else Filter(AND=parts)


def within(own: Filter | None, more: Filter) -> Filter:
    """Returns a filter that holds if both a source's own filter and another one hold.

    Raises:
        ValueError: Together they exceed the limits of a filter.
    """
    both = more if own is None else all_of((own, more))
    check_filters(both)
    return both


def conjuncts(one: Filter) -> list[Filter]:
    """Returns the filters that must all hold: the parts of a group that has only AND, else the filter itself."""
    return one.AND if one.AND is not None and one.OR is None and one.NOT is None else [one]


def is_number(value: object) -> bool:
    """Returns whether a filter's value is a number; true and false are not numbers."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def parsed_time(value: object) -> datetime | None:
    """Returns the time that a filter's value denotes, in UTC; None if the value is not a time.

    A value without an offset is in UTC. A time that is before the year 1 or after the year 9999 in UTC is not a time.
    """
    if not isinstance(value, str) or len(value) < len("2026-11-22"):
        return None
    try:
        time = datetime.fromisoformat(value)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _check_set(value: object) -> None:
    if not isinstance(value, list) or not 0 < len(value) <= MOST_VALUES:
        raise ValueError(f"value must be a list of 1 to {MOST_VALUES} strings or numbers with in and nin")
    if not (all(isinstance(one, str) for one in value) or all(is_number(one) for one in value)):
        remedy = "use eq for true and false" if any(isinstance(one, bool) for one in value) else "do not mix them"
        raise ValueError(f"value must contain only strings or only numbers with in and nin: {remedy}")


def _check_size(value: object) -> None:
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        raise ValueError(f"value is longer than {LONGEST_TEXT} characters: shorten it")
    if isinstance(value, str) and "\0" in value:
        raise ValueError("value contains a NUL character: remove it")
    if isinstance(value, int) and abs(value) > _SAFE_INTEGER:
        raise ValueError(f"value {value} is beyond 2^53, above which numbers are not exact: store it as a string")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("value must be a finite number")
