"""Tests of positions in Kueue's queues, as its visibility API returns them."""

from __future__ import annotations

from typing import Any

import pytest

from clustertrigger.core.jobs.queue_position import describe_position, read_positions


def workload(uid: str, position: object, kind: str = "Job") -> dict[str, Any]:
    owner = {"apiVersion": "batch/v1", "kind": kind, "name": f"job-{uid}", "uid": uid}
    return {
        "metadata": {"name": f"job-{uid}-1a2b3", "namespace": "search", "ownerReferences": [owner]},
        "priority": 0,
        "localQueueName": "team",
        "positionInClusterQueue": 7,
        "positionInLocalQueue": position,
    }


@pytest.mark.parametrize(
    ("items", "positions"),
    [
        ([], {}),
        ([workload("a", 0), workload("b", 1)], {"a": 1, "b": 2}),
        ([workload("a", 9), workload("b", 10), workload("c", 4000)], {"a": 10, "b": 11, "c": 11}),
        ([workload("a", 0, kind="RayJob")], {}),
        ([{**workload("a", 0), "metadata": {"name": "without owner"}}], {}),
        ([workload("a", "first"), workload("b", None), workload("c", True), workload("d", 2)], {"d": 3}),
        (["no workload", None, {"metadata": 3}], {}),
        ("no list", {}),
        (None, {}),
    ],
)
def test_positions_are_found_by_the_jobs_uid(items: object, positions: dict[str, int]) -> None:
    assert read_positions({"kind": "PendingWorkloadsSummary", "items": items}) == positions


@pytest.mark.parametrize(
    ("position", "shown"),
    [(None, ""), (1, " (position 1)"), (10, " (position 10)"), (11, " (position above 10)")],
)
def test_a_position_is_described(position: int | None, shown: str) -> None:
    assert describe_position(position) == shown
