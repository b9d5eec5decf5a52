"""Builds the CloudEvents that receivers get.

An event has the same id however often it is sent. Source: CloudEvents 1.0.2, the JSON event format and the HTTP
protocol binding (structured mode).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from clustertrigger.api.notification import Occasion, Receiver
from clustertrigger.api.status import Check, Execution, LastResult, Notification
from clustertrigger.api.stored import as_json
from clustertrigger.core.instants import format_instant
from clustertrigger.core.json_text import write_json
from clustertrigger.core.kube import paths
from clustertrigger.core.resources.trigger import Key

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
TYPES: dict[Occasion, str] = {
    "completed": "dev.clustertrigger.run.completed",
    "failed": "dev.clustertrigger.run.failed",
    "changed": "dev.clustertrigger.run.changed",
    "drifted": "dev.clustertrigger.check.drifted",
}
_NOT_TOLD = ("volumes", "secrets")
"""Fields with names of claims and Secrets, which receivers must not see."""


def receiver_id(uri: str) -> str:
    """Returns the id of a receiver in the status. It is a hash, because the uri can contain a secret."""
    return hashlib.sha256(uri.encode()).hexdigest()[:12]


def notification(
    occasion: Occasion, job: str, at: datetime, data: dict[str, Any], receivers: Iterable[Receiver]
) -> Notification:
    """A CloudEvent to be sent. Its id is derived from the Job's name, which is unique among all triggers."""
    return Notification(
        id=f"{job}-{occasion}",
        type=TYPES[occasion],
        subject=job,
        time=at.replace(microsecond=0),
        to=[receiver_id(receiver.uri) for receiver in receivers],
        data=data,
    )


def of_run(key: Key, run: Execution, result: LastResult | None) -> dict[str, Any]:
    """Returns the data about a run: its entry in the history, and the changes since the previous run.

    Args:
        key: Key of the trigger.
        run: The run that has ended.
        result: Result of the trigger's last completed run.
    """
    entry = {name: value for name, value in as_json(run).items() if name not in _NOT_TOLD}
    changes = result.changes if result is not None and result.job_id == run.job_id else None
    return {**_about(key), **entry, **({"changes": as_json(changes)} if changes else {})}


def of_check(key: Key, check: Check, measurement: dict[str, Any] | None) -> dict[str, Any]:
    """Returns the data about a check: its entry in the status, and its measurement."""
    measured = measurement if measurement is not None and measurement.get("check") == check.job_id else None
    return {**_about(key), **as_json(check), **({"measurement": measured} if measured else {})}


def body_of(notification: Notification, key: Key) -> bytes:
    """Returns the body of the request, which has the same bytes each time."""
    return write_json(
        {
            "specversion": "1.0",
            "id": notification.id,
            "source": paths.trigger(key),
            "type": notification.type,
            "subject": notification.subject,
            "time": format_instant(notification.time),
            "datacontenttype": "application/json",
            "data": notification.data,
        }
    )


def _about(key: Key) -> dict[str, Any]:
    return {"namespace": key.namespace, "trigger": key.name}
