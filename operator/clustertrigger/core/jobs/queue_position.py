"""Reads the positions of Jobs in Kueue's queues from its visibility API.

Source: https://kueue.sigs.k8s.io/docs/tasks/manage/monitor_pending_workloads/pending_workloads_on_demand/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_SHOWN = 10
"""Higher positions are not distinguished. Whenever a run leaves a long queue, all positions change, and showing each
change would write many statuses.
"""


def read_positions(answer: Mapping[str, Any]) -> dict[str, int]:
    """Returns the positions of Jobs in a LocalQueue, from 1.

    Args:
        answer: A PendingWorkloadsSummary of visibility.kueue.x-k8s.io.

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
    """Returns the position as text after a queue's name, or "" if it is unknown."""
    if position is None:
        return ""
    return f" (position {position})" if position <= MOST_SHOWN else f" (position above {MOST_SHOWN})"


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
