"""Tests that the operator skips an object that it cannot read, and continues with all others."""

from __future__ import annotations

import logging

import pytest

from clustertrigger.shell.kube.reading import read_or_skip


def test_an_unreadable_object_is_skipped_and_named(caplog: pytest.LogCaptureFixture) -> None:
    def read(raw: object) -> None:
        raise ArithmeticError("too large")

    with caplog.at_level(logging.ERROR):
        assert read_or_skip(read, {"kind": "Job", "metadata": {"namespace": "search", "name": "odd"}}) is None
    assert "Job search/odd cannot be read" in caplog.text
    assert "too large" in caplog.text
    assert read_or_skip(len, {"a": 1}) == 1
