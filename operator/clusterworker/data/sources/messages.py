"""Contains the messages about bad data that all sources share."""

import difflib
import unicodedata
from collections.abc import Iterable
from itertools import accumulate

from clustercontract.quoting import quoted
from clusterworker.process.errors import MisconfiguredError, UnavailableError
from clusterworker.process.text import shortened

REMEDY = "embed that document again or leave it out"
OTHER_MODEL = (
    "vectors of different models cannot be compared: embed all documents with one model or, if it is the same model, "
    "use the same name everywhere"
)
_LISTED = 20
_LISTED_CHARACTERS = 500
"""Maximum length of the listed names of columns. The operator keeps the beginning and the end of a long error, and the
place and the remedy should both remain whole.
"""
_NAME_CHARACTERS = 253
"""Maximum length of a name that a source's fields accept."""
_MODEL_CHARACTERS = 100
_TYPE_CHARACTERS = 100


def no_documents(collection_id: str, *, filtered: bool) -> str:
    """Returns the message about a collection without documents.

    Args:
        collection_id: Id of the collection.
        filtered: Whether there are rows, and filters leave out all of them.
    """
    if filtered:
        return f"collection {collection_id} has no documents that pass source.filters: change the filters"
    return f"collection {collection_id} has no documents: add documents, or remove the collection"


def model_shown(name: str) -> str:
    """Returns the name of an embedding model for a message, which a very long one would fill."""
    return shortened(name, _MODEL_CHARACTERS)


def type_shown(kind: object) -> str:
    """Returns a column's type for a message, which that of a wide struct would fill."""
    return shortened(str(kind), _TYPE_CHARACTERS)


def name_shown(name: str) -> str:
    """Returns a column's name for a message, and as YAML reads it: with quotes and escapes where a line needs them."""
    if not name.isprintable():
        return shortened(quoted(name), _NAME_CHARACTERS)
    return shortened(name if name == " ".join(name.split()) != "" else repr(name), _NAME_CHARACTERS)


class MissingColumnError(MisconfiguredError):
    """A column is missing.

    Args:
        found: Where it is missing, what is missing, and what exists instead.
        field: Field of the source that names the column.
        remedy: The field to correct, from its object on.
    """

    def __init__(self, found: str, field: str, remedy: str = "") -> None:
        super().__init__(f"{found}: set {remedy or f'source.{field}'} to one of them")
        self.found = found
        self.field = field


def missing(where: str, what: str, available: Iterable[str], field: str) -> MissingColumnError:
    """Returns the error for a missing column.

    Args:
        where: What lacks the column, such as a file.
        what: What is missing, such as `column embedding`.
        available: Names of the existing columns.
        field: Field of the Collection that names it.
    """
    names, wanted = list(available), what.partition(" ")[2]
    shown = [name_shown(name) for name in names[:_LISTED]]
    lengths = accumulate(len(name) + 2 for name in shown)
    count = max(1, sum(length <= _LISTED_CHARACTERS for length in lengths))
    listed = ", ".join(shown[:count]) or "none"
    if len(names) > count:
        alike = [name_shown(name) for name in difflib.get_close_matches(wanted, names[count:], 3)]
        listed += f" and {len(names) - count:,} more" + (f", such as {', '.join(alike)}" if alike else "")
    for name in names:
        if unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", wanted):
            listed += f" ({name!a} is spelled with other code points than {wanted!a})"
    outer = wanted.partition(".")[0]
    if outer != wanted and outer in names:
        listed += f" (what column {outer} contains is not read: write {wanted} as a column of its own)"
    return MissingColumnError(f"{where}: no {what}: it has {listed}", field)


def twice(where: str, column: str) -> MisconfiguredError:
    """Returns the error for an ambiguous column."""
    return MisconfiguredError(f"{where}: two columns have the name {column}: write the file again with distinct names")


def wrong_length(at: str, column: str, length: int, expected: int) -> MisconfiguredError:
    """Returns the error for a vector of another length."""
    return MisconfiguredError(
        f"{at}: {column} holds a vector of length {length} where {expected} is expected: "
        "embed all documents with one model"
    )


def changed(where: str, how: str) -> UnavailableError:
    """Returns the error for a source that has changed since it was opened.

    Args:
        where: What changed, such as a file.
        how: The change, such as `it was rewritten`.
    """
    return UnavailableError(f"{where}: changed while it was read: {how}: run again, and change it only between runs")


def damaged(where: str, reason: str) -> MisconfiguredError:
    """Returns the error for a damaged file."""
    return MisconfiguredError(f"{where}: damaged or unreadable: {reason}: write the file again")


def gone(where: str) -> UnavailableError:
    """Returns the error for a part of a source that was removed after the source was opened."""
    return UnavailableError(f"{where}: removed while it was read: run again, and change it only between runs")
