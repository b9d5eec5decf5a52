"""Versions of Kubernetes, as people write them: 1.37, v1.37.2."""

import re
from typing import NamedTuple

from harness.cluster.errors import ClusterError

_VERSION = re.compile(r"v?(?P<major>\d+)\.(?P<minor>\d+)(?:\.(?P<patch>\d+))?(?:[-+].*)?")


class Version(NamedTuple):
    """A version; without a patch it stands for every patch of its minor version."""

    major: int
    minor: int
    patch: int | None = None

    def __str__(self) -> str:
        """Write it without the v."""
        return ".".join(str(part) for part in self if part is not None)

    def covers(self, other: "Version") -> bool:
        """Tell whether OTHER is what this version means."""
        return self[:2] == other[:2] and self.patch in (None, other.patch)


def parse_version(text: str, where: str) -> Version:
    """Read a version.

    Args:
        text: For instance 1.37, v1.37.2, v1.30.1-eks-1234.
        where: Where it was written, for the error message.

    Raises:
        ClusterError: it is not a version.
    """
    match = _VERSION.fullmatch(text.strip())
    if match is None:
        raise ClusterError(f"{where} is '{text}', which is not a version: write it as 1.37 or v1.37.2")
    patch = match["patch"]
    return Version(int(match["major"]), int(match["minor"]), None if patch is None else int(patch))
