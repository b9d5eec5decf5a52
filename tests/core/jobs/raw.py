"""Jobs and Pods as the API server returns them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from clustertrigger.core.jobs.job_view import read_job
from clustertrigger.core.jobs.pod_view import read_pod
from clustertrigger.core.jobs.workload import observe_run

OWNER = "owner-uid"
LABELS = {"clustertrigger.dev/trigger-uid": OWNER, "job-name": "products-1"}
AT_ONCE = "2026-03-02T13:00:01Z"
QUEUED: dict[str, Any] = {
    "labels": {**LABELS, "kueue.x-k8s.io/queue-name": "team"},
    "creationTimestamp": "2026-03-02T09:00:00Z",
}


def job(
    conditions: list[dict[str, Any]] = [],  # noqa: B006
    status: dict[str, Any] | None = None,
    spec: dict[str, Any] | None = None,
    **metadata: Any,
) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "search",
            "name": "products-1",
            "uid": "u",
            "resourceVersion": "1",
            "creationTimestamp": "2026-03-02T13:00:00Z",
            "labels": LABELS,
            "annotations": {"clustertrigger.dev/slot": "2026-03-02T13:00:00Z"},
            "ownerReferences": [{"uid": OWNER}],
            **metadata,
        },
        "spec": {"activeDeadlineSeconds": 600, **(spec or {})},
        "status": {"startTime": "2026-03-02T13:00:01Z", "conditions": conditions, **(status or {})},
    }


def pod(state: dict[str, Any] | None = None, created: str = "2026-03-02T13:00:02Z", **status: Any) -> dict[str, Any]:
    containers = [] if state is None else [{"name": "worker", "state": state}]
    return {
        "metadata": {
            "namespace": "search",
            "name": f"p-{created}",
            "uid": created,
            "resourceVersion": "1",
            "creationTimestamp": created,
            "labels": LABELS,
        },
        "spec": {"containers": [{"name": "worker", "resources": {"limits": {"memory": "512Mi"}}}]},
        "status": {"containerStatuses": containers, **status},
    }


def failed(reason: str = "BackoffLimitExceeded") -> list[dict[str, Any]]:
    return [
        {
            "type": "Failed",
            "status": "True",
            "reason": reason,
            "message": "Job has reached the specified backoff limit",
            "lastTransitionTime": "2026-03-02T13:01:01Z",
        }
    ]


def condition(kind: str, holds: bool = True, at: str = "2026-03-02T13:01:01Z", **fields: Any) -> dict[str, Any]:
    return {"type": kind, "status": str(holds), "lastTransitionTime": at, **fields}


def terminated(**fields: Any) -> dict[str, Any]:
    return {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-03-02T13:01:00Z", **fields}}


def observe(raw_job: dict[str, Any], *pods: dict[str, Any]) -> Any:
    view = read_job(raw_job)
    assert view is not None
    return observe_run(view, [read_pod(raw) for raw in pods])


def clock(instant: datetime | None) -> str | None:
    return None if instant is None else f"{instant:%H:%M:%S}"
