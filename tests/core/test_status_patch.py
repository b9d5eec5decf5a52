"""Tests of the patch between two statuses: applied to the first, it yields the second."""

from __future__ import annotations

from typing import Any

import pytest

from clustertrigger.api.status import ClusterTriggerStatus
from clustertrigger.core.status_patch import status_patch
from harness.control_plane.merge_patch import merge_patch

MEASURED = {"metric": "cosine_drift", "value": 0.1, "obstacle": "baseline_missing", "detail": {"a": 1, "b": [1]}}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"execution_count": 1}),
        ({"last_execution_error": "late"}, {"execution_count": 1}),
        ({"last_drift_measurement": MEASURED}, {"last_drift_measurement": {"metric": "mmd_rbf", "value": 0.2}}),
        ({"last_drift_measurement": MEASURED}, {"last_drift_measurement": {"detail": {"b": []}}}),
        ({"last_drift_measurement": MEASURED}, {}),
        ({}, {"last_drift_measurement": MEASURED}),
        ({"history": []}, {"last_drift_measurement": {"detail": {"a": {"b": 1}}}}),
    ],
)
def test_the_patch_leads_from_one_to_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    wanted = ClusterTriggerStatus.read(after)
    patched = merge_patch(before, status_patch(before, wanted))
    assert patched == wanted.as_json()
    assert status_patch(patched, wanted) == {}


def test_fields_of_a_newer_operator_are_kept() -> None:
    before = {"newer": 1, **ClusterTriggerStatus().as_json()}
    assert status_patch(before, ClusterTriggerStatus()) == {}
