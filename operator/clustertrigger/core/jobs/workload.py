"""Determines the state of runs and checks from a Job and its Pods.

A run ends when the worker's container ends, whatever other containers the Pod has: a service mesh's sidecar can run
indefinitely, and then Kubernetes never marks the Job as complete.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, TypeVar

from pydantic import ValidationError

from clustercontract.actions.config import READERS
from clustercontract.check import CheckResult
from clustercontract.container import ExitCode
from clustercontract.run import RunResult
from clustertrigger.core.jobs.job_view import PURPOSE, JobView, Purpose
from clustertrigger.core.jobs.pod_view import PodView, error_line
from clustertrigger.core.jobs.slot import CheckSlot, Slot

NO_POD = "no Pod has been created"
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=10), timedelta(minutes=10)
"""The Job controller's back-off before another attempt."""
_MOST_DOUBLINGS = 10
"""More than the longest pause needs."""
_SKEW = timedelta(seconds=5)
"""Difference between the clocks of a node and of the Job controller that is ignored."""
_VAGUE = ("", "ContainerCreating", "PodInitializing")
_Result = TypeVar("_Result", RunResult, CheckResult)


@dataclass(frozen=True, slots=True)
class Remains:
    """What still exists in the cluster after the worker has ended."""

    since: datetime | None
    """When the worker ended."""
    containers: tuple[str, ...]
    """Containers that are still running; empty if the Pod is being deleted, or failed because of one of them after the
    worker succeeded.
    """
    deleted: bool = False
    """Whether the Pod is being deleted, which Kubernetes can answer with another attempt."""


@dataclass(frozen=True, slots=True)
class LeavingPod:
    """A Pod that is being deleted and whose worker has not ended."""

    name: str
    node: str
    to_be_gone_at: datetime
    disruption: str = ""
    """Kubernetes' reason, such as PreemptionByScheduler; "" if it gave none."""


@dataclass(frozen=True, slots=True)
class ObservedRun(Purpose):
    """A run or a check: one Job, and the state of its Pods."""

    job: str
    slot: Slot
    created_at: datetime
    phase: Literal["pending", "running", "completed", "failed"]
    deleting: bool = False
    suspended: bool = False
    queue: str = ""
    """Kueue's LocalQueue, if any."""
    queue_position: int | None = None
    """Its position in that queue, from 1, if Kueue reports it."""
    queue_obstacle: str = ""
    """Why it cannot get into that queue, or why the queue does not count all of its Pods."""
    own_workload: bool = False
    """Whether the operator takes it through that queue, and so also ends it there."""
    ended_by_operator: bool = False
    recorded: bool = False
    """Whether its Job is marked as that of a completed run, which the operator does only after recording the run."""
    unfinished: bool = False
    """Whether Kubernetes has not ended the Job of a run that has ended: it could start another attempt."""
    started_at: datetime | None = None
    """When it was last admitted, if it was queued."""
    not_before: datetime | None = None
    """A time of the API server before which it has not started; None if unknown. The Job controller, which dates its
    start, can have another clock.
    """
    timeout_seconds: int | None = None
    """How long after its start Kubernetes ends it, as set at its creation."""
    pending_since: datetime | None = None
    """Since when it has been pending; None if it can wait indefinitely, that is, in a queue and until it has left it.
    """
    running_since: datetime | None = None
    obstacle: str = ""
    """Why a pending run does not start, as the Pod reports it."""
    is_vague: bool = False
    """Whether events of the Job or its Pod may be more specific than the obstacle or the error."""
    retry_pause: timedelta = timedelta(0)
    """How long the Job controller waits before it creates another attempt."""
    queue_time_ms: int | None = None
    """Time from its creation to its start, if it was queued."""
    execution_time_ms: int | None = None
    error: str | None = None
    result: RunResult | None = None
    check: CheckResult | None = None
    """Result of a check; replaces the result of a run."""
    explained: bool = True
    """Whether the outcome is final. False if the run has ended, and the end of one of its Pods is unknown: its result
    may still be read.
    """
    remains: Remains | None = None
    """What still runs after the worker has ended, if Kubernetes would not end the Job, or would retry what has
    succeeded.
    """
    leaving: LeavingPod | None = None
    """The Pod whose worker is still running, although the Job may be suspended already."""

    @property
    def may_start_again(self) -> bool:
        """Whether the Job can still start another attempt, and no mark shows that the run is recorded."""
        return not self.recorded and (self.unfinished or self.phase in ("pending", "running"))


