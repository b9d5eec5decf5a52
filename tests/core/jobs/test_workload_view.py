"""Tests of how a Workload of Kueue is read."""

from __future__ import annotations

from typing import Any

import pytest

from clustertrigger.core.jobs.workload_view import WorkloadView, is_workload_of, read_workload
from tests.core.jobs.raw import condition
from tests.core.jobs.test_admission import ADMITTED, EVICTED, FINISHED, PENDING, RESERVED, STARTED, WITHOUT_QUOTA


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([], PENDING),
        ([condition("QuotaReserved")], RESERVED),
        ([condition("QuotaReserved"), condition("Admitted"), condition("Evicted", False)], ADMITTED),
        ([condition("QuotaReserved"), condition("Admitted"), condition("PodsReady")], STARTED),
        ([condition("QuotaReserved"), condition("Admitted"), condition("Evicted")], EVICTED),
        ([condition("QuotaReserved", False), condition("Admitted", False), condition("Evicted")], WITHOUT_QUOTA),
        ([condition("QuotaReserved"), condition("Admitted"), condition("Finished")], FINISHED),
    ],
)
def test_reading_a_workload(conditions: list[dict[str, Any]], expected: WorkloadView) -> None:
    assert read_workload({"metadata": {}, "status": {"conditions": conditions}}) == expected


def test_a_workload_that_kueue_has_not_seen() -> None:
    assert read_workload({"metadata": {"deletionTimestamp": "t"}}) == WorkloadView(deleting=True)


@pytest.mark.parametrize(
    ("pod_sets", "expected"), [(["driver", "executors"], False), (["executors", "driver"], False), (["main"], True)]
)
def test_kueue_rewrites_the_workload_of_a_job_that_it_manages(pod_sets: list[str], expected: bool) -> None:
    raw = {"metadata": {}, "spec": {"podSets": [{"name": name} for name in pod_sets]}}
    assert read_workload(raw).rewritten is expected


@pytest.mark.parametrize(
    ("owners", "expected"), [([], False), ([{"uid": "earlier"}], False), ([{"uid": "other"}, {"uid": "u"}], True)]
)
def test_a_workload_belongs_to_a_job_by_its_uid(owners: list[dict[str, Any]], expected: bool) -> None:
    assert is_workload_of({"metadata": {"ownerReferences": owners}}, "u") is expected
    assert not is_workload_of({"metadata": {}}, "u")
