"""Selects the most informative warning event of a Pod that does not start, and adds the remedy if there is one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from clustertrigger.core.jobs.pod_view import error_line

_TIMED_OUT = ("timed out waiting for the condition", "context deadline exceeded")
"""Suffix of the kubelet's message about a volume that another component could not attach."""
_VERDICTS = ("DeadlineExceeded", "BackoffLimitExceeded")
"""Text of the Job controller about a Job that it ends, which follows the reason why its Pods were refused."""
_ONE_NODE = "a ReadWriteOnce claim serves one node at a time: use ReadWriteMany, a bucket, or one node for all runs"


def most_telling(events: Iterable[Mapping[str, Any]]) -> str | None:
    """The message of the last warning, in one line; a message about a timeout is used only if there is no other."""
    last = max(events, key=lambda event: (not _says_little(event), _occurred_at(event)), default=None)
    if last is None or not last.get("message"):
        return None
    message = error_line(last["message"])
    return f"{message.rstrip('. ')}: {_ONE_NODE}" if message.startswith("Multi-Attach error") else message


def _says_little(event: Mapping[str, Any]) -> bool:
    if event.get("reason") in _VERDICTS:
        return True
    return event.get("reason") == "FailedMount" and str(event.get("message")).endswith(_TIMED_OUT)


def _occurred_at(event: Mapping[str, Any]) -> str:
    """When it occurred, as RFC 3339 in UTC, which can be sorted."""
    times = (event.get(field) for field in ("lastTimestamp", "eventTime", "firstTimestamp"))
    return next((str(time) for time in times if time), "")
