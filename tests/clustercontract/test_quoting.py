"""Tests that YAML reads quoted texts as they were."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from clustercontract.quoting import quoted
from clustertrigger.cli import kubectl_yaml


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("é 😀", '"é 😀"'),
        ('a"b\\', '"a\\"b\\\\"'),
        ("a\nb\0\u202e\x85", '"a\\nb\\0\\u202e\\x85"'),
        ("\U000e0020", '"\\U000e0020"'),
        ("", '""'),
    ],
)
def test_quotes(text: str, expected: str) -> None:
    assert quoted(text) == expected


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_yaml_reads_it(text: str) -> None:
    assert yaml.safe_load(quoted(text)) == text
    assert list(kubectl_yaml.documents(f"a: {quoted(text)}")) == [(0, {"a": text})]
    assert quoted(text).isprintable()
