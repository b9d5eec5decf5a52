"""Tests that the design records have one form, and that their index contains each of them once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DESIGN = Path(__file__).resolve().parents[2] / "docs" / "design"
RECORDS = sorted(page for page in DESIGN.glob("*.md") if page.name != "README.md")
HEADINGS = ["Context", "Decision", "Consequences", "Figures", "Where to look"]


def test_the_index_names_each_record_once() -> None:
    rows = re.findall(r"^\| \[(\S+\.md)\]\((\S+\.md)\) \| .+\? \|$", (DESIGN / "README.md").read_text(), re.MULTILINE)

    assert all(title == link for title, link in rows)
    assert sorted(link for _, link in rows) == [record.name for record in RECORDS]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_a_record_is_short_and_has_its_parts(record: Path) -> None:
    text = record.read_text()

    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert len(text.splitlines()) <= 70, "a record is read in a minute: move what explains the code to the code"
    assert re.search(r"\]\(\.\./\.\./\w", text.partition("## Where to look")[2]), "name a file to look at"


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_figures_name_their_source(record: Path) -> None:
    figures = record.read_text().partition("## Figures")[2].partition("## ")[0].strip()

    assert re.match(r"None\b", figures) or "](" in figures or "`make " in figures or "message of commit" in figures
