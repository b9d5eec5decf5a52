"""Determines whether a file is still the one that was opened before."""

import os
from collections.abc import Hashable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Identity:
    """Values that change when a file's content does.

    Attributes:
        size: Size in bytes.
        version: Value that changes with the content: a time of modification, an entity tag, a generation.
        serials: Numbers of files with equal version, of which one must be equal. Network file systems can give a file
            another inode number at any time, and a change of its mode alters its ctime; a replaced file differs in
            both.
    """

    size: int
    version: Hashable
    serials: tuple[int, ...] = ()

    def is_same(self, other: "Identity") -> bool:
        """Returns whether both belong to one file with one content."""
        if (self.size, self.version) != (other.size, other.version):
            return False
        return self.serials == other.serials or any(
            own == others for own, others in zip(self.serials, other.serials, strict=True)
        )

    def may_have_changed(self, other: "Identity") -> bool:
        """Returns whether an error can be caused by a change: there is another version, or one inode has another ctime.

        A ctime alone also differs after a change of mode. An inode number alone can differ on network volumes.
        """
        return not self.is_same(other) or (self.serials[:1] == other.serials[:1] and self.serials != other.serials)


def of_status(status: os.stat_result) -> Identity:
    """Returns the identity of a file on a volume."""
    return Identity(status.st_size, status.st_mtime_ns, (status.st_ino, status.st_ctime_ns))


def of_object(size: int, metadata: Mapping[str, bytes]) -> Identity:
    """Returns the identity of an object in a bucket.

    It is the generation (GCS), or else the entity tag, or else the time of modification.

    Args:
        size: Size in bytes.
        metadata: Metadata with pyarrow's names.
    """
    for key in ("generation", "ETag", "etag", "Last-Modified", "updated"):
        if metadata.get(key):
            return Identity(size, (key, bytes(metadata[key])))
    return Identity(size, None)
