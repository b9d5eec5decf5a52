"""Tests that the table of each folder lists all stories, faults and scenarios."""

from __future__ import annotations

import re

import pytest

from harness.cluster.files import REPOSITORY


@pytest.mark.parametrize("folder", ["e2e/stories", "e2e/chaos", "tests/scenarios"])
def test_every_file_of_tests_is_in_the_table_once(folder: str) -> None:
    place = REPOSITORY / folder
    rows = re.findall(
        r"^\| (`test_\S+`(?:, `test_\S+`)*) \| [^|\n]{20,} \|", (place / "README.md").read_text(), re.MULTILINE
    )
    listed = [name for row in rows for name in re.findall(r"`(test_\w+\.py)`", row)]
    assert sorted(listed) == sorted(path.name for path in place.glob("test_*.py"))
