"""Tests of what the demo reads from a trigger's status."""

from datetime import UTC, datetime
from typing import Any

import pytest

from harness.demo.awaited import Awaited, Run

EARLY, LATE = "2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z"
BETWEEN = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)


def entry(job: str, at: str, status: str, slot: str = EARLY, **more: Any) -> dict[str, Any]:
    return {"job_id": job, "slot": slot, "triggered_at": at, "status": status, **more}


NEWEST_FIRST = [
    entry("late", LATE, "running", LATE),
    entry("by-hand", LATE, "completed", "manual/token", execution_time_ms=1500, num_clusters=4, num_documents=4000),
    entry("early", EARLY, "failed", execution_time_ms=2000, error="no such file"),
]


@pytest.mark.parametrize(
    ("awaited", "job"),
    [
        (Awaited("t", since=BETWEEN), None),  # the newest run is still active
        (Awaited("t", request="token"), "by-hand"),
        (Awaited("t", request="another"), None),
    ],
)
def test_the_requested_run_has_ended_or_not(awaited: Awaited, job: str | None) -> None:
    run = awaited.ended({"history": NEWEST_FIRST})
    assert (run and run.job) == job


def test_without_conditions_the_newest_run_counts() -> None:
    assert Awaited("t").ended({"history": NEWEST_FIRST[2:]}) == Run(
        "t", "early", "failed", datetime.fromisoformat(EARLY), 2.0, "no such file"
    )


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({}, "not yet seen by the operator"),
        ({"conditions": [{}]}, "not fired"),
        ({"next_scheduled_at": LATE, "conditions": [{}]}, "due at 11:00:00 UTC"),
        ({"history": NEWEST_FIRST}, "running"),
    ],
)
def test_state(status: dict[str, Any], state: str) -> None:
    assert Awaited("t").state(status) == state


def test_obstacles_come_from_the_conditions() -> None:
    fine = {"type": "Ready", "status": "True", "message": "The schedule is live"}
    stalled = {"type": "Stalled", "status": "True", "message": "five runs failed"}
    assert Awaited("t").obstacle({"conditions": [fine]}) == ""
    assert Awaited("t").obstacle({"conditions": [fine, stalled]}) == "five runs failed"


def test_runs_are_described_in_one_line() -> None:
    completed = Awaited("t", request="token").ended({"history": NEWEST_FIRST})
    assert str(completed) == "completed in 2 s: 4 clusters of 4,000 documents"
    enrichment = entry("labels", LATE, "completed", execution_time_ms=1500, num_documents=4000)
    assert str(Awaited("t").ended({"history": [enrichment]})) == "completed in 2 s: 4,000 documents"
    failed = Awaited("t").ended({"history": NEWEST_FIRST[2:]})
    assert str(failed) == "failed after 2 s: no such file"
