"""What the operator's Pods have logged."""

from __future__ import annotations

import json
import re
from typing import Any

from harness.installation import RELEASE
from harness.kubectl import Kubectl

SELECTOR = f"--selector=app.kubernetes.io/instance={RELEASE},app.kubernetes.io/name=clustertrigger"
"""Not the Pods of clustertrigger-api."""

Line = dict[str, Any]

EXPECTED = "status.internal_id stays empty"
"""With Roles alone no namespace can be read, and the operator does without the cluster's id."""
_TRIED_AGAIN = re.compile(r"Request attempt \S+ failed; will retry: ")
"""What Kopf logs as an error when a busy API server does not answer in time; it escalates what does not pass."""


def operator_pods(system: Kubectl, phase: str | None = None) -> list[str]:
    """Return the names of the operator's Pods, of all phases or one; those that are being deleted are left out."""
    pods = [pod for pod in system.items("pods", SELECTOR) if phase in (None, pod["status"].get("phase"))]
    metadata = [pod["metadata"] for pod in pods]
    return [each["name"] for each in metadata if "deletionTimestamp" not in each]


def operator_log(system: Kubectl) -> list[Line]:
    """Return every line of every operator Pod that runs; one that is not JSON counts as an error."""
    lines = []
    for pod in operator_pods(system, phase="Running"):
        for text in system("logs", pod).splitlines():
            try:
                lines.append(json.loads(text) | {"pod": pod})
            except ValueError:
                lines.append({"pod": pod, "level": "ERROR", "message": text})
    return lines


def refusals_and_errors(system: Kubectl) -> list[str]:
    """Return what must never be in the log: an error, or a request that the API server forbade."""
    return [f"{line['pod']}: {line.get('message')}" for line in operator_log(system) if _is_mistake(line)]


def _is_mistake(line: Line) -> bool:
    message = str(line.get("message"))
    if message.startswith(EXPECTED):
        return False
    if "forbidden" in message.lower():
        return True
    return line.get("level") in ("ERROR", "CRITICAL") and not _TRIED_AGAIN.match(message)
