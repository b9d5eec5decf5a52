"""Messages about bad data, which all sources share."""

import difflib
import unicodedata
from collections.abc import Iterable

from clusterworker.process.errors import MisconfiguredError, UnavailableError

REMEDY = "embed that document again or leave it out"
OTHER_MODEL = (
    "vectors of different models cannot be compared: embed all documents with one model or, if it is the same model, "
    "use the same name everywhere"
)
_LISTED = 20


def no_documents(collection_id: str, *, filtered: bool) -> str:
    """What to say of a collection without rows.

    Args:
        collection_id: of this collection.
        filtered: whether there are rows, and filters leave all of them out.
    """
    if filtered:
        return f"collection {collection_id} has no documents that pass source.filters: change the filters"
    return f"collection {collection_id} has no documents: add documents, or remove the collection"


class MissingColumnError(MisconfiguredError):
    """A column is missing.

    Args:
        found: where, what, and what exists instead.
        field: of the source, which names it.
        remedy: the field to correct, from its object on.
    """

    def __init__(self, found: str, field: str, remedy: str = "") -> None:
        super().__init__(f"{found}: set {remedy or f'source.{field}'} to one of them")
        self.found = found
        self.field = field


def missing(where: str, what: str, there: Iterable[str], field: str) -> MissingColumnError:
    """Return the error for a missing column.

    Args:
        where: what lacks it, such as a file.
        what: what is missing, such as `column embedding`.
        there: names of those that are there.
        field: of the Collection, which names it.
    """
    names, wanted = list(there), what.partition(" ")[2]
    listed = ", ".join(names[:_LISTED]) or "none"
    if len(names) > _LISTED:
        alike = difflib.get_close_matches(wanted, names[_LISTED:], 3)
        listed += f" and {len(names) - _LISTED:,} more" + (f", such as {', '.join(alike)}" if alike else "")
    for name in names:
        if unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", wanted):
            listed += f" ({name!a} is spelled with other code points than {wanted!a})"
    return MissingColumnError(f"{where}: no {what}: it has {listed}", field)


def twice(where: str, column: str) -> MisconfiguredError:
    """Return the error for an ambiguous column."""
    return MisconfiguredError(f"{where}: two columns have the name {column}: write the file again with distinct names")


def wrong_length(at: str, column: str, length: int, expected: int) -> MisconfiguredError:
    """The error for a vector of another length."""
    return MisconfiguredError(
        f"{at}: {column} holds a vector of length {length} where {expected} is expected: "
        "embed all documents with one model"
    )


def changed(where: str, how: str) -> UnavailableError:
    """The error for a source that is not what it was when it was opened.

    Args:
        where: what changed, such as a file.
        how: what was seen, such as `it was rewritten`.
    """
    return UnavailableError(f"{where}: changed while it was read: {how}: run again, and change it only between runs")


def damaged(where: str, reason: str) -> MisconfiguredError:
    """The error for a file that does not hold together."""
    return MisconfiguredError(f"{where}: damaged or unreadable: {reason}: write the file again")


def gone(where: str) -> UnavailableError:
    """The error for a part of a source that was there when the source was opened."""
    return UnavailableError(f"{where}: removed while it was read: run again, and change it only between runs")
