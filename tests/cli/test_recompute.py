"""Tests of the comparison of recomputed numbers with the stored ones."""

from __future__ import annotations

from typing import Any

import pytest

from clustercontract.check import CheckResult
from clustertrigger.cli.recompute import compare, differences
from harness.control_plane.checks import found
from harness.control_plane.kube import Object


@pytest.mark.parametrize(
    ("changes", "different", "last_line"),
    [
        ({}, [], "every number agrees to 1e-6"),
        ({"value": 0.084 + 9e-7}, [], "every number agrees to 1e-6"),
        ({"value": 0.084 + 2e-6}, ["value"],
         "1 number differs by more than 1e-6: has the collection changed since the check?"),
        ({"p_value": 0.01}, ["p_value"],
         "1 number differs by more than 1e-6: has the collection changed since the check?"),
        ({"value": 0.5, "current_documents": 3001}, ["value", "current_documents"],
         "the collection has changed since the check: its numbers cannot be the same"),
    ],
)  # fmt: skip
def test_comparing_numbers(changes: dict[str, Any], different: list[str], last_line: str) -> None:
    stored = measurement(found(0.084))
    again = found(0.084).measurement
    assert again is not None
    again = again.model_copy(update=changes)
    assert differences(stored, again) == different
    assert list(compare(stored, again))[-1] == last_line


def measurement(result: CheckResult) -> Object:
    """A measurement as in a status."""
    assert result.measurement is not None
    return result.measurement.model_dump(mode="json", exclude_none=True)
