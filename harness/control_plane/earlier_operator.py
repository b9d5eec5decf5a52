"""Creates triggers with the state that an operator has written before it ended long ago."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from clustertrigger.core.instants import format_instant
from clustertrigger.core.policies.lifecycle import schedule_fingerprint
from clustertrigger.core.resources.trigger import read_trigger
from harness.control_plane.kube import Object, trigger_path
from harness.control_plane.sandbox import Sandbox


def left_by_earlier_operator(
    sandbox: Sandbox, name: str, spec: Object, *, away: timedelta, anchor: timedelta, **remembered: Any
) -> None:
    """Creates a trigger with the status that it had when its operator ended.

    Only the object's creationTimestamp cannot be set; the operator ignores it if there is a status.

    Args:
        sandbox: A namespace without a running operator.
        name: Name of the trigger.
        spec: Its spec.
        away: How long ago the operator ended, after it had handled all slots until then.
        anchor: How long ago the schedule began.
        remembered: Other fields of the status.
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
