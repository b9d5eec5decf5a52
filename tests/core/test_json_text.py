"""Tests that any JSON that an API server can store is read and written."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from clustertrigger.core.json_text import read_deep_objects, read_json, write_json


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


VALUES: list[Any] = [
    {},
    {
        "text": 'größer 漢字 🦔 "quoted" \\ \n \u0000',
        "numbers": [0, -1, 2.5, 1e300, 2**70],
        "rest": [True, False, None],
    },
    {"half a pair": "\ud83e"},
    nested(199),
    nested(201),
    nested(900),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: json.dumps(value)[:20])
def test_written_json_is_read_back_unchanged(value: Any) -> None:
    assert read_json(write_json(value)) == value
    assert read_json(json.dumps(value).encode()) == value
    assert json.loads(write_json(value)) == value


def test_the_deepest_json_of_an_api_server_is_read() -> None:
    limit = sys.getrecursionlimit()
    read_deep_objects()
    try:
        assert list(read_json(b'{"a":' * 9_999 + b"{}" + b"}" * 9_999)) == ["a"]
    finally:
        sys.setrecursionlimit(limit)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"nothing", b"\xff", b"{} {}", b"<html>", b"[" * 100_000], ids=lambda text: text[:9]
)
def test_invalid_json_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_json(text)
