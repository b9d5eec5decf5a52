"""Ends runs and checks that Kubernetes would not end, or not in time. Design record: docs/design/sidecars.md."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from clustertrigger.core.decision import AskWhy, DeleteJob, EndJob, LookUpJob
from clustertrigger.core.draft import Draft, is_active
from clustertrigger.core.instants import format_instant
from clustertrigger.core.jobs.queue_position import describe_position
from clustertrigger.core.jobs.workload import NO_POD, LeavingPod, ObservedRun, timed_out

OVERDUE = timedelta(seconds=10)
"""How long after a run's deadline the operator ends the run itself."""
_LONGEST_TIMEOUT = 10 * 366 * 86_400
"""Maximum number of seconds, because users can change the activeDeadlineSeconds of a Job to any number."""
WAITING = timedelta(seconds=30)
"""How long a Pod can take to start before a condition reports what it waits for."""
ASK_AGAIN = timedelta(seconds=60)
"""Minimum time until the events that explain why a Pod does not start are read again."""
LINGERING = timedelta(seconds=5)
"""How long the other containers of a Pod can run after its worker. Many sidecars notice the worker's end and stop."""
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
LEAVING = timedelta(seconds=30)
"""How long after its grace period a Pod that is being deleted can still exist before this is reported."""
_DISRUPTIONS = {
    "PreemptionByScheduler": "preempted by a more urgent Pod",
    "EvictionByEvictionAPI": "evicted, for example because its node is drained",
    "DeletionByTaintManager": "evicted by a taint of its node",
    "DeletionByPodGC": "its node no longer exists",
    "TerminationByKubelet": "ended by its node, which is shutting down or short of resources",
}
"""Texts for the reasons of the Pod condition DisruptionTarget. With none of them, an attempt counts as failed."""


def end_runs_that_cannot_start(draft: Draft) -> None:
    """Ends a run or check whose Pod does not start in time, with the Pod's own reason.

    Time in a queue does not count.
    """
    spec = draft.trigger.spec
    patience = timedelta(seconds=spec.run.pending_timeout_seconds if spec else 600)
    for run in draft.active_jobs():
        pending_since = _in_the_past(draft, run, run.pending_since)
        if run.phase != "pending" or run.suspended or pending_since is None or run.ended_by_operator:
            continue
        if run.retry_pause and run.pending_since is not None and draft.is_ahead(run.pending_since):
            continue  # When the last attempt ended is unknown, because the clock of its node was wrong.
        begin = pending_since + run.retry_pause
        deadline = begin + patience
        if draft.now < deadline:
            report_at = begin + WAITING
            draft.wake(deadline)
            if run.is_vague:
                _ask_why(draft, run, report_at)
            elif draft.now < report_at:
                draft.wake(report_at)
        elif run.is_vague and run.job not in draft.observed.looked_up:
            draft.do(LookUpJob(run.job))
        else:
            why = _in_whose_words(draft, run) or run.obstacle
            reason = f"did not start within {patience.total_seconds():.0f} s (run.pending_timeout_seconds): {why}"
            draft.do(EndJob(run.job, reason, unstarted=run.started_at is None))


def end_runs_that_outlive_their_deadline(draft: Draft) -> None:
    """Ends a run after its deadline. Kubernetes should do so, but its Job controller sometimes misses a deadline."""
    for run in draft.active_jobs():
        if run.phase not in ("pending", "running") or run.ended_by_operator:
            continue
        begin = _in_the_past(draft, run, run.started_at or run.pending_since)
        if begin is None or run.timeout_seconds is None:
            continue
        overdue = begin + timedelta(seconds=min(run.timeout_seconds, _LONGEST_TIMEOUT)) + OVERDUE
        if draft.now < overdue:
            draft.wake(overdue)
        elif run.is_vague and run.job not in draft.observed.looked_up:
            draft.do(LookUpJob(run.job))
        else:
            words = _in_whose_words(draft, run)
            reason = f"{run.obstacle}: {words}" if words else timed_out(run.slot, run.timeout_seconds)
            draft.do(EndJob(run.job, reason, unstarted=run.started_at is None))


