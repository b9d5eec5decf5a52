"""Computes fingerprints of the sources of an image: twelve hexadecimal digits, for its tag and for the keys of caches.

Because the tag identifies the content, a cluster never runs an outdated image, and unchanged sources are not built
twice.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

DIGITS = 12
# These are not part of the build context, as in .dockerignore.
IGNORED_DIRECTORIES = frozenset({"__pycache__"})
IGNORED_SUFFIXES = frozenset({".pyc"})


def of_text(*parts: str) -> str:
    """Return the fingerprint of strings, which also depends on the boundaries between them."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:DIGITS]


def of_paths(root: Path, paths: Iterable[str]) -> str:
    """Return the fingerprint of files and directories below ROOT: of names and content, not of times and owners.

    Raises:
        FileNotFoundError: one of PATHS does not exist.
    """
    digest = hashlib.sha256()
    for file in files(root, paths):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(root)}\0{content}\n".encode())
    return digest.hexdigest()[:DIGITS]


def files(root: Path, paths: Iterable[str]) -> list[Path]:
    """Return the sorted files of the build context among PATHS, which are files and directories below ROOT.

    Raises:
        FileNotFoundError: one of PATHS does not exist.
    """
    found: set[Path] = set()
    for path in paths:
        start = root / path
        if not start.exists():
            raise FileNotFoundError(f"the Dockerfile copies {path}, which is not in the checkout")
        found.update(file for file in [start, *start.rglob("*")] if file.is_file() and not _ignored(file))
    return sorted(found)


def _ignored(file: Path) -> bool:
    return file.suffix in IGNORED_SUFFIXES or not IGNORED_DIRECTORIES.isdisjoint(file.parts)
