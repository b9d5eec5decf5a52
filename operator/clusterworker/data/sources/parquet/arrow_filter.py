"""Converts filters to pyarrow expressions, which also skip row groups by their statistics."""

import math
import operator
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from clustercontract.filters import parsed_time
from clusterworker.data.sources.messages import missing, twice, type_shown
from clusterworker.data.sources.plain import is_text, is_uuid
from clusterworker.data.sources.predicate import (
    Comparison,
    Kind,
    Predicate,
    check_kind,
    comparisons,
    is_single,
    rounded,
    value_shown,
)
from clusterworker.process.errors import MisconfiguredError

_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def expression(predicate: Predicate, schema: Any) -> Any:
    """Returns the pyarrow expression, for batches of this schema with plain types.

    If a comparison's field is null, the expression is null, which filters as false does, because no NOT is left around
    it.
    """
    if isinstance(predicate, Comparison):
        return _comparison(predicate, schema.field(predicate.field).type)
    parts = [expression(part, schema) for part in predicate.parts]
    return reduce(operator.and_ if predicate.kind == "and" else operator.or_, parts)


def check_columns(predicate: Predicate, schema: Any, written: Any, file: str, others: Iterable[str] = ()) -> None:
    """Rejects a filter that the columns of a file do not support.

    Args:
        predicate: Predicate of the file's own columns.
        schema: Schema with plain types.
        written: Schema of the file, for messages.
        file: Name of the file in messages.
        others: Columns in the file's path.

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
            check_kind(comparison, _kind(kind), f"{type_shown(written.field(comparison.field).type)} in {file}")
        if is_uuid(kind) and comparison.operator in ("eq", "in"):
            _check_uuids(comparison, file)


def _comparison(comparison: Comparison, kind: Any) -> Any:
    field = pc.field(comparison.field)
    if comparison.operator == "exists":
        return field.is_null() if comparison.negated else field.is_valid()
    if pa.types.is_null(kind):
        return pc.scalar(comparison.negated)
    values = comparison.value if comparison.operator == "in" else [comparison.value]
    steps = _steps(kind)
    if steps is None:
        column, compared = _comparable(comparison, field, kind, values)
        compare = _COMPARE.get(comparison.operator)
        holds = compare(column, compared[0]) if compare and len(compared) else column.isin(compared)
    else:
        holds = _in_steps(field, kind, comparison.operator, [_exact(value) * steps.per_one for value in values], steps)
    return ~holds | field.is_null() if comparison.negated else holds


@dataclass(frozen=True)
class _Steps:
    """A type whose values are whole numbers of equal steps, such as integers, decimals and times.

    Attributes:
        per_one: Number of steps in 1, or in a microsecond.
        low: The smallest number of steps that the type can hold.
        high: The largest number of steps that it can hold.
    """

    per_one: Fraction
    low: int
    high: int


_PER_MICROSECOND = {
    "s": Fraction(1, 10**6),
    "ms": Fraction(1, 10**3),
    "us": Fraction(1),
    "ns": Fraction(10**3),
}


def _steps(kind: Any) -> _Steps | None:
    """Returns the steps of a type; None for text, booleans and floating-point numbers."""
    types = pa.types
    if types.is_integer(kind):
        bits = kind.bit_width - types.is_signed_integer(kind)
        return _Steps(Fraction(1), -(2**bits) if types.is_signed_integer(kind) else 0, 2**bits - 1)
    if types.is_decimal(kind):
        return _Steps(Fraction(10) ** kind.scale, -(10**kind.precision) + 1, 10**kind.precision - 1)
    if types.is_date32(kind):
        return _Steps(Fraction(1, 86_400 * 10**6), -(2**31), 2**31 - 1)
    if types.is_timestamp(kind) or types.is_date64(kind):
        unit = "ms" if types.is_date64(kind) else kind.unit
        return _Steps(_PER_MICROSECOND[unit], -(2**63), 2**63 - 1)
    return None


def _exact(value: Any) -> Fraction:
    """Returns a filter's number exactly (0.1 is a tenth), or the microseconds from 1970 to its time."""
    time = parsed_time(value)
    return Fraction(repr(value)) if time is None else Fraction((time - _EPOCH) // timedelta(microseconds=1))


def _in_steps(field: Any, kind: Any, compare: str, values: list[Fraction], steps: _Steps) -> Any:
    """Returns the expression that compares a field with values, which are not rounded.

    A value can be between two steps, or beyond all of them. In the expression, values have the field's own type, which
    statistics require. pyarrow 26 silently rounds 1.5 to 1, and a time to the beginning of its day.
    """
    if compare in ("eq", "in"):
        whole = {int(value) for value in values if value.denominator == 1 and steps.low <= value <= steps.high}
        return field.isin(pa.array([_scalar(kind, number) for number in sorted(whole)], kind))
    number = math.floor(values[0]) if compare in ("gt", "lte") else math.ceil(values[0])
    if steps.low <= number <= steps.high:
        return _COMPARE[compare](field, _scalar(kind, number))
    is_above_all = number > steps.high
    return field.is_valid() if is_above_all == (compare in ("lt", "lte")) else pc.scalar(False)


def _scalar(kind: Any, steps: int) -> Any:
    return pa.scalar(Decimal(f"{steps}e{-kind.scale}") if pa.types.is_decimal(kind) else steps, kind)


def _comparable(comparison: Comparison, field: Any, kind: Any, values: list[Any]) -> tuple[Any, Any]:
    """Returns the field and the values in one type.

    It is the field's own if it can express the values, because statistics require it.
    """
    if is_uuid(kind):
        return field, pa.array([uuid.UUID(value).bytes for value in values], kind)
    if pa.types.is_fixed_size_binary(kind):
        texts = [value.encode() for value in values]
        return field, pa.array([text for text in texts if len(text) == kind.byte_width], kind)
    if is_text(kind):
        # Bytes are compared as bytes, because they may not be text.
        is_string = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        return field, pa.array([value if is_string else value.encode() for value in values], kind)
    if pa.types.is_floating(kind):
        numbers = [rounded(float(value), kind.bit_width) for value in values]
        numbers += [-0.0, 0.0] if 0 in numbers else []  # isin tells them apart
        if kind == pa.float32() and all(is_single(number) for number in numbers):
            return field, pa.array(numbers, kind)
        if pa.types.is_float16(kind):
            field = field.cast(pa.float32())  # pyarrow compares no half floats, and casts none to doubles
        return field.cast(pa.float64()), pa.array(numbers, pa.float64())
    return field, pa.array(values, kind)


def _check_uuids(comparison: Comparison, file: str) -> None:
    for value in comparison.value if comparison.operator == "in" else [comparison.value]:
        try:
            uuid.UUID(value)
        except ValueError:
            raise MisconfiguredError(
                f"source.{comparison.place}: column {comparison.field} holds UUIDs in {file}, but value "
                f"{value_shown(value)} is not a UUID: write it as 123e4567-e89b-12d3-a456-426614174000"
            ) from None


def _kind(kind: Any) -> Kind:
    types = pa.types
    if is_text(kind) or types.is_fixed_size_binary(kind):
        return "text"
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    if types.is_boolean(kind):
        return "boolean"
    return "time" if types.is_timestamp(kind) or types.is_date(kind) else "other"
