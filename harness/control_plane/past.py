"""Triggers with a past: what is left behind by an operator that went away long ago."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from clustertrigger.core.instants import format_instant
from clustertrigger.core.policies.lifecycle import schedule_fingerprint
from clustertrigger.core.resources.trigger import read_trigger
from harness.control_plane.kube import Object, trigger_path
from harness.control_plane.sandbox import Sandbox


def left_behind(
    sandbox: Sandbox, name: str, spec: Object, *, away: timedelta, anchor: timedelta, **remembered: Any
) -> None:
    """Creates a trigger, and writes the status that it had when its operator went away.

    Only the object's creationTimestamp cannot be put back; the operator does not look at it once there is a status.

    Args:
        sandbox: a namespace that no operator serves at the moment.
        name: of the trigger.
        spec: its spec.
        away: how long ago the operator went away, having accounted for all slots until then.
        anchor: how long ago the schedule began.
        remembered: other fields of the status.
    """
    raw = sandbox.trigger(name, spec)
    now = datetime.now(UTC).replace(microsecond=0)
    state = {
        "fingerprint": schedule_fingerprint(read_trigger(raw)),
        "live": True,
        "anchor": format_instant(now - anchor),
        "accounted_until": format_instant(now - away),
    }
    status = {"observedGeneration": raw["metadata"]["generation"], "schedule_state": state, **remembered}
    sandbox.kube.patch(f"{trigger_path(sandbox.namespace, name)}/status", {"status": status})