def end_jobs_that_outlive_their_worker(draft: Draft) -> None:
    """Ends containers that run longer than the worker. The result of a completed worker is stored first."""
    for run in (*draft.observed.runs.values(), *draft.observed.checks.values()):
        if run.remains is None or run.deleting or (run.ended_by_operator and not run.suspended):
            continue
        if run.phase != "completed" and run.job not in _unrecorded(draft):
            continue  # It is another attempt.
        # The node's clock dates the end of the worker. If it is ahead, the other containers get no more time.
        since = run.remains.since or draft.now
        lingers = bool(run.remains.containers) and since <= draft.now + LINGERING
        until = since + LINGERING if lingers else draft.now
        if draft.now < until:
            draft.wake(until)
        elif run.phase != "completed":
            draft.do(EndJob(run.job, f"{run.error} ({_named(run)} was still running, so Kubernetes would not retry)"))
        elif run.job in _unrecorded(draft):
            draft.wake(draft.now)
        else:
            _end_recorded(draft, run, f"{_what_remains(run)} after the worker had completed")


def end_jobs_that_start_again(draft: Draft) -> None:
    """Ends the Job of a recorded run or check that would make another attempt.

    The Pod of its completed worker is gone, or the Job was suspended before the operator's deadline ended it.
    """
    for run in (*draft.observed.runs.values(), *draft.observed.checks.values()):
        if run.deleting:
            continue
        if run.phase == "failed" and run.unfinished and run.suspended:
            if run.job in _unrecorded(draft):
                draft.wake(draft.now)
            else:
                _end_recorded(draft, run, str(run.error))
        elif run.phase in ("pending", "running") and (run.recorded or _is_completed(draft, run.job)):
            _end_recorded(draft, run, "its Pod was deleted after the worker had completed")


def _is_completed(draft: Draft, job: str) -> bool:
    """Returns whether the status has recorded that a worker completed; a check that ended has no other attempt."""
    return any(entry.job_id == job and entry.status == "completed" for entry in draft.before.history) or any(
        check.job_id == job and check.status != "pending" for check in draft.before.checks
    )


def _unrecorded(draft: Draft) -> set[str]:
    """Returns the runs and checks whose end this decision is the first to record."""
    ended = {entry.job_id for entry in draft.before.history if not is_active(entry)}
    ended |= {check.job_id for check in draft.before.checks if check.status != "pending"}
    return draft.recorded() - ended


def _end_recorded(draft: Draft, run: ObservedRun, reason: str) -> None:
    """Ends the Job of a recorded run. It must not start again when its queue admits it."""
    waits_in_vain = run.suspended and not run.own_workload
    if waits_in_vain and (run.recorded or run.phase == "failed"):
        # The deadline of a suspended Job does not count, and resuming it is up to its queue. It has no Pods to keep.
        # A completed run has a mark by then, because a late report of its Job would look like a new run.
        draft.do(DeleteJob(run.job))
    elif waits_in_vain or not run.ended_by_operator:
        draft.do(EndJob(run.job, reason, completed=True, unstarted=run.started_at is None))


def what_went_on(run: ObservedRun) -> str | None:
    """Returns a description of what still runs after a worker has completed."""
    if run.remains is None:
        return None
    if run.remains.deleted:
        return "the Pod was deleted after the worker had completed, so the operator ended the Job"
    if not run.remains.containers:
        return "another container of the Pod failed after the worker had completed, so the operator ended the Job"
    summary = f"{_named(run)} was still running after the worker had completed, so the operator ended the Job"
    return f"{summary}: make it a native sidecar, or exclude it from the Pod"


