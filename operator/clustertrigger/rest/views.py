"""Converts triggers of the API server to the API's models."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from clustertrigger.core.effective_state import effective_status, is_current, is_reset
from clustertrigger.core.instants import format_instant
from clustertrigger.core.jobs.naming import trigger_id
from clustertrigger.core.resources.trigger import spec_written_at
from clustertrigger.rest.actions import ACTIONS, action_of, cluster_id_of
from clustertrigger.rest.models import HistoryPage
from clustertrigger.rest.names import ANNOTATION_NAME

Object = Mapping[str, Any]
View = dict[str, Any]

OVERDUE = timedelta(seconds=60)
"""How late a trigger can be before it counts as overdue."""
UNKNOWN_COLLECTIONS = ["<unknown>"]
"""Id of a ClusterDefinition that does not exist. Clients expect at least one id, and this one is not valid."""
_TASK_STATUS = {"pending": "PENDING", "running": "IN_PROGRESS", "completed": "COMPLETED", "failed": "FAILED"}


def id_of(raw: Object) -> str:
    """Returns the trigger_id."""
    return trigger_id(raw["metadata"]["uid"])


def cluster_trigger(raw: Object, inherited: Object | None, cluster: str) -> View:
    """Returns the view of a cluster trigger.

    Args:
        raw: The object.
        inherited: The execution_config of its ClusterDefinition, if it is known.
        cluster: The Kubernetes cluster's id.
    """
    spec, status = raw["spec"], raw.get("status") or {}
    execution = spec.get("execution_config") or inherited or {}
    return {
        **_common(raw, cluster),
        "cluster_id": cluster_id_of(spec),
        "execution_config": {
            "collection_ids": execution.get("collection_ids") or UNKNOWN_COLLECTIONS,
            "config": execution.get("config") or {},
            "mode": (spec.get("execution_config") or spec.get("action_config") or {}).get("mode") or "full",
        },
        "last_execution_job_id": status.get("last_execution_job_id"),
        "execution_count": status.get("execution_count", 0) + status.get("failure_count", 0),
    }


def unified_trigger(raw: Object, cluster: str, *, overdue: bool) -> View:
    """Returns the view of a unified trigger.

    Args:
        raw: The object.
        cluster: The Kubernetes cluster's id.
        overdue: Whether it should have fired by now.
    """
    spec, status = raw["spec"], raw.get("status") or {}
    action = action_of(spec)
    known = ACTIONS.get(action)
    return {
        **_common(raw, cluster),
        "name": name_of(raw),
        "action_type": action,
        "action_config": known.read(spec) if known else spec.get("action_config") or {},
        "last_execution_task_id": status.get("last_execution_task_id"),
        "execution_count": status.get("execution_count", 0),
        "baseline_snapshot": status.get("baseline_snapshot") or {},
        "last_drift_measurement": status.get("last_drift_measurement") or {},
        "last_volume_measurement": status.get("last_volume_measurement") or {},
        "last_condition_check_at": status.get("last_condition_check_at"),
        "is_overdue": overdue,
    }


def name_of(raw: Object) -> str:
    """Returns the display name: the given one, or the object's name."""
    metadata = raw["metadata"]
    return str((metadata.get("annotations") or {}).get(ANNOTATION_NAME) or metadata["name"])


def history(raw: Object, page: HistoryPage, id_field: str) -> View:
    """Returns a page of a trigger's runs.

    Args:
        raw: The trigger.
        page: Which runs to return.
        id_field: Field that contains the name of a run's Job.
    """
    runs = (raw.get("status") or {}).get("history") or []
    found = [run for run in runs if page.status_filter in (None, run["status"])]
    return {
        "trigger_id": id_of(raw),
        "executions": [
            {
                id_field: run["job_id"],
                "triggered_at": run["triggered_at"],
                "status": run["status"],
                "execution_time_ms": run.get("execution_time_ms"),
                "error": run.get("error"),
                "num_clusters": run.get("num_clusters"),
                "num_documents": run.get("num_documents"),
            }
            for run in found[page.offset : page.offset + page.limit]
        ],
        "total": len(found),
        "offset": page.offset,
        "limit": page.limit,
    }


def task(raw: Object, job: str) -> View:
    """Returns one run of a trigger as a task. A run that is not in the history has not started."""
    spec = raw["spec"]
    runs = (raw.get("status") or {}).get("history") or []
    run: Object = next((run for run in runs if run["job_id"] == job), {"status": "pending"})
    known = ACTIONS.get(action_of(spec))
    waits = run["status"] == "pending" and bool((spec.get("run") or {}).get("queue_name"))
    found = {name: run[name] for name in ("results_uri", "num_clusters", "num_documents") if name in run}
    return {
        "task_id": job,
        "task_type": known.task_type if known else action_of(spec),
        "status": "QUEUED" if waits else _TASK_STATUS[run["status"]],
        "inputs": [known.read(spec)] if known else [],
        "outputs": [found] if run["status"] == "completed" and found else [],
        "additional_data": {
            "trigger_id": id_of(raw),
            "namespace_id": raw["metadata"]["namespace"],
            "name": name_of(raw),
        },
        "error": run.get("error"),
    }


def _common(raw: Object, cluster: str) -> View:
    metadata, spec, status = raw["metadata"], raw["spec"], raw.get("status") or {}
    effective = effective_status(raw)
    due = status.get("next_scheduled_at") if effective == "active" or is_current(raw) else None
    return {
        "namespace_id": metadata["namespace"],
        "internal_id": status.get("internal_id") or cluster,
        "trigger_type": spec["trigger_type"],
        "schedule_config": spec["schedule_config"],
        "trigger_id": id_of(raw),
        "status": effective,
        "last_triggered_at": status.get("last_triggered_at"),
        "next_scheduled_at": due,
        "consecutive_failures": 0 if is_reset(raw) else status.get("consecutive_failures", 0),
        "last_execution_status": status.get("last_execution_status"),
        "last_execution_error": status.get("last_execution_error"),
        "event_counter": status.get("event_counter", 0),
        "last_cooldown_at": status.get("last_cooldown_at"),
        "description": spec.get("description"),
        "created_at": metadata["creationTimestamp"],
        "updated_at": _updated_at(raw),
        "created_by": status.get("created_by"),
    }


def _updated_at(raw: Object) -> str:
    metadata = raw["metadata"]
    updated_at = (raw.get("status") or {}).get("updated_at")
    if updated_at and is_current(raw):
        return str(updated_at)
    written = spec_written_at(metadata.get("managedFields") or ())
    return format_instant(written) if written else str(metadata["creationTimestamp"])
