"""Tests of folded and shortened texts."""

from __future__ import annotations

import pytest

from clusterworker.process.text import one_line, shortened


def test_white_space_is_folded() -> None:
    assert one_line(OSError(" no\n  such\tfile ")) == "no such file"


@pytest.mark.parametrize(("characters", "expected"), [(4, "word"), (3, "wo…"), (1, "…"), (0, "")])
def test_the_rest_is_an_ellipsis(characters: int, expected: str) -> None:
    assert shortened("word", characters) == expected