def why_failed(draft: Draft, run: ObservedRun) -> str | None:
    """Returns why a run failed. If it never had a Pod, this is the API server's reason for refusing the Pod."""
    refused = None if run.ended_by_operator else _in_whose_words(draft, run)
    return f"{NO_POD}: {refused}" if refused else run.error


def waits_for(draft: Draft, job: str) -> str | None:
    """Describes what an active run waits for, if this can take long and no other condition reports it."""
    run = draft.observed.runs.get(job)
    if run is None:
        return None
    if run.suspended:
        place = f"queued in LocalQueue {run.queue}{describe_position(run.queue_position)}" if run.queue else "suspended"
        if run.queue_obstacle:
            return f"{place}: {run.queue_obstacle}"
        if run.leaving is None:
            return place
        why = "it was preempted, and " if run.queue else ""
        return f"{place}: {why}Pod {run.leaving.name} ends by {_gone_by(run.leaving)}"
    pending_since = _in_the_past(draft, run, run.pending_since)
    if run.phase == "pending" and pending_since is not None:
        late = draft.now >= pending_since + run.retry_pause + WAITING
        if late:
            return f"does not start: {_in_whose_words(draft, run) or run.obstacle}"
    if run.leaving is None:
        return run.queue_obstacle or None
    report_at = run.leaving.to_be_gone_at + LEAVING
    if draft.now < report_at:
        draft.wake(report_at)
        cause = _DISRUPTIONS.get(run.leaving.disruption)
        if cause is None or run.ended_by_operator:
            return None
        return f"{cause}: Pod {run.leaving.name} ends by {_gone_by(run.leaving)}, and the run starts again"
    return (
        f"waits for Pod {run.leaving.name} on node {run.leaving.node or 'unknown'}, which should have ended at "
        f"{_gone_by(run.leaving)}: if the node is down, delete the node, or the Pod with --force"
    )


def _in_the_past(draft: Draft, run: ObservedRun, at: datetime | None) -> datetime | None:
    """Returns a time since which a run starts or runs, but none before it can have started.

    The Job controller and the nodes have clocks of their own. If one was far ahead, the API server's time counts; and
    if that one was ahead, the record of the run. A check has no such record. It counts as overdue, and the next slot
    repeats it. If no time of the API server is known of a Job that has left its queue, the result is None: its Pod will
    have one, and Kubernetes applies the deadline by the Job controller's own clock.
    """
    if at is None:
        return None
    not_before = run.not_before or (None if run.queue else run.created_at)
    if not_before is not None and draft.is_ahead(not_before):
        not_before = next((entry.triggered_at for entry in draft.history if entry.job_id == run.job), _LONG_AGO)
    if draft.is_ahead(at):
        return not_before
    return at if not_before is None else max(at, not_before)


def _gone_by(pod: LeavingPod) -> str:
    return format_instant(pod.to_be_gone_at)


def _ask_why(draft: Draft, run: ObservedRun, report_at: datetime) -> None:
    """Requests the events of a Pod that does not start.

    The reasons can change, so events are read repeatedly, with growing intervals.
    """
    asked_at = draft.observed.asked_at.get(run.job)
    if asked_at is not None and draft.is_ahead(asked_at):
        asked_at = None
    due = report_at if asked_at is None else asked_at + max(ASK_AGAIN, asked_at - report_at)
    if draft.now < due:
        draft.wake(due)
    else:
        draft.do(AskWhy(run.job))


def _in_whose_words(draft: Draft, run: ObservedRun) -> str | None:
    return draft.observed.warnings.get(run.job) if run.is_vague else None


def _what_remains(run: ObservedRun) -> str:
    return "its Pod was deleted" if run.remains and run.remains.deleted else f"{_named(run)} was still running"


def _named(run: ObservedRun) -> str:
    names = run.remains.containers if run.remains else ()
    return f"container {names[0]}" if len(names) == 1 else f"containers {', '.join(names)}" if names else "the Pod"
