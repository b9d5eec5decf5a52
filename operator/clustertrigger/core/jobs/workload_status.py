"""Builds the changes of a Workload's status by which Kueue's own integrations report the state of a Job.

Each change names the version that it was decided on, because a merge patch replaces all conditions.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from clustertrigger.core.instants import format_instant

_REQUEUED_AT_ONCE = ("Preempted", "NodeFailures")
"""Reasons of an eviction after which a Workload may get quota at once. For any other, Kueue requeues it itself."""


def released(workload: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Returns the change that gives back the quota of an evicted Workload, which then waits in its queue again."""
    evicted = _condition(workload, "Evicted")
    reason, message = evicted.get("reason", "Evicted"), evicted.get("message", "")
    changes = [
        _new(workload, "Requeued", reason in _REQUEUED_AT_ONCE, reason, message),
        _new(workload, "QuotaReserved", False, "Pending", message),
    ]
    if _condition(workload, "Admitted"):
        changes.append(_new(workload, "Admitted", False, "NoReservation", "The workload has no reservation"))
    if _condition(workload, "PodsReady"):
        changes.append(_new(workload, "PodsReady", False, "WaitForStart", "The run's Pod has ended"))
    patch = _patch(workload, changes, now)
    return {**patch, "status": {**patch["status"], "admission": None}}


def finished(workload: Mapping[str, Any], now: datetime, *, completed: bool, message: str) -> dict[str, Any]:
    """Returns the change that ends a Workload, because its Job has ended."""
    reason = "Succeeded" if completed else "Failed"
    return _patch(workload, [_new(workload, "Finished", True, reason, message)], now)


def pods_ready(workload: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Returns the change that says that the run's Pod runs. Kueue can be set to evict Workloads without it."""
    return _patch(workload, [_new(workload, "PodsReady", True, "Started", "The run's Pod is running")], now)


def _condition(workload: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    conditions = (workload.get("status") or {}).get("conditions") or ()
    return next((condition for condition in conditions if condition["type"] == kind), {})


def _new(workload: Mapping[str, Any], kind: str, holds: bool, reason: str, message: str) -> dict[str, Any]:
    return {
        "type": kind,
        "status": "True" if holds else "False",
        "reason": reason,
        "message": message,
        "observedGeneration": workload["metadata"].get("generation", 0),
    }


def _patch(workload: Mapping[str, Any], changes: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    conditions = {one["type"]: one for one in (workload.get("status") or {}).get("conditions") or ()}
    for change in changes:
        before = conditions.get(change["type"], {})
        kept = before.get("lastTransitionTime") if before.get("status") == change["status"] else None
        at = kept or format_instant(now.replace(microsecond=0))
        conditions[change["type"]] = {**change, "lastTransitionTime": at}
    return {
        "metadata": {"resourceVersion": workload["metadata"]["resourceVersion"]},
        "status": {"conditions": list(conditions.values())},
    }
