"""Runs as the cluster shows them: what a Job and its Pods say, reduced to what decisions need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from clustertrigger.api.check import CheckResult
from clustertrigger.api.names import (
    ANNOTATION_COLLECTIONS,
    ANNOTATION_FAILURE,
    ANNOTATION_SLOT,
    LABEL_TRIGGER_UID,
    WORKER_CONTAINER,
)
from clustertrigger.api.run import RunResult
from clustertrigger.core.instants import parse_instant
from clustertrigger.core.jobs.naming import check_instant, is_slot
from clustertrigger.core.resources.trigger import Owner

_LONGEST_ERROR = 1000
_Result = TypeVar("_Result", RunResult, CheckResult)


@dataclass(frozen=True, slots=True)
class JobView:
    """A Job of ours, reduced."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    trigger_uid: str
    slot: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    outcome: Literal["completed", "failed"] | None
    outcome_reason: str
    outcome_message: str
    suspended: bool
    deleting: bool
    failure: str | None
    """Why the operator ended it, if it did."""
    timeout_seconds: int | None
    collections: str
    """Tells apart which collections it was made for."""

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return Owner(self.namespace, self.trigger_uid)


@dataclass(frozen=True, slots=True)
class PodView:
    """A Pod of such a Job, reduced to its worker container."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    job: str
    trigger_uid: str
    created_at: datetime
    running: bool
    terminated: bool
    finished_at: datetime | None
    exit_code: int | None
    reason: str
    """Why it waits or ended: the container's reason, or the Pod's own (Unschedulable, Evicted)."""
    message: str
    memory_limit: str | None

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return Owner(self.namespace, self.trigger_uid)


@dataclass(frozen=True, slots=True)
class ObservedRun:
    """A run or a check: one Job and what its Pods tell."""

    job: str
    slot: str
    created_at: datetime
    phase: Literal["pending", "running", "completed", "failed"]
    deleting: bool = False
    suspended: bool = False
    ended_by_operator: bool = False
    started_at: datetime | None = None
    timeout_seconds: int | None = None
    """As of its creation: how long after its start Kubernetes is to end it."""
    pending_since: datetime | None = None
    running_since: datetime | None = None
    obstacle: str = ""
    """What keeps a pending run from starting, in the Pod's own words."""
    execution_time_ms: int | None = None
    error: str | None = None
    result: RunResult | None = None
    check: CheckResult | None = None
    """In place of the result, where this is a check."""
    collections: str = ""
    explained: bool = True
    """False where the run has ended and no ended Pod is known: its result may still be read."""


def read_job(raw: Mapping[str, Any]) -> JobView | None:
    """Reduces a Job of the API server; None where it carries our label but is not a trigger's run or check."""
    if not _is_run(raw["metadata"]):
        return None
    metadata, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
    outcome: Literal["completed", "failed"] | None = None
    reason = message = ""
    finished_at = None
    for condition in status.get("conditions") or ():
        if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed"):
            outcome = "completed" if condition["type"] == "Complete" else "failed"
            reason, message = condition.get("reason") or "", condition.get("message") or ""
            finished_at = _instant(status.get("completionTime") or condition.get("lastTransitionTime"))
    annotations = metadata.get("annotations") or {}
    return JobView(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        trigger_uid=metadata["labels"][LABEL_TRIGGER_UID],
        slot=annotations[ANNOTATION_SLOT],
        created_at=parse_instant(metadata["creationTimestamp"]),
        started_at=_instant(status.get("startTime")),
        finished_at=finished_at,
        outcome=outcome,
        outcome_reason=reason,
        outcome_message=message,
        suspended=bool(spec.get("suspend")),
        deleting="deletionTimestamp" in metadata,
        failure=_one_line(said) if (said := annotations.get(ANNOTATION_FAILURE)) is not None else None,
        timeout_seconds=spec.get("activeDeadlineSeconds"),
        collections=annotations.get(ANNOTATION_COLLECTIONS, ""),
    )


def read_pod(raw: Mapping[str, Any]) -> PodView:
    """Reduces a Pod of the API server."""
    metadata, status = raw["metadata"], raw.get("status") or {}
    labels = metadata.get("labels") or {}
    state = _worker_state(status.get("containerStatuses") or ())
    ended, waiting = state.get("terminated"), state.get("waiting") or {}
    reason, message = _why(status, ended, waiting)
    return PodView(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        job=labels.get("job-name") or labels.get("batch.kubernetes.io/job-name") or "",
        trigger_uid=labels.get(LABEL_TRIGGER_UID, ""),
        created_at=parse_instant(metadata["creationTimestamp"]),
        running="running" in state,
        terminated=bool(ended) or status.get("phase") in ("Succeeded", "Failed"),
        finished_at=_instant((ended or {}).get("finishedAt")),
        exit_code=(ended or {}).get("exitCode"),
        reason=reason,
        message=message,
        memory_limit=_memory_limit(raw),
    )


