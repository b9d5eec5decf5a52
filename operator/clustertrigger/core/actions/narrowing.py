"""Combines the filters of a trigger with those of a Collection, for all actions that read documents."""

from __future__ import annotations

from clustercontract.filters import Filter
from clustertrigger.api.collection import CollectionSpec
from clustertrigger.api.conditions import Reason
from clustertrigger.core.resources.catalog import Unresolved


def narrowed(reference: str, collection: CollectionSpec, filters: Filter | None) -> CollectionSpec | Unresolved:
    """Returns the collection with both its own filters and the trigger's.

    Args:
        reference: The id that refers to the collection.
        collection: The collection with its own filters.
        filters: The trigger's filters.
    """
    if filters is None:
        return collection
    try:
        source = collection.source.narrowed(filters)
    except ValueError as error:
        return Unresolved(Reason.INVALID_REFERENCE, f"together with those of collection {reference!r}, {error}")
    return collection.model_copy(update={"source": source})


def fields_of(condition: Filter) -> set[str | None]:
    """Returns the fields that a filter compares."""
    return {comparison.field for comparison in condition.comparisons()}
