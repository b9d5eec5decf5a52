"""Where in Kueue's queues Jobs wait, as its visibility API answers.

Source: https://kueue.sigs.k8s.io/docs/tasks/manage/monitor_pending_workloads/pending_workloads_on_demand/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_SHOWN = 10
"""Positions behind this one are not told apart: whenever a run leaves a long queue, all positions change, and each
change that is shown is a write of a status."""


def read_positions(answer: Mapping[str, Any]) -> dict[str, int]:
    """The positions of Jobs in a LocalQueue, from 1.

    Args:
        answer: a PendingWorkloadsSummary of visibility.kueue.x-k8s.io.

    Returns:
        By the Job's uid; at most `MOST_SHOWN` + 1. What is not understood is left out.
    """
    positions: dict[str, int] = {}
    for workload in _dicts(answer.get("items")):
        metadata, position = workload.get("metadata"), workload.get("positionInLocalQueue", 0)
        if not isinstance(metadata, dict) or isinstance(position, bool) or not isinstance(position, int):
            continue
        for owner in _dicts(metadata.get("ownerReferences")):
            if owner.get("kind") == "Job" and isinstance(owner.get("uid"), str):
                positions[owner["uid"]] = min(position, MOST_SHOWN) + 1
    return positions


def describe_position(position: int | None) -> str:
    """The position as it stands behind a queue's name, or "" where it is not known."""
    if position is None:
        return ""
    return f" (position {position})" if position <= MOST_SHOWN else f" (position above {MOST_SHOWN})"


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
