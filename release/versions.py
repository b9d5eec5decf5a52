"""The version, which several files name, and its section of the changelog."""

from __future__ import annotations

import re
from pathlib import Path

NAMED_IN = {
    "pyproject.toml": r'^version = "(.+)"$',
    "operator/clustertrigger/__init__.py": r'^__version__ = "(.+)"$',
    "charts/clustertrigger/Chart.yaml": r"^version: (.+)$",
    "Dockerfile": r'^LABEL org\.opencontainers\.image\.version="(.+?)"',
}
"""Files that name the version, and how."""


class ReleaseError(Exception):
    """This checkout is not a release; the message says why, and what to do."""


def version_of(root: Path, tag: str = "") -> str:
    """Return the version that all files name.

    Args:
        root: The checkout.
        tag: The tag that the release is made from, for instance v0.1.0; empty: none is compared.

    Raises:
        ReleaseError: the files disagree, or the tag does.
    """
    found = {}
    for file, pattern in NAMED_IN.items():
        matches = re.findall(pattern, (root / file).read_text(), re.MULTILINE)
        if len(matches) != 1:
            raise ReleaseError(f"{file} names no version, or several: one line must match {pattern}")
        found[file] = matches[0]
    if len(set(found.values())) != 1:
        named = ", ".join(f"{version} in {file}" for file, version in found.items())
        raise ReleaseError(f"the version is not the same everywhere: {named}")
    version = str(found["pyproject.toml"])
    if tag and tag != f"v{version}":
        raise ReleaseError(f"the tag is '{tag}' and the version {version}: tag it v{version}, or set the version")
    return version


def notes_of(changelog: str, version: str, *, final: bool) -> str:
    """Return the changelog's section of a version.

    Args:
        changelog: CHANGELOG.md.
        version: Without the v.
        final: Whether the section must have a date.

    Raises:
        ReleaseError: there is no such section, it is empty, or it has no date and is final.
    """
    sections = re.findall(r"^## (\S+) - (.+?)\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    found = [(date, text.strip()) for name, date, text in sections if name == version]
    if len(found) != 1 or not found[0][1]:
        raise ReleaseError(f"CHANGELOG.md has no section '## {version} - DATE' with text in it: write one")
    date, text = found[0]
    if final and not re.fullmatch(r"\d{4}-\d\d-\d\d", date):
        raise ReleaseError(f"CHANGELOG.md says '{version} - {date}': write the day of the release there, as 2026-11-28")
    return f"{text}\n"
