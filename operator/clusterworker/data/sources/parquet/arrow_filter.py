"""Filters as pyarrow expressions, which also tell by a row group's statistics that nothing in it can match."""

import operator
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from clustercontract.filters import is_number, parsed_time
from clusterworker.data.sources.messages import missing, twice
from clusterworker.data.sources.plain import is_text, is_uuid
from clusterworker.data.sources.predicate import Comparison, Kind, Predicate, check_kind, comparisons
from clusterworker.process.errors import MisconfiguredError

_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


def expression(predicate: Predicate, schema: Any) -> Any:
    """Return the pyarrow expression, for batches of this schema, whose types are plain.

    Where a comparison's field is null the expression is null, which filters as false does: no NOT is left around it.
    """
    if isinstance(predicate, Comparison):
        return _comparison(predicate, schema.field(predicate.field).type)
    parts = [expression(part, schema) for part in predicate.parts]
    return reduce(operator.and_ if predicate.kind == "and" else operator.or_, parts)


def check_columns(predicate: Predicate, schema: Any, file: str, others: Iterable[str] = ()) -> None:
    """Refuse a filter that a file's columns cannot be put to.

    Args:
        predicate: of the file's own columns.
        schema: with plain types.
        file: its name in messages.
        others: columns that are in the file's path.

    Raises:
        MisconfiguredError: names file, filter and column.
    """
    for comparison in comparisons(predicate):
        if comparison.field not in schema.names:
            raise missing(file, f"column {comparison.field}", [*schema.names, *others], f"{comparison.place}.field")
        if len(schema.get_all_field_indices(comparison.field)) > 1:
            raise twice(file, comparison.field)
        kind = schema.field(comparison.field).type
        if not pa.types.is_null(kind):
            check_kind(comparison, _kind(kind), str(kind))


def _comparison(comparison: Comparison, kind: Any) -> Any:
    field = pc.field(comparison.field)
    if comparison.operator == "exists":
        return field.is_null() if comparison.negated else field.is_valid()
    if pa.types.is_null(kind):
        return pc.scalar(comparison.negated)
    values = comparison.value if comparison.operator == "in" else [comparison.value]
    column, compared = _comparable(field, kind, values)
    compare = _COMPARE.get(comparison.operator)
    holds = compare(column, compared[0]) if compare else column.isin(compared)
    return ~holds | field.is_null() if comparison.negated else holds


def _comparable(field: Any, kind: Any, values: list[Any]) -> tuple[Any, Any]:
    """The field and the values in one type: the field's own if it can express the values, as statistics need it."""
    if is_uuid(kind):
        return field, pa.array([_uuid_bytes(value) for value in values], kind)
    if is_text(kind):
        # Bytes are compared as such: some of them may be no text.
        is_string = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        return field, pa.array([value if is_string else value.encode() for value in values], kind)
    if is_number(values[0]):
        try:
            if not (pa.types.is_decimal(kind) or pa.types.is_float16(kind)):
                return field, pa.array(values, kind)
        except (pa.ArrowInvalid, OverflowError, TypeError):
            pass  # 1.5 for a column of integers, or 1000 for one of bytes
        if pa.types.is_float16(kind):
            field = field.cast(pa.float32())  # pyarrow compares no half floats
        # Integers beyond 2^53 are rounded; values of filters are not that large.
        return field.cast(pa.float64(), safe=False), pa.array([float(value) for value in values], pa.float64())
    if _kind(kind) == "time":
        exact = pa.timestamp("us", tz="UTC" if getattr(kind, "tz", None) else None)
        times = [time.astimezone(UTC) for time in map(parsed_time, values) if time]
        compared = pa.array([time if exact.tz else time.replace(tzinfo=None) for time in times], exact)
        try:
            return field, compared.cast(kind)
        except pa.ArrowInvalid:
            # A column of days or seconds and a time between two of them, or nanoseconds and a time beyond their years.
            return field.cast(exact, safe=False), compared
    return field, pa.array(values, kind)


def _uuid_bytes(value: str) -> bytes:
    try:
        return uuid.UUID(value).bytes
    except ValueError:
        raise MisconfiguredError(
            f"source.filters: value {value!r} is compared with a column of UUIDs: "
            "write it as 123e4567-e89b-12d3-a456-426614174000"
        ) from None


def _kind(kind: Any) -> Kind:
    types = pa.types
    if is_text(kind) or is_uuid(kind):
        return "text"
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    if types.is_boolean(kind):
        return "boolean"
    return "time" if types.is_timestamp(kind) or types.is_date(kind) else "other"