def observe_run(
    job: JobView, pods: Sequence[PodView], queue_position: int | None = None, queue_obstacle: str = ""
) -> ObservedRun:
    """Returns the state of a run from its Job and its Pods, in any order.

    Args:
        job: The Job.
        pods: Its Pods. Those of an earlier Job with the same name, which can still exist for a while, are ignored.
        queue_position: Its position in its queue, from 1, if it is known.
        queue_obstacle: Why it cannot get into its queue, or why the queue does not count all of its Pods.
    """
    own = [pod for pod in pods if pod.job_uid in ("", job.uid)]
    ordered = sorted(own, key=lambda pod: pod.created_at)
    # The times come from two clocks: an API server's for the creation, and the Job controller's for the start.
    queued_for = max(job.started_at - job.created_at, timedelta(0)) if job.queued and job.started_at else None
    run = ObservedRun(
        job=job.name,
        slot=job.slot,
        created_at=job.created_at,
        phase="pending",
        deleting=job.deleting,
        suspended=job.suspended,
        queue=job.queue,
        queue_position=queue_position,
        queue_obstacle=queue_obstacle,
        own_workload=job.has_own_workload and not job.is_contested,
        ended_by_operator=job.ended_by_operator,
        recorded=job.completed,
        started_at=job.started_at,
        not_before=_not_before(job, ordered),
        timeout_seconds=job.timeout_seconds,
        queue_time_ms=None if queued_for is None else _milliseconds(queued_for),
        **{name: getattr(job, name) for name in PURPOSE},
    )
    succeeded = next((pod for pod in reversed(ordered) if pod.exit_code == 0), None)
    if succeeded is not None:
        return _completed(run, job, succeeded)
    if job.outcome or (job.suspended and job.failure is not None):
        # The deadline by which the operator ends a Job does not count while the Job is suspended.
        return _ended(run, job, ordered)
    if job.suspended:
        # Suspending a running Job takes its resources away: its Pods end within their grace period.
        return replace(run, leaving=next(filter(None, map(_leaving, ordered)), None))
    if job.failure is not None and job.started_at is None and not job.had_pod and not ordered:
        # Kubernetes 1.20 does not end a Job whose Pods cannot be created: its time has not started to count.
        return replace(run, phase="failed", error=job.failure)
    return _unended(run, job, ordered)


def _not_before(job: JobView, pods: Sequence[PodView]) -> datetime | None:
    if not job.queued:
        return job.created_at
    # A suspension deletes Pods, so the first one that is not being deleted was created after the last release.
    created = next((pod.created_at for pod in pods if pod.to_be_gone_at is None), None)
    return max((at for at in (job.released_at, created) if at), default=None)


def timed_out(slot: Slot, seconds: int | None) -> str:
    """Returns the error of a run or a check that timed out."""
    if isinstance(slot, CheckSlot):
        return f"timed out after {seconds} s: raise run.check.timeout_seconds or give the check more CPU"
    return f"timed out after {seconds} s: raise run.timeout_seconds or reduce the amount of data"


def split(jobs: Mapping[str, ObservedRun]) -> tuple[dict[str, ObservedRun], dict[str, ObservedRun]]:
    """Runs, and checks."""
    checks = {name: job for name, job in jobs.items() if isinstance(job.slot, CheckSlot)}
    return {name: job for name, job in jobs.items() if name not in checks}, checks


def _completed(run: ObservedRun, job: JobView, pod: PodView) -> ObservedRun:
    """Returns the state of a Job whose worker has succeeded. What happens to the rest of the Pod does not change it."""
    result, check = _results(job, pod)
    # The node's clock dates the end of the worker. If it is behind, the Job's end is more precise.
    earliest = (job.started_at or job.created_at) - _SKEW
    ends = [at for at in (pod.finished_at, job.finished_at) if at and at >= earliest]
    deleted = pod.to_be_gone_at is not None and not pod.succeeded
    outlived = job.outcome is None and (pod.going_on or pod.failed or deleted)
    return replace(
        run,
        phase="completed",
        unfinished=job.outcome is None,
        execution_time_ms=_elapsed(job, min(ends, default=None)),
        result=result,
        check=check,
        remains=Remains(pod.finished_at, pod.going_on, deleted) if outlived else None,
    )


def _ended(run: ObservedRun, job: JobView, pods: list[PodView]) -> ObservedRun:
    """Returns the state of a Job that has ended, and has no Pod whose worker succeeded."""
    run = replace(run, unfinished=job.outcome is None, execution_time_ms=_elapsed(job, job.finished_at))
    if job.outcome == "completed" or job.completed:
        # Pods that are known, if any, belong to earlier attempts.
        return replace(run, phase="completed", explained=job.completed)
    counted = [pod for pod in pods if pod.terminated and not _is_ignored(job, pod)]
    last = counted[-1] if counted else None
    result, check = _results(job, last)
    return replace(
        run,
        phase="failed",
        result=result,
        check=check,
        error=_error(job, last, result or check),
        is_vague=job.failure is None and not pods and not job.had_pod,
        explained=_is_explained(job, pods, len(counted)),
    )


