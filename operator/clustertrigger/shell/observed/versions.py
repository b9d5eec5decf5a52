"""Resource versions, which Kubernetes lets clients compare as numbers (KEP-5504)."""

from __future__ import annotations


def is_newer(version: str, than: str) -> bool:
    """Whether a resource version is later. One that is no number is taken for later than any other but itself."""
    if version.isdigit() and than.isdigit():
        return int(version) > int(than)
    return version != than


def number_of(version: str) -> int:
    """A resource version as a number; 0 where it is none."""
    return int(version) if version.isdigit() else 0
