"""Compares filters with the columns in directories' names."""

import operator
import re
from decimal import Decimal
from typing import Any

from clustercontract.filters import is_number, parsed_time
from clustercontract.partitions import Partitions
from clusterworker.data.sources.predicate import Comparison, Junction, Predicate, check_kind

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]{1,4})?", re.IGNORECASE)
_NOT_FINITE = re.compile(r"[+-]?inf(inity)?|nan", re.IGNORECASE)
_BOOLEANS = {"true": True, "false": False}
_COMPARE = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}


def remaining(predicate: Predicate, partitions: Partitions) -> Predicate | bool:
    """Returns the part of a predicate that depends on a file's rows; a truth value if the path alone decides.

    Args:
        predicate: Predicate of the source.
        partitions: Partitions of the file, without those that are also columns of the file.

    Raises:
        MisconfiguredError: a value cannot be compared as the filter wants it.
    """
    if isinstance(predicate, Comparison):
        return _holds(predicate, partitions[predicate.field]) if predicate.field in partitions else predicate
    decisive = predicate.kind == "or"
    parts: list[Predicate] = []
    for part in predicate.parts:
        left = remaining(part, partitions)
        if left is decisive:
            return decisive
        if not isinstance(left, bool):
            parts.append(left)
    if not parts:
        return not decisive
    return parts[0] if len(parts) == 1 else Junction(predicate.kind, tuple(parts))


def _holds(comparison: Comparison, value: str | None) -> bool:
    if comparison.operator == "exists":
        return (value is not None) != comparison.negated
    if value is None:
        return comparison.negated
    compare = _COMPARE.get(comparison.operator)
    values = comparison.value if comparison.operator == "in" else [comparison.value]
    wanted = [_comparable(one, ordered=compare is not None) for one in values]
    own = _as(wanted[0], value, comparison)
    if compare is None:
        return (own in wanted) != comparison.negated
    is_nan = own != own
    return (not is_nan and bool(compare(own, wanted[0]))) != comparison.negated


def _comparable(value: Any, *, ordered: bool) -> Any:
    """Returns a filter's value in the type in which partitions are compared. Decimals are exact."""
    if is_number(value):
        return Decimal(repr(value))
    return parsed_time(value) if ordered else value


def _as(wanted: Any, value: str, comparison: Comparison) -> Any:
    """Returns a partition's value in the type that it is compared with: 01 can be a text or the number 1."""
    own: Any = value
    if isinstance(wanted, bool):
        own = _BOOLEANS.get(value.lower())
    elif isinstance(wanted, Decimal):
        own = Decimal(value) if _NUMBER.fullmatch(value) else float(value) if _NOT_FINITE.fullmatch(value) else None
    elif comparison.operator in _COMPARE:
        own = parsed_time(value)
    if own is None:
        check_kind(comparison, "text", f"the directory's value {value!r}")
    return own
