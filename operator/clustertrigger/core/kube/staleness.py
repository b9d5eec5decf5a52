"""Recognizes outdated responses, lists and watch events: an older version of an object, or one that was deleted."""

from __future__ import annotations

from collections import OrderedDict

_LONGEST = 30
"""Maximum number of digits of a version; those of etcd have 19."""
_LATELY = 4_096
"""Maximum number of deletions to remember; enough for hundreds per second over the last seconds."""


def is_newer(version: str, than: str) -> bool:
    """Returns whether a resource version is later.

    Kubernetes lets clients compare them as numbers (KEP-5504). A version that is not a number counts as later than any
    other.
    """
    if _is_number(version) and _is_number(than):
        return int(version) > int(than)
    return version != than


def number_of(version: str) -> int:
    """Returns a resource version as a number; 0 if it is not a number."""
    return int(version) if _is_number(version) else 0


def _is_number(version: str) -> bool:
    # Python does not read any number of digits, nor all digits.
    return version.isascii() and version.isdigit() and len(version) <= _LONGEST


class Tombstones:
    """The uids of recently deleted objects, each with the version as of which the object no longer existed."""

    def __init__(self) -> None:
        self._versions: OrderedDict[str, str | None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._versions)

    def add(self, uid: str, version: str | None) -> None:
        """Records that an object was deleted.

        Args:
            uid: Uid of the object.
            version: Resource version as of which it no longer existed; None if unknown.
        """
        self._versions[uid] = version
        if len(self._versions) > _LATELY:
            self._versions.popitem(last=False)

    def cover(self, uid: str, version: str) -> bool:
        """Returns whether an object was deleted after it had this version.

        A uid is never reused, so a later version shows that the object exists: a watch reports an object as deleted
        when it no longer matches the selector, and an outdated list lacks it.
        """
        if uid not in self._versions:
            return False
        gone_as_of = self._versions[uid]
        return gone_as_of is None or not is_newer(version, gone_as_of)

    def contradict(self, uid: str, version: str, as_of: str) -> bool:
        """Returns whether a list contains an object that was deleted before, which only a restore can cause.

        Args:
            uid: Uid of the object.
            version: Its resource version in the list.
            as_of: Resource version of the list.
        """
        gone_as_of = self._versions.get(uid)
        return gone_as_of is not None and self.cover(uid, version) and not is_newer(gone_as_of, as_of)

    def revive(self, uid: str, as_of: str) -> bool:
        """Returns whether an object exists that a list contains: it was not deleted, or only before the list.

        Args:
            uid: Uid of the object.
            as_of: Resource version of the list.
        """
        if uid in self._versions:
            gone_as_of = self._versions[uid]
            if gone_as_of is None or is_newer(gone_as_of, as_of):
                return False
            del self._versions[uid]
        return True

    def drop_undated(self) -> None:
        """Drops the records of objects that were deleted as of an unknown version."""
        for uid in [uid for uid, version in self._versions.items() if version is None]:
            del self._versions[uid]

    def clear(self) -> None:
        """Drops all records of deleted objects."""
        self._versions.clear()
