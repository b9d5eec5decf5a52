"""Tests that each step of a tour names a file that exists and contains what the tour mentions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "contributing" / "architecture.md"
TOURS = re.findall(r"^## Tour \d: (.+?)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
_STEP = re.compile(r"^(\d+)\. \[\S+\]\((\S+\.py)\),\s+((?:`\w+`(?:,\s+)?)+):\s+\S", re.MULTILINE)
STEPS = [(title, number, path, names) for title, text in TOURS for number, path, names in _STEP.findall(text)]


def test_there_are_three_tours_whose_steps_are_counted() -> None:
    assert len(TOURS) == 3
    for title, text in TOURS:
        numbers = [int(number) for number in re.findall(r"^(\d+)\. ", text, re.MULTILINE)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert numbers == [int(number) for other, number, _, _ in STEPS if other == title], "a step has another form"


@pytest.mark.parametrize(("tour", "number", "path", "names"), STEPS)
def test_what_a_step_names_is_defined_there(tour: str, number: str, path: str, names: str) -> None:
    source = (PAGE.parent / path).read_text()
    missing = [name for name in re.findall(r"`(\w+)`", names) if not re.search(rf"\b(def|class) {name}\b", source)]

    assert missing == []


def test_steps_refer_to_steps_that_there_are() -> None:
    longest = max(int(number) for _, number, _, _ in STEPS)

    assert all(1 <= int(number) <= longest for number in re.findall(r"\bstep (\d+)", PAGE.read_text()))
