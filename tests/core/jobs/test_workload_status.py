"""Tests of the changes of a Workload's status, as Kueue's own integration of Jobs makes them."""

from __future__ import annotations

from typing import Any

import pytest

from clustertrigger.core.jobs.workload_status import finished, pods_ready, released
from harness.control_plane.merge_patch import merge_patch
from tests.core.builders import at

Object = dict[str, Any]
EARLIER, NOW = "2026-03-02T12:00:00Z", "2026-03-02T13:00:00Z"


def workload(reason: str = "Preempted", **holds: bool) -> Object:
    """A Workload with quota."""
    conditions = [
        {"type": kind, "status": str(value), "reason": reason, "message": "why", "lastTransitionTime": EARLIER}
        for kind, value in holds.items()
    ]
    metadata = {"resourceVersion": "7", "generation": 2}
    return {"metadata": metadata, "status": {"conditions": conditions, "admission": {"clusterQueue": "a"}}}


def after(before: Object, patch: Object) -> dict[str, tuple[str, str, str]]:
    """Status, reason and time of each condition after a change."""
    assert patch["metadata"] == {"resourceVersion": "7"}, "another change in between is a conflict"
    conditions = merge_patch(before, patch)["status"]["conditions"]
    return {one["type"]: (one["status"], one["reason"], one["lastTransitionTime"]) for one in conditions}


@pytest.mark.parametrize(
    ("reason", "requeued"),
    [
        ("Preempted", "True"),
        ("NodeFailures", "True"),
        ("Deactivated", "False"),
        ("ClusterQueueStopped", "False"),
        ("PodsReadyTimeout", "False"),
        ("AdmissionCheck", "False"),
    ],
)
def test_an_evicted_workload_returns_its_quota(reason: str, requeued: str) -> None:
    before = workload(reason, QuotaReserved=True, Admitted=True, Evicted=True, PodsReady=True)
    patch = released(before, at(hours=1))
    assert "admission" not in merge_patch(before, patch)["status"]
    assert after(before, patch) == {
        "QuotaReserved": ("False", "Pending", NOW),
        "Admitted": ("False", "NoReservation", NOW),
        "Evicted": ("True", reason, EARLIER),
        "PodsReady": ("False", "WaitForStart", NOW),
        "Requeued": (requeued, reason, NOW),
    }


def test_a_workload_that_never_started_has_no_other_conditions() -> None:
    before = workload(QuotaReserved=True, Evicted=True, Requeued=True)
    found = after(before, released(before, at(hours=1)))
    assert set(found) == {"QuotaReserved", "Evicted", "Requeued"}
    assert found["Requeued"] == ("True", "Preempted", EARLIER), "it has not changed"


@pytest.mark.parametrize(("completed", "reason"), [(True, "Succeeded"), (False, "Failed")])
def test_the_end_of_a_job(completed: bool, reason: str) -> None:
    before = workload(QuotaReserved=True)
    patch = finished(before, at(hours=1), completed=completed, message="m")
    assert after(before, patch)["Finished"] == ("True", reason, NOW)
    assert after(before, patch)["QuotaReserved"] == ("True", "Preempted", EARLIER)
    (condition,) = (one for one in patch["status"]["conditions"] if one["type"] == "Finished")
    assert (condition["message"], condition["observedGeneration"]) == ("m", 2)


def test_a_running_pod() -> None:
    before = workload(QuotaReserved=True, PodsReady=False)
    assert after(before, pods_ready(before, at(hours=1)))["PodsReady"] == ("True", "Started", NOW)
