"""Records runs that exist, counts runs that ended, and ends runs that cannot start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from clustercontract.run import DocumentCounts
from clustertrigger.api.conditions import EventReason
from clustertrigger.api.status import Execution
from clustertrigger.core.actions.registry import action_of
from clustertrigger.core.actions.work import in_words
from clustertrigger.core.decision import CountEvents, LookUpJob, RunEvent
from clustertrigger.core.draft import MOST_KEPT, Draft, is_active, with_entry
from clustertrigger.core.events.chains import RUN_COMPLETED, lengthened
from clustertrigger.core.instants import format_instant
from clustertrigger.core.jobs.slot import CheckSlot, EventSlot, ManualSlot, ScheduledSlot, Slot
from clustertrigger.core.jobs.workload import ObservedRun
from clustertrigger.core.policies import event_threshold
from clustertrigger.core.policies.overdue import what_went_on, why_failed

SETTLING = timedelta(seconds=5)
"""A run that ends within this time is never shown as running, which saves one of four writes."""

MOST_SKEW = timedelta(minutes=1)
"""Maximum difference between API servers' clocks, for a manually requested Job that ended before the operator saw it.
"""


def record_new_runs(draft: Draft) -> None:
    """Adds every Job of the operator to the history, whether or not this process created it.

    An active run that was recorded while the clock was far ahead counts from now.
    """
    draft.status.history = [
        replace(entry, triggered_at=draft.now) if is_active(entry) and draft.is_ahead(entry.triggered_at) else entry
        for entry in draft.history
    ]
    known = {entry.job_id for entry in draft.history}
    fresh = [run for run in draft.observed.runs.values() if run.job not in known and _is_new(draft, run)]
    for run in sorted(fresh, key=lambda run: (run.created_at, str(run.slot))):
        latest = draft.before.last_triggered_at
        triggered_at = run.created_at if latest is None or draft.is_ahead(latest) else max(run.created_at, latest)
        entry = Execution(
            job_id=run.job,
            slot=str(run.slot),
            triggered_at=triggered_at,
            status="pending",
            action_type=None if run.action == "cluster" else run.action,
            mode=run.mode,
            reruns=run.reruns,
            action_config=run.config,
            outputs=list(run.outputs) or None,
            announces=list(run.announces) or None,
            volumes=None if run.volumes is None else list(run.volumes),
            secrets=None if run.secrets is None else list(run.secrets),
        )
        draft.status.history = [entry, *draft.history]
        draft.note(EventReason.RUN_CREATED, f"Created Job {run.job} for {_for(run.slot)}")
        match run.slot:
            case ManualSlot(token):
                draft.status.last_run_requested = token
            case EventSlot(ordinal):
                event_threshold.consume(draft, ordinal, run.created_at)
            case ScheduledSlot(instant):
                draft.account_for(instant)


def _is_new(draft: Draft, run: ObservedRun) -> bool:
    """Returns whether a run that is absent from the history is new.

    The history limit drops ended runs, but none whose Job is unfinished and has no mark. A Job has the creation time of
    its API server, and of several servers one may be behind. A run that is still active, or whose slot is not recorded
    yet, is new regardless of its time.

    Times of a clock that was far ahead come again. Then the time of a Job does not show whether it was recorded before,
    and dropped, and neither does its slot. A Job of a later time than all recorded ones was not recorded.
    """
    before = draft.before
    latest = before.last_triggered_at
    if run.recorded:
        return False
    if run.phase in ("pending", "running"):
        return True
    ahead_until = draft.schedule_state.ahead_until
    if draft.is_ahead(run.created_at) and (ahead_until is None or run.created_at > ahead_until):
        return True
    is_dated = run.created_at <= draft.now and not draft.is_of_time_ahead(run.created_at)
    if is_dated and (latest is None or run.created_at >= latest):
        return True
    match run.slot:
        case ScheduledSlot(instant):
            schedule, check = before.schedule_state, draft.status.check_state
            is_found = check is not None and check.due == instant
            is_due = schedule is not None and schedule.accounted_until < instant <= draft.now
            return is_found or (is_due and not draft.is_of_time_ahead(instant))
        case EventSlot(ordinal):
            events = before.event_state
            return events is not None and ordinal > events.total - before.event_counter
        case ManualSlot(token):
            # A token can be requested again, after others. Then its earlier Job was recorded and dropped.
            is_waiting = token == draft.trigger.run_requested and token != before.last_run_requested
            return is_waiting and (latest is None or run.created_at >= latest - MOST_SKEW)
        case _:
            return False


def settle_runs(draft: Draft) -> None:
    """Records the results of runs that ended or whose Job was deleted, and counts them."""
    for entry in reversed(draft.history):
        if not is_active(entry):
            continue
        run = draft.observed.runs.get(entry.job_id)
        looked_up = entry.job_id in draft.observed.looked_up
        if run is None:
            if looked_up:
                _settle(draft, _gone(draft, entry))
            else:
                draft.do(LookUpJob(entry.job_id))
        elif run.phase in ("completed", "failed"):
            if not run.explained and not looked_up:
                draft.do(LookUpJob(entry.job_id))
            elif events := tuple(_to_count(draft, run)):
                # The events are counted before the status records the end of the run. An operator that is killed in
                # between counts them again, and the triggers recognize them by the Job's name.
                draft.do(CountEvents(run.job, events, lengthened(run.chain, draft.trigger.key.name)))
            else:
                _settle(draft, _outcome(draft, entry, run), run)


def _to_count(draft: Draft, run: ObservedRun) -> Iterator[RunEvent]:
    """Counts a completed run as an event of other triggers, unless that was done before."""
    if run.phase != "completed" or run.job in draft.observed.counted:
        return
    documents = run.result.documents if run.result else None
    if documents is not None and run.processes:
        for event_type, count in documents.events():
            yield RunEvent(event_type, count, run.processes)
    # No trigger waits for most runs, so no further decision is needed for them.
    if awaited := tuple(name for name in run.announces if name in draft.observed.awaited):
        yield RunEvent(RUN_COMPLETED, 1, awaited)


def trim_history(draft: Draft) -> None:
    """Keeps the active runs, and the newest ended ones."""
    spec = draft.trigger.spec
    limit = spec.run.history_limit if spec else 10
    kept, ended = [], 0
    for entry in draft.history:
        ended += not is_active(entry)
        if is_active(entry) or ended <= limit or (ended <= MOST_KEPT and _would_look_new(draft, entry)):
            kept.append(entry)
    if len(kept) < len(draft.history):
        draft.status.history = kept


def _would_look_new(draft: Draft, entry: Execution) -> bool:
    """Returns whether an ended run would be recorded again: its Job is unfinished, or of the newest second."""
    run, newest = draft.observed.runs.get(entry.job_id), draft.history[0].triggered_at
    return run is not None and (run.may_start_again or (run.created_at >= newest and not draft.is_ahead(newest)))


def show_last_run(draft: Draft) -> None:
    """Sets the status fields that describe the newest run."""
    if not draft.history:
        return
    last = draft.history[0]
    draft.status.last_triggered_at = last.triggered_at
    draft.status.last_execution_job_id = last.job_id
    draft.status.last_execution_task_id = last.job_id
    draft.status.last_execution_status = last.status
    draft.status.last_execution_error = last.error


def show_running(draft: Draft) -> None:
    """Shows a run as running after a while, because a short one is not worth a separate write.

    This policy is the last one: if the status is written for another reason, the run is shown at once.
    """
    for entry in draft.history:
        run = draft.observed.runs.get(entry.job_id)
        if run is None:
            continue
        if entry.status == "running" and run.suspended:
            # The run was preempted and waits in its queue again.
            _show(draft, replace(entry, status="pending"))
        elif entry.status == "pending" and run.phase == "running" and run.running_since is not None:
            settled = run.running_since + SETTLING
            # The node's clock dates the start, and can be ahead.
            if draft.now >= settled or settled > draft.now + 2 * SETTLING or draft.is_written:
                _show(draft, replace(entry, status="running"))
            else:
                draft.wake(settled)


def _show(draft: Draft, changed: Execution) -> None:
    draft.status.history = with_entry(draft.history, changed)
    show_last_run(draft)


def _outcome(draft: Draft, entry: Execution, run: ObservedRun) -> Execution:
    result, went_on = run.result, what_went_on(run)
    return replace(
        entry,
        status="completed" if run.phase == "completed" else "failed",
        error=why_failed(draft, run),
        queue_time_ms=run.queue_time_ms,
        execution_time_ms=run.execution_time_ms,
        num_clusters=result.num_clusters if result else None,
        num_documents=result.num_documents if result else None,
        results_uri=result.results_uri if result else None,
        **_documents(result.documents if result else None),
        notes=[*(result.notes if result else ()), *([went_on] if went_on else ())] or None,
    )


def _documents(documents: DocumentCounts | None) -> dict[str, Any]:
    return documents.model_dump() if documents else {}


def _gone(draft: Draft, entry: Execution) -> Execution:
    newer = next((run for run in draft.history if run.triggered_at >= entry.triggered_at and run is not entry), None)
    spec = draft.trigger.spec
    if newer is not None and spec is not None and spec.run.concurrency_policy == "Replace":
        error = f"replaced by {newer.job_id} (run.concurrency_policy: Replace)"
    else:
        error = "the Job was deleted before it ended"
    return replace(entry, status="failed", error=error)


def _settle(draft: Draft, ended: Execution, run: ObservedRun | None = None) -> None:
    status = draft.status
    status.history = with_entry(draft.history, ended)
    if ended.status == "completed":
        status.execution_count += 1
        status.consecutive_failures = 0
        found = ""
        if run and run.result:
            action_of(run.action).remember(status, run.job, run.collections, run.result)
            found = f": {summary}" if (summary := in_words(run.result)) else ""
        changes = run.result.changes if run and run.result else None
        since = f"; since {changes.since}: {changes.summary}" if changes else ""
        draft.note(EventReason.RUN_COMPLETED, f"Run {ended.job_id} completed{_took(ended)}{found}{since}")
        if run and (went_on := what_went_on(run)):
            draft.note(EventReason.WORKER_OUTLIVED, f"Run {ended.job_id}: {went_on}", series="run")
        return
    status.failure_count += 1
    if run is None:
        # Whether a run was deleted or replaced on request, which does not predict that the next run fails.
        draft.note(EventReason.RUN_DELETED, f"Run {ended.job_id} did not end: {ended.error}")
        return
    status.consecutive_failures += 1
    draft.warn(EventReason.RUN_FAILED, f"Run {ended.job_id} failed{_took(ended)}: {ended.error}")


def _took(ended: Execution) -> str:
    elapsed = ended.execution_time_ms
    return "" if elapsed is None else f" after {elapsed / 1000:.0f} s"


def _for(slot: Slot) -> str:
    match slot:
        case ManualSlot(token):
            return f"the request {token!r}"
        case EventSlot(ordinal):
            return f"event {ordinal}"
        case ScheduledSlot(instant) | CheckSlot(instant):
            return f"the slot {format_instant(instant)}"
