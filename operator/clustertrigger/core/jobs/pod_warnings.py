"""What events warn of where a Pod does not start: which of them says most, and the way out where there is one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from clustertrigger.core.jobs.pod_view import error_line

_TIMED_OUT = ("timed out waiting for the condition", "context deadline exceeded")
"""How the kubelet ends what it says of a volume that somebody else could not attach."""
_VERDICTS = ("DeadlineExceeded", "BackoffLimitExceeded")
"""What the Job controller says of a Job that it ends, after the words of whoever refused its Pods."""
_ONE_NODE = "a ReadWriteOnce claim serves one node at a time: use ReadWriteMany, a bucket, or one node for all runs"


def most_telling(events: Iterable[Mapping[str, Any]]) -> str | None:
    """The message of the last warning, in one line; one that says only that time ran out gives way to any other."""
    last = max(events, key=lambda event: (not _says_little(event), _told_at(event)), default=None)
    if last is None or not last.get("message"):
        return None
    message = error_line(last["message"])
    return f"{message.rstrip('. ')}: {_ONE_NODE}" if message.startswith("Multi-Attach error") else message


def _says_little(event: Mapping[str, Any]) -> bool:
    if event.get("reason") in _VERDICTS:
        return True
    return event.get("reason") == "FailedMount" and str(event.get("message")).endswith(_TIMED_OUT)


def _told_at(event: Mapping[str, Any]) -> str:
    """When; as RFC 3339 in UTC, which sorts."""
    times = (event.get(field) for field in ("lastTimestamp", "eventTime", "firstTimestamp"))
    return next((str(time) for time in times if time), "")
