"""Tests of numbers with their nouns."""

from __future__ import annotations

import pytest

from clustercontract.counted import counted


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 triggers"), (1, "1 trigger"), (2, "2 triggers"), (10_000, "10,000 triggers")]
)
def test_counted(number: int, words: str) -> None:
    assert counted(number, "trigger") == words
