"""Reads the logs of the operator's Pods."""

from __future__ import annotations

import json
import re
from typing import Any

from harness.installation import RELEASE
from harness.kubectl import Kubectl

SELECTOR = f"--selector=app.kubernetes.io/instance={RELEASE},app.kubernetes.io/name=clustertrigger"
"""Selector of the operator's Pods, without those of clustertrigger-api."""

Line = dict[str, Any]

EXPECTED = "status.internal_id stays empty"
"""Beginning of an expected message: with Roles only, the operator cannot read the namespace with the cluster's id."""
_TRIED_AGAIN = re.compile(r"Request attempt \S+ failed; will retry: ")
"""Error that Kopf logs if a busy API server does not respond in time. Kopf reports lasting failures separately."""


def operator_pods(system: Kubectl, phase: str | None = None) -> list[str]:
    """Return the names of the operator's Pods in all phases or one, without those that are being deleted."""
    pods = [pod for pod in system.items("pods", SELECTOR) if phase in (None, pod["status"].get("phase"))]
    metadata = [pod["metadata"] for pod in pods]
    return [each["name"] for each in metadata if "deletionTimestamp" not in each]


def operator_log(system: Kubectl) -> list[Line]:
    """Return all log lines of all running operator Pods; a line that is not JSON counts as an error."""
    lines = []
    for pod in operator_pods(system, phase="Running"):
        for text in system("logs", pod).splitlines():
            try:
                lines.append(json.loads(text) | {"pod": pod})
            except ValueError:
                lines.append({"pod": pod, "level": "ERROR", "message": text})
    return lines


def refusals_and_errors(system: Kubectl) -> list[str]:
    """Return the log lines that must not exist: errors, and requests that the API server denied."""
    return [f"{line['pod']}: {line.get('message')}" for line in operator_log(system) if _is_mistake(line)]


def _is_mistake(line: Line) -> bool:
    message = str(line.get("message"))
    if message.startswith(EXPECTED):
        return False
    if "forbidden" in message.lower():
        return True
    return line.get("level") in ("ERROR", "CRITICAL") and not _TRIED_AGAIN.match(message)
