"""Tests of texts of other programs in the operator's messages."""

from __future__ import annotations

import pytest

from clustertrigger.core.text import cut, one_line, reason


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("as it is", "as it is"),
        ("  two\n\n lines\t", "two lines"),
        ("", ""),
        (ValueError("an\nerror"), "an error"),
    ],
)
def test_one_line(text: object, line: str) -> None:
    assert one_line(text) == line


@pytest.mark.parametrize(("text", "shown"), [("", ""), ("seven..", "seven.."), ("eight...", "eight.…")])
def test_shortened_texts_are_marked_and_within_the_limit(text: str, shown: str) -> None:
    assert cut(text, 7) == shown


def test_an_error_without_a_message_is_named_by_its_type() -> None:
    assert reason(OSError("no route\nto host")) == "no route to host"
    assert reason(TimeoutError()) == "TimeoutError"
