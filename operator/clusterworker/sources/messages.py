"""What sources say of bad data, in the same words."""

from collections.abc import Iterable

from clusterworker.errors import MisconfiguredError

REMEDY = "embed that document again or leave it out"
_LISTED = 20


def no_documents(collection_id: str, *, filtered: bool) -> str:
    """What to say of a collection without rows.

    Args:
        collection_id: of this collection.
        filtered: whether there are rows, and filters leave all of them out.
    """
    if filtered:
        return f"collection {collection_id} has no documents that pass source.filters: change the filters"
    return f"collection {collection_id} has no documents: add some, or leave the collection out"


def missing(where: str, what: str, there: Iterable[str], field: str) -> MisconfiguredError:
    """The error for a column that is not there.

    Args:
        where: what lacks it, such as a file.
        what: what is missing, such as `column embedding`.
        there: names of those that are there.
        field: of the Collection, which names it.
    """
    listed = ", ".join(list(there)[:_LISTED]) or "none"
    return MisconfiguredError(f"{where}: no {what}: it has {listed}: set source.{field} to one of them")


def wrong_length(at: str, column: str, length: int, expected: int) -> MisconfiguredError:
    """The error for a vector of another length."""
    return MisconfiguredError(
        f"{at}: {column} holds a vector of length {length} where {expected} is expected: "
        "embed all documents with one model"
    )
