"""Reads a Pod of a run or check: the state of its worker, and the containers that run longer than the worker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from clustertrigger.api.names import LABEL_TRIGGER_UID, WORKER_CONTAINER
from clustertrigger.core.instants import parse_instant
from clustertrigger.core.resources.trigger import Owner
from clustertrigger.core.text import one_line

_LONGEST_ERROR = 1000
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PodView:
    """The state of a Pod."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    job: str
    job_uid: str
    """Uid of the Job that has created it, because a later Job can have the same name; "" if unknown."""
    trigger_uid: str
    created_at: datetime
    running: bool
    """Whether the worker runs."""
    running_since: datetime | None
    terminated: bool
    """Whether the worker has ended, or the whole Pod."""
    failed: bool
    """Whether all of it has ended and failed. If so, the Job controller creates another Pod."""
    succeeded: bool
    """Whether all of it has ended and succeeded. If so, the Job controller completes the Job."""
    disrupted: bool
    """Whether Kubernetes ended it, or is about to: its node is drained, shuts down or needs the resources."""
    going_on: tuple[str, ...]
    """Containers other than the worker that are still running in a Pod that is not being deleted.

    Init containers, and therefore native sidecars, are not included, because the kubelet ends them after the worker.
    """
    finished_at: datetime | None
    exit_code: int | None
    """Exit code of the worker."""
    reason: str
    """Why the Pod waits or ended: the container's reason, or the Pod's own (Unschedulable, Evicted)."""
    message: str
    memory_limit: str | None
    to_be_gone_at: datetime | None
    """When a Pod that is being deleted should have ended at the latest."""
    node: str
    """For a Pod that is being deleted: its node; else ""."""
    disruption: str
    """For a Pod that is being deleted: Kubernetes' reason (PreemptionByScheduler, EvictionByEvictionAPI, …); else "".
    """

    @property
    def owner(self) -> Owner:
        """The trigger that it belongs to."""
        return Owner(self.namespace, self.trigger_uid)


def read_pod(raw: Mapping[str, Any]) -> PodView:
    """Reads a Pod of the API server."""
    metadata, status, spec = raw["metadata"], raw.get("status") or {}, raw.get("spec") or {}
    labels = metadata.get("labels") or {}
    containers = status.get("containerStatuses") or ()
    state = _worker_state(containers)
    ended, running = state.get("terminated"), state.get("running")
    over, deleted = status.get("phase") in ("Succeeded", "Failed"), metadata.get("deletionTimestamp")
    reason, message = _why(status, state)
    return PodView(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        job=labels.get("job-name") or labels.get("batch.kubernetes.io/job-name") or "",
        job_uid=_job_uid(metadata),
        trigger_uid=labels.get(LABEL_TRIGGER_UID, ""),
        created_at=parse_instant(metadata["creationTimestamp"]),
        running=running is not None,
        running_since=_instant((running or {}).get("startedAt")),
        terminated=bool(ended) or over,
        failed=status.get("phase") == "Failed",
        succeeded=status.get("phase") == "Succeeded",
        disrupted=_condition(status, "DisruptionTarget", "True") is not None,
        going_on=() if over or deleted else tuple(_going_on(containers)),
        finished_at=_instant((ended or {}).get("finishedAt")),
        exit_code=(ended or {}).get("exitCode"),
        reason=reason,
        message=message,
        memory_limit=_memory_limit(spec),
        to_be_gone_at=_instant(deleted),
        node=spec.get("nodeName") or "" if deleted else "",
        disruption=_disruption(status) if deleted else "",
    )


def error_line(text: str) -> str:
    """Returns a text without line breaks, shortened for a status."""
    return one_line(text)[:_LONGEST_ERROR]


def _job_uid(metadata: Mapping[str, Any]) -> str:
    owners = metadata.get("ownerReferences") or ()
    return next((str(owner.get("uid")) for owner in owners if owner.get("kind") == "Job"), "")


def _worker_state(containers: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    for container in containers:
        if container.get("name") == WORKER_CONTAINER:
            return _state(container)
    return {}


def _going_on(containers: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for container in containers:
        if container.get("name") != WORKER_CONTAINER and "terminated" not in _state(container):
            yield str(container.get("name"))


def _state(container: Mapping[str, Any]) -> Mapping[str, Any]:
    state: Mapping[str, Any] = container.get("state") or {}
    return state


def _why(status: Mapping[str, Any], worker: Mapping[str, Any]) -> tuple[str, str]:
    if ended := worker.get("terminated"):
        return ended.get("reason") or "", ended.get("message") or ""
    if status.get("reason") == "Evicted":
        return "Evicted", status.get("message") or ""
    if failure := _failure_of_others(status):
        return failure
    waiting = worker.get("waiting") or {}
    if waiting.get("reason"):
        return waiting["reason"], waiting.get("message") or ""
    if unscheduled := _condition(status, "PodScheduled", "False"):
        return unscheduled.get("reason") or "", unscheduled.get("message") or ""
    return status.get("reason") or "", status.get("message") or ""


def _failure_of_others(status: Mapping[str, Any]) -> tuple[str, str] | None:
    """Returns the message of an init container that keeps the worker from starting."""
    for container in status.get("initContainerStatuses") or ():
        state, name = _state(container), container.get("name")
        ended, waiting = state.get("terminated") or {}, state.get("waiting") or {}
        if ended.get("exitCode"):
            failure = f"init container {name} ended with exit code {ended['exitCode']}"
            reason = error_line(ended.get("message") or "") or ended.get("reason")
            return "", f"{failure}: {reason}" if reason else failure
        if waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
            return waiting["reason"], waiting.get("message") or f"init container {name}"
    return None


def _disruption(status: Mapping[str, Any]) -> str:
    return (_condition(status, "DisruptionTarget", "True") or {}).get("reason") or ""


def _condition(status: Mapping[str, Any], kind: str, value: str) -> Mapping[str, Any] | None:
    """Returns the condition of a type, if it has this status."""
    for condition in status.get("conditions") or ():
        if (condition.get("type"), condition.get("status")) == (kind, value):
            found: Mapping[str, Any] = condition
            return found
    return None


def _memory_limit(spec: Mapping[str, Any]) -> str | None:
    for container in spec.get("containers") or ():
        if container.get("name") == WORKER_CONTAINER:
            limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
            return None if limit is None else str(limit)
    return None


def _instant(text: str | None) -> datetime | None:
    """Returns a time that a node or a user has set, or the latest time that can be computed with."""
    if not text:
        return None
    try:
        return min(parse_instant(text), _LATEST)
    except ValueError:  # A grace period of 10^12 seconds ends in a year of five digits.
        return _LATEST