def observe_run(job: JobView, pods: Sequence[PodView]) -> ObservedRun:
    """What a Job and its Pods, in any order, say about the run."""
    ordered = sorted(pods, key=lambda pod: pod.created_at)
    seen = ObservedRun(
        job=job.name,
        slot=job.slot,
        created_at=job.created_at,
        phase="pending",
        deleting=job.deleting,
        suspended=job.suspended,
        ended_by_operator=job.failure is not None,
        started_at=job.started_at,
        timeout_seconds=job.timeout_seconds,
        collections=job.collections,
    )
    if job.outcome:
        return _ended(seen, job, [pod for pod in ordered if pod.terminated])
    for pod in ordered:
        if pod.running:
            return replace(seen, phase="running", running_since=pod.created_at)
    since = max([job.started_at or job.created_at, *(pod.finished_at or pod.created_at for pod in ordered)])
    return replace(seen, pending_since=since, obstacle=_obstacle(ordered))


def _ended(seen: ObservedRun, job: JobView, ended_pods: list[PodView]) -> ObservedRun:
    last = ended_pods[-1] if ended_pods else None
    is_check = check_instant(job.slot) is not None
    result = None if is_check else _result(RunResult, last)
    check = _result(CheckResult, last) if is_check else None
    started = job.started_at or job.created_at
    elapsed = job.finished_at - started if job.finished_at else None
    return replace(
        seen,
        phase=job.outcome or "failed",
        execution_time_ms=None if elapsed is None else round(elapsed.total_seconds() * 1000),
        result=result,
        check=check,
        error=_error(job, last, result or check) if job.outcome == "failed" else None,
        # A Job that ran out of time or was ended by us has no Pods left to ask.
        explained=last is not None or job.failure is not None or job.outcome_reason == "DeadlineExceeded",
    )


def timed_out(slot: str, seconds: int | None) -> str:
    """Why a run or a check failed that took too long."""
    if check_instant(slot) is not None:
        return f"timed out after {seconds} s: raise run.check.timeout_seconds or give the check more cpu"
    return f"timed out after {seconds} s: raise run.timeout_seconds or give the run less to do"


def split(jobs: Mapping[str, ObservedRun]) -> tuple[dict[str, ObservedRun], dict[str, ObservedRun]]:
    """Runs, and checks."""
    checks = {name: job for name, job in jobs.items() if check_instant(job.slot) is not None}
    return {name: job for name, job in jobs.items() if name not in checks}, checks


def _error(job: JobView, pod: PodView | None, result: RunResult | CheckResult | None) -> str:
    if job.failure:
        return job.failure
    if job.outcome_reason == "DeadlineExceeded":
        return timed_out(job.slot, job.timeout_seconds)
    if pod and pod.reason == "OOMKilled":
        limit = f" of {pod.memory_limit}" if pod.memory_limit else ""
        field = "run.resources" if check_instant(job.slot) is None else "run.check.resources"
        return f"OOMKilled: the worker needed more than its memory limit{limit}: raise {field}.limits.memory"
    if result and result.error:
        return result.error
    if pod and pod.exit_code is not None:
        said = _one_line(pod.message) or pod.reason
        return f"the worker ended with exit code {pod.exit_code}" + (f": {said}" if said else "")
    said = (pod and (_one_line(pod.message) or pod.reason)) or _one_line(job.outcome_message) or job.outcome_reason
    return said or "the Job failed and left no reason"


def _result(model: type[_Result], pod: PodView | None) -> _Result | None:
    if pod is None or not pod.message.startswith("{"):
        return None
    try:
        return model.model_validate_json(pod.message)
    except ValidationError:
        return None


def _obstacle(pods: Sequence[PodView]) -> str:
    if not pods:
        return "no Pod has been created"
    said = ": ".join(part for part in (pods[-1].reason, _one_line(pods[-1].message)) if part)
    return said or "the Pod has not started"


def _is_run(metadata: Mapping[str, Any]) -> bool:
    """Labels and annotations can be put on anything; the owner reference and a slot make it a run."""
    owner = (metadata.get("labels") or {}).get(LABEL_TRIGGER_UID)
    owners = [reference.get("uid") for reference in metadata.get("ownerReferences") or ()]
    slot = (metadata.get("annotations") or {}).get(ANNOTATION_SLOT, "")
    return bool(owner) and owner in owners and is_slot(slot)


def _worker_state(container_statuses: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    for container in container_statuses:
        if container.get("name") == WORKER_CONTAINER:
            state: Mapping[str, Any] = container.get("state") or {}
            return state
    return {}


def _why(status: Mapping[str, Any], ended: Mapping[str, Any] | None, waiting: Mapping[str, Any]) -> tuple[str, str]:
    if ended:
        return ended.get("reason") or "", ended.get("message") or ""
    if waiting.get("reason"):
        return waiting["reason"], waiting.get("message") or ""
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return condition.get("reason") or "", condition.get("message") or ""
    return status.get("reason") or "", status.get("message") or ""


def _memory_limit(raw: Mapping[str, Any]) -> str | None:
    for container in (raw.get("spec") or {}).get("containers") or ():
        if container.get("name") == WORKER_CONTAINER:
            limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
            return None if limit is None else str(limit)
    return None


def _instant(text: str | None) -> datetime | None:
    return parse_instant(text) if text else None


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_ERROR]
