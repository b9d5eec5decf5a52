"""How to tell that a file is still the one that was seen before."""

import os
from collections.abc import Hashable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Identity:
    """What changes when a file's content does.

    Attributes:
        size: bytes.
        version: changes with the content: a time of modification, an entity tag, a generation.
        serials: of files with equal version; one equal one is enough. Network file systems may give a file another
            inode number at any time, and a change of its mode alters its ctime: a replaced file differs in both.
    """

    size: int
    version: Hashable
    serials: tuple[int, ...] = ()

    def is_same(self, other: "Identity") -> bool:
        """Whether both are of one file with one content."""
        if (self.size, self.version) != (other.size, other.version):
            return False
        return self.serials == other.serials or any(
            mine == theirs for mine, theirs in zip(self.serials, other.serials, strict=True)
        )


def of_status(status: os.stat_result) -> Identity:
    """Identity of a file on a volume."""
    return Identity(status.st_size, status.st_mtime_ns, (status.st_ino, status.st_ctime_ns))


def of_object(size: int, metadata: Mapping[str, bytes]) -> Identity:
    """Identity of an object in a bucket: its generation (GCS), else its entity tag, else when it was written.

    Args:
        size: bytes.
        metadata: as pyarrow names them.
    """
    for key in ("generation", "ETag", "etag", "Last-Modified", "updated"):
        if metadata.get(key):
            return Identity(size, (key, bytes(metadata[key])))
    return Identity(size, None)
