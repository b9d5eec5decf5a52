"""Triggers as the API server returns them, for tests without a cluster."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from clustertrigger.core.instants import format_instant
from harness.control_plane.manifests import Object, interval

NOW = datetime(2026, 11, 28, 10, 7, 30, tzinfo=UTC)


def at(**before: float) -> str:
    """Returns the instant this long before NOW."""
    return format_instant(NOW - timedelta(**before))


def condition(kind: str, status: str, reason: str, message: str = "") -> Object:
    return {
        "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": at(hours=1),
    }  # fmt: skip


def run(job: str, status: str = "completed", **others: Any) -> Object:
    begun = others.pop("begun", at(hours=1))
    return {"job_id": job, "slot": begun, "triggered_at": begun, "status": status, **others}


def seen(name: str = "nightly", spec: Object | None = None, namespace: str = "search", **status: Any) -> Object:
    """Returns a trigger with a status."""
    anchor = at(hours=2)
    memory = {"fingerprint": "x", "live": True, "anchor": anchor, "accounted_until": at()}
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-of-{name}",
            "generation": 1,
            "resourceVersion": "7",
            "creationTimestamp": anchor,
        },
        "spec": spec or interval(3600),
        "status": {
            "observedGeneration": 1,
            "status": "active",
            "schedule": "every 1h",
            "schedule_state": memory,
            "conditions": [condition("Ready", "True", "Scheduled")],
            **status,
        },
    }
