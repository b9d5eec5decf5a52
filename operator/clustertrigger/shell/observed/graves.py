"""Objects that are gone: an answer, a list or a watch may show one later than its end was told."""

from __future__ import annotations

from collections import OrderedDict

_LATELY = 4_096
"""Deletions of the last seconds, even where hundreds happen in each."""


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
        """Nothing is known to be gone any more."""
        self._uids.clear()
