"""Compares a trigger's status with the Jobs that exist."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from clustertrigger.core.instants import parse_instant
from harness.control_plane.kube import PATIENCE, eventually
from harness.control_plane.sandbox import Sandbox

_ONE = re.compile(r"Missed the slot (\S+):")
_MANY = re.compile(r"Missed (\d+) slots from (\S+) to (\S+):")


def pause_and_settle(sandbox: Sandbox, name: str, within: float = PATIENCE) -> None:
    """Pauses a trigger and waits until its last run is recorded."""
    generation = sandbox.edit(name, {"status": "paused"})["metadata"]["generation"]

    def settled() -> bool:
        status = sandbox.status(name)
        states = {entry["status"] for entry in status.get("history", [])}
        return status.get("observedGeneration") == generation and states <= {"completed", "failed"}

    eventually(settled, within, what=f"{name}: the last run is recorded")


def assert_consistent(sandbox: Sandbox, name: str, *, some_missed: bool = False) -> None:
    """Verifies that every Job is in the history once and counted once.

    Every slot must have a Job or be reported as missed.

    Args:
        sandbox: The namespace.
        name: Name of an interval trigger that no longer fires, and whose Jobs all exist.
        some_missed: Whether slots without a Job are allowed, because the operator was killed before it sent events.
    """
    status, jobs = sandbox.status(name), sandbox.jobs(name)
    recorded = [entry["job_id"] for entry in status["history"]]
    assert sorted(recorded) == sorted(job["metadata"]["name"] for job in jobs)
    assert status["execution_count"] == len(jobs)
    assert status["failure_count"] == 0
    state = status["schedule_state"]
    step = timedelta(seconds=sandbox.get(name)["spec"]["schedule_config"]["interval_seconds"])
    anchor, until = parse_instant(state["anchor"]), parse_instant(state["accounted_until"])
    due = {anchor + n * step for n in range(1, (until - anchor) // step + 1)}
    fired = set(sandbox.slots(name))
    assert fired, "nothing has fired"
    assert fired <= due
    if not some_missed:
        # Events are written after the status.
        missed = due - fired
        eventually(
            lambda: _reported_as_missed(sandbox, name, step), until=lambda found: found == missed, what="all reported"
        )


def _reported_as_missed(sandbox: Sandbox, name: str, step: timedelta) -> set[datetime]:
    missed: set[datetime] = set()
    for event in sandbox.events(name, "SlotsMissed"):
        if one := _ONE.search(event["message"]):
            missed.add(parse_instant(one[1]))
        elif many := _MANY.search(event["message"]):
            first, last = parse_instant(many[2]), parse_instant(many[3])
            slots = {first + n * step for n in range((last - first) // step + 1)}
            assert len(slots) == int(many[1]), event["message"]
            missed |= slots
    return missed
