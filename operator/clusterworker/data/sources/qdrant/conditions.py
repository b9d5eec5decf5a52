"""Converts filters to Qdrant's."""

from typing import Any

from qdrant_client import models

from clustercontract.filters import is_number, parsed_time
from clusterworker.data.sources.predicate import Comparison, Predicate


def conditions(predicate: Predicate) -> models.Filter:
    """Returns Qdrant's filter: must is AND, should is OR, must_not is NOT."""
    if isinstance(predicate, Comparison):
        return models.Filter(must=[_condition(predicate)])
    parts: list[Any] = [
        _condition(part) if isinstance(part, Comparison) else conditions(part) for part in predicate.parts
    ]
    return models.Filter(must=parts) if predicate.kind == "and" else models.Filter(should=parts)


def _condition(comparison: Comparison) -> Any:
    holds = _positive(comparison)
    return models.Filter(must_not=[holds]) if comparison.negated else holds


def _positive(comparison: Comparison) -> Any:
    key, value = comparison.field, comparison.value
    match comparison.operator:
        case "exists":
            missing: Any = models.IsEmptyCondition(is_empty=models.PayloadField(key=key))
            return models.Filter(must_not=[missing])
        case "eq":
            return _equal(key, value)
        case "in" if is_number(value[0]):
            return models.Filter(should=[_equal(key, one) for one in value])
        case "in":
            return models.FieldCondition(key=key, match=models.MatchAny(any=value))
        case ordering:
            if is_number(value):
                return models.FieldCondition(key=key, range=models.Range(**{ordering: value}))
            time = parsed_time(value)
            assert time is not None  # noqa: S101 - The API accepts nothing else.
            return models.FieldCondition(key=key, range=models.DatetimeRange(**{ordering: time}))


def _equal(key: str, value: Any) -> Any:
    if is_number(value):  # A match would distinguish 5 from 5.0.
        return models.FieldCondition(key=key, range=models.Range(gte=value, lte=value))
    return models.FieldCondition(key=key, match=models.MatchValue(value=value))
