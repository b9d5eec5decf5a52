"""Tests that files, headings and design records that pages and docstrings refer to exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDERS = (
    "bench",
    "charts",
    "codegen",
    "crds",
    "docs",
    "e2e",
    "examples",
    "harness",
    "operator",
    "plugin",
    "release",
    "requirements",
    "schemas",
    "tests",
)
"""Where a path in backticks or in a docstring begins."""
PAGES = sorted(
    [
        *REPOSITORY.glob("*.md"),
        *(REPOSITORY / ".github").rglob("*.md"),
        *(page for folder in FOLDERS for page in (REPOSITORY / folder).rglob("*.md")),
    ]
)
CODE = sorted(
    [
        *(REPOSITORY / name for name in ("Dockerfile", "Makefile", "pyproject.toml")),
        *(
            file
            for folder in FOLDERS
            for kind in ("*.py", "*.yaml", "*.tpl")
            for file in (REPOSITORY / folder).rglob(kind)
        ),
    ]
)
_LINK = re.compile(r"(?:\]\(|(?:src|href)=\")([^)\s\"]+)")
_PATH = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[\w./*{{}},-]*)`")
_CITED = re.compile(r"(?<![\w/.-])((?:docs|operator|tests|bench)/[\w/.-]+\.(?:md|py))(?:#([\w-]+))?")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def named(file: Path) -> str:
    return str(file.relative_to(REPOSITORY))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_what_a_page_links_to_exists(page: Path) -> None:
    assert [link for link in links(page) if not leads_somewhere(page, link)] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_what_a_page_names_in_backticks_exists(page: Path) -> None:
    placeholder = re.compile(r"[{]|/[A-Z]+\b(?!\.md)")
    named_paths = [path for path in _PATH.findall(page.read_text()) if not placeholder.search(path)]

    assert [path for path in named_paths if not any(REPOSITORY.glob(path.rstrip("/")))] == []


def test_what_code_cites_exists() -> None:
    missing = {
        f"{named(file)}: {path}{anchor and '#' + anchor}"
        for file in CODE
        if file != Path(__file__)
        for path, anchor in _CITED.findall(file.read_text())
        if not is_there(REPOSITORY / path, anchor)
    }

    assert missing == set()


def test_designs_are_cited_by_their_records() -> None:
    """A reference such as "design, section 5" must name a record, not a page outside of the repository."""
    vague = re.compile(r"\bdesign\s*§")

    assert [named(file) for file in (*PAGES, *CODE) if file != Path(__file__) and vague.search(file.read_text())] == []


def links(page: Path) -> Iterator[str]:
    """Links of a page to files of the repository, except in code blocks."""
    for link in _LINK.findall(re.sub(r"`[^`\n]*`", "", _FENCE.sub("", page.read_text()))):
        if not re.match(r"[a-z]+:", link):
            yield link


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    return is_there((page.parent / path).resolve() if path else page, anchor)


def is_there(file: Path, anchor: str) -> bool:
    if not file.exists():
        return False
    return not anchor or file.suffix != ".md" or anchor in anchors(file)


@cache
def anchors(page: Path) -> frozenset[str]:
    """Returns the anchor of a heading on GitHub: without punctuation, hyphens for spaces, repetitions numbered."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#{1,6} +(.+?) *$", _FENCE.sub("", page.read_text()), re.MULTILINE):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        count = found[slug] = found.get(slug, -1) + 1
        if count:
            found[f"{slug}-{count}"] = 0
    return frozenset(found)
