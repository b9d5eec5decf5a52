"""What an answer, a list or a watch shows too late: an older version of an object, or one that is gone."""

from __future__ import annotations

from collections import OrderedDict

_LATELY = 4_096
"""Deletions of the last seconds, even where hundreds happen in each."""


def is_newer(version: str, than: str) -> bool:
    """Whether a resource version is later; Kubernetes lets clients compare them as numbers (KEP-5504).

    A version that is not a number counts as later than any other.
    """
    if version.isdigit() and than.isdigit():
        return int(version) > int(than)
    return version != than


def number_of(version: str) -> int:
    """Returns a resource version as a number; 0 if it is not a number."""
    return int(version) if version.isdigit() else 0


class Graves:
    """The uids of what was deleted lately."""

    def __init__(self) -> None:
        self._uids: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, uid: str) -> bool:
        return uid in self._uids

    def __len__(self) -> int:
        return len(self._uids)

    def bury(self, uid: str) -> None:
        """An object is gone for good, for a uid is never given twice."""
        self._uids[uid] = None
        if len(self._uids) > _LATELY:
            self._uids.popitem(last=False)

    def clear(self) -> None:
        """Drops all records of deleted objects."""
        self._uids.clear()
