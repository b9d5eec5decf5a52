"""Recognizes outdated responses, lists and watch events: an older version of an object, or one that was deleted."""

from __future__ import annotations

from collections import OrderedDict

_LATELY = 4_096
"""Maximum number of deletions to remember; enough for hundreds per second over the last seconds."""


def is_newer(version: str, than: str) -> bool:
    """Returns whether a resource version is later.

    Kubernetes lets clients compare them as numbers (KEP-5504). A version that is not a number counts as later than any
    other.
    """
    if version.isdigit() and than.isdigit():
        return int(version) > int(than)
    return version != than


def number_of(version: str) -> int:
    """Returns a resource version as a number; 0 if it is not a number."""
    return int(version) if version.isdigit() else 0


class Tombstones:
    """The uids of recently deleted objects."""

    def __init__(self) -> None:
        self._uids: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, uid: str) -> bool:
        return uid in self._uids

    def __len__(self) -> int:
        return len(self._uids)

    def add(self, uid: str) -> None:
        """Records that an object was deleted. Its uid is never reused."""
        self._uids[uid] = None
        if len(self._uids) > _LATELY:
            self._uids.popitem(last=False)

    def clear(self) -> None:
        """Drops all records of deleted objects."""
        self._uids.clear()