def _is_explained(job: JobView, pods: list[PodView], counted: int) -> bool:
    """Returns whether the end of each Pod of a failed Job is known, as far as the Job's status tells.

    Kubernetes reports the failure of a Job before its last Pod has ended, and before it counts that Pod.
    """
    if not all(pod.terminated for pod in pods) or not job.uncounted_pods <= {pod.uid for pod in pods}:
        return False
    if counted:
        return counted >= job.failed_pods
    return job.failure is not None and not job.had_pod


def _is_ignored(job: JobView, pod: PodView) -> bool:
    """Returns whether the Job's podFailurePolicy does not count a Pod that has ended as an attempt."""
    return job.ignores_disruptions and pod.disrupted and pod.exit_code != ExitCode.MISCONFIGURED


def _unended(run: ObservedRun, job: JobView, pods: list[PodView]) -> ObservedRun:
    for pod in pods:
        if pod.running:
            since = pod.running_since or pod.created_at
            return replace(run, phase="running", running_since=since, leaving=_leaving(pod))
    last = pods[-1] if pods else None
    if last and last.terminated and last.going_on:
        # The Job controller waits for the whole Pod, so it never makes another attempt.
        result, check = _results(job, last)
        remains = Remains(last.finished_at, last.going_on)
        return replace(run, phase="running", error=_error(job, last, result or check), remains=remains)
    # The timeout of a Job that its queue has just released has not started yet.
    begin = job.started_at or (None if job.queued else job.created_at)
    obstacle, is_vague = _obstacle(job, last)
    return replace(
        run,
        pending_since=begin and max([begin, *(pod.finished_at or pod.created_at for pod in pods)]),
        retry_pause=_retry_pause(pods) if last and last.terminated else timedelta(0),
        obstacle=obstacle,
        is_vague=is_vague,
    )


def _leaving(pod: PodView) -> LeavingPod | None:
    if not pod.running or pod.to_be_gone_at is None:
        return None
    return LeavingPod(pod.name, pod.node, pod.to_be_gone_at, pod.disruption)


def _retry_pause(pods: Sequence[PodView]) -> timedelta:
    # Evictions do not count as attempts, so a run can have any number of ended Pods.
    doublings = min(sum(pod.terminated for pod in pods) - 1, _MOST_DOUBLINGS)
    return min(_FIRST_PAUSE * 2.0**doublings, _LONGEST_PAUSE)


def _error(job: JobView, pod: PodView | None, result: RunResult | CheckResult | None) -> str:
    if job.failure:
        return job.failure
    if job.outcome_reason == "DeadlineExceeded":
        return timed_out(job.slot, job.timeout_seconds)
    if pod and pod.reason == "OOMKilled":
        limit = f" of {pod.memory_limit}" if pod.memory_limit else ""
        field = "run.check.resources" if isinstance(job.slot, CheckSlot) else "run.resources"
        return f"OOMKilled: the worker needed more than its memory limit{limit}: raise {field}.limits.memory"
    if result and result.error:
        return result.error
    if pod and pod.exit_code is not None:
        reason = error_line(pod.message) or pod.reason
        return f"the worker ended with exit code {pod.exit_code}" + (f": {reason}" if reason else "")
    reason = (pod and (error_line(pod.message) or pod.reason)) or error_line(job.outcome_message) or job.outcome_reason
    return reason or "the Job failed without giving a reason"


def _results(job: JobView, pod: PodView | None) -> tuple[RunResult | None, CheckResult | None]:
    """Returns the worker's result: a RunResult for a run, a CheckResult for a check."""
    if isinstance(job.slot, CheckSlot):
        return None, _result(CheckResult.model_validate_json, pod)
    read = READERS.get(job.action)
    if read is not None and pod is not None:
        return read(pod.message, pod.exit_code == 0), None
    return _result(RunResult.model_validate_json, pod), None


def _result(read: Callable[[str], _Result], pod: PodView | None) -> _Result | None:
    if pod is None or not pod.message.startswith("{"):
        return None
    try:
        return read(pod.message)
    except ValidationError:
        return None


def _obstacle(job: JobView, pod: PodView | None) -> tuple[str, bool]:
    """Returns the obstacle, and whether its description is vague."""
    if pod is None:
        return NO_POD, True
    if pod.exit_code is not None:
        # The message is JSON, of which users need only the error.
        result, check = _results(job, pod)
        return f"the last attempt failed: {_error(job, pod, result or check)}", False
    reason = ": ".join(part for part in (pod.reason, error_line(pod.message)) if part)
    return reason or "the Pod has not started", pod.reason in _VAGUE and not pod.message


def _elapsed(job: JobView, until: datetime | None) -> int | None:
    started = job.started_at or (None if job.queued else job.created_at)
    return None if until is None or started is None else _milliseconds(max(until - started, timedelta(0)))


def _milliseconds(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
