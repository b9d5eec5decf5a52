"""Tests that kubectl reads the text in written YAML as text."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from clustertrigger.cli.kubectl_yaml import documents
from clustertrigger.core.yaml_text import write_yaml

TEXTS = [
    "y", "N", "yes", "off", "1e3", "4e10", "08", "010", "0o17", "0b11", "0x1F", "1_000", ".5", "._5", "+1", "-1", "+_1",
    "1:30", "2026-01-01", "null", "~", "", "3600.0", "1.2.3", "* * * * *", "@daily", "2Gi", "trg_0123", "<<", "=",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_text_stays_text(text: str) -> None:
    value = {"labels": {text: text}, "list": [text]}
    ((_, found),) = documents(write_yaml(value))
    assert found == value
    assert yaml.safe_load(write_yaml(value)) == value


@given(st.from_regex(r"[-+._0-9eExXoObByYnN:]{1,10}", fullmatch=True))
def test_any_text_like_a_number_stays_text(text: str) -> None:
    ((_, found),) = documents(write_yaml({"v": text}))
    assert found == {"v": text}


@pytest.mark.parametrize("text", ["nightly", "0 2 * * *", "Europe/Berlin", "500m", "2Gi", "products-7f3a"])
def test_other_text_has_no_quotes(text: str) -> None:
    assert write_yaml({"v": text}) == f"v: {text}\n"
