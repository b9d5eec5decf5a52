"""Filters of a trigger beside those of a Collection: what actions that read documents have in common."""

from __future__ import annotations

from clustercontract.filters import Filter, within
from clustertrigger.api.collection import CollectionSpec
from clustertrigger.api.conditions import Reason
from clustertrigger.core.resources.catalog import Unresolved


def narrowed(wanted: str, collection: CollectionSpec, filters: Filter | None) -> CollectionSpec | Unresolved:
    """The collection, of which only the documents count for which these filters hold too.

    Args:
        wanted: the id by which it was referred to.
        collection: as it is for itself.
        filters: of the trigger.
    """
    if filters is None:
        return collection
    source = collection.source
    try:
        both = within(source.filters, filters)
    except ValueError as error:
        return Unresolved(Reason.INVALID_REFERENCE, f"together with those of collection {wanted!r}, {error}")
    return collection.model_copy(update={"source": source.model_copy(update={"filters": both})})


def fields_of(one: Filter) -> set[str | None]:
    """Returns the fields that a filter compares."""
    return {comparison.field for comparison in one.comparisons()}
