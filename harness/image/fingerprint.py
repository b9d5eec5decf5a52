"""What an image is made of, as twelve hexadecimal digits: its tag, and the key of every cache.

A tag that names the content means one thing only: a cluster never runs a stale image, and unchanged sources are never
built twice.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

DIGITS = 12
# As in .dockerignore: what the build's context leaves out.
IGNORED_DIRECTORIES = frozenset({"__pycache__"})
IGNORED_SUFFIXES = frozenset({".pyc"})


def of_text(*parts: str) -> str:
    """Return the fingerprint of some strings, their boundaries included."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:DIGITS]


def of_paths(root: Path, paths: Iterable[str]) -> str:
    """Return the fingerprint of files and directories below ROOT: names and content, no times and no owners.

    Raises:
        FileNotFoundError: one of PATHS does not exist.
    """
    digest = hashlib.sha256()
    for file in files(root, paths):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(root)}\0{content}\n".encode())
    return digest.hexdigest()[:DIGITS]


def files(root: Path, paths: Iterable[str]) -> list[Path]:
    """Return the files that PATHS, files and directories below ROOT, stand for in a build's context, sorted.

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
