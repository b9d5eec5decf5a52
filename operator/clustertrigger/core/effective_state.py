"""Determines the state of a trigger, even if the operator has not seen the last edit or reset of its object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from clustertrigger.core.requested import reset_requested

Raw = Mapping[str, Any]
"""A trigger, as the API server returns it."""

_ACTIVE = ("pending", "running")


class Obstacle(NamedTuple):
    """Why the operator would ignore a request to run a trigger now."""

    status: str
    """The trigger's state: only an active one runs."""
    run: str | None = None
    """Job of the active run that prevents another one; None if the state prevents the run."""


def effective_status(raw: Raw) -> str:
    """Returns the effective state: spec.status, or failed if the trigger has stopped after too many failed runs."""
    desired = str(raw["spec"].get("status") or "active")
    if desired != "active" or not is_current(raw) or is_reset(raw):
        return desired
    return str((raw.get("status") or {}).get("status") or desired)


def has_stopped(raw: Raw) -> bool:
    """Returns whether a trigger has stopped after too many failed runs, although spec.status is active."""
    return effective_status(raw) == "failed" and raw["spec"].get("status") != "failed"


def obstacle(raw: Raw) -> Obstacle | None:
    """Returns why a trigger cannot run now; None if it can."""
    status = effective_status(raw)
    if status != "active":
        return Obstacle(status)
    active = active_runs(raw)
    if active and (raw["spec"].get("run") or {}).get("concurrency_policy", "Forbid") == "Forbid":
        return Obstacle(status, str(active[0]["job_id"]))
    return None


def active_runs(raw: Raw) -> list[Raw]:
    """Returns the runs that have not ended, newest first."""
    history = (raw.get("status") or {}).get("history") or ()
    return [run for run in history if run["status"] in _ACTIVE]


def is_current(raw: Raw) -> bool:
    """Returns whether the status describes the current spec."""
    return bool((raw.get("status") or {}).get("observedGeneration") == raw["metadata"].get("generation", 1))


def is_reset(raw: Raw) -> bool:
    """Returns whether a reset was requested that the operator has not yet seen."""
    requested = reset_requested(raw)
    return requested is not None and requested != (raw.get("status") or {}).get("last_reset_requested")
