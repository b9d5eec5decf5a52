"""Tests of which word is meant by a misspelt one."""

from __future__ import annotations

import pytest

from clustertrigger.core.spelling import edits, nearest

FIELDS = ("trigger_type", "history_limit", "timeout_seconds", "collection_id", "pod_labels")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("triger_type", "trigger_type"),
        ("triggerType", "trigger_type"),
        ("trigger-tpye", "trigger_type"),
        ("trigger_name", None),
        ("retry_limit", None),
        ("timeout", "timeout_seconds"),
        ("labels", "pod_labels"),
        ("label", "pod_labels"),
        ("collection_ids", "collection_id"),
        ("", None),
    ],
)
def test_a_slip_is_forgiven_and_another_word_is_not(written: str, meant: str | None) -> None:
    """trigger_name led to trigger_type, and retry_limit to history_limit."""
    assert nearest(written, FIELDS) == meant


@pytest.mark.parametrize(
    ("one", "other", "number"),
    [("", "", 0), ("", "abc", 3), ("abc", "abc", 0), ("abc", "ab", 1), ("abc", "axc", 1), ("abc", "acb", 1),
     ("name", "type", 3), ("ca", "abc", 3)],
)  # fmt: skip
def test_edits(one: str, other: str, number: int) -> None:
    assert edits(one, other) == edits(other, one) == number
