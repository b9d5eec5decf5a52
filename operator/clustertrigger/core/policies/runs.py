"""Policies on runs: those that exist are recorded, those that ended are counted, those that cannot start are ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from clustertrigger.api.conditions import EventReason
from clustertrigger.api.status import Execution, LastResult
from clustertrigger.core.decision import LookUpJob
from clustertrigger.core.draft import Draft, is_active, replace_entry
from clustertrigger.core.instants import format_instant
from clustertrigger.core.jobs.slot import CheckSlot, EventSlot, ManualSlot, ScheduledSlot, Slot
from clustertrigger.core.jobs.workload import ObservedRun
from clustertrigger.core.policies import event_firing
from clustertrigger.core.policies.overdue import what_went_on, why_failed

SETTLING = timedelta(seconds=5)
"""A run that ends within this time is never shown as running: it costs three writes, not four."""


def record_new_runs(draft: Draft) -> None:
    """Every Job of ours is in the history. Whether this process created it or one that was killed does not matter."""
    known = {entry.job_id for entry in draft.history}
    latest = draft.before.last_triggered_at
    fresh = [
        run
        for run in draft.observed.runs.values()
        # Older ones are finished Jobs whose entries the history limit has dropped.
        if run.job not in known and (latest is None or run.created_at >= latest)
    ]
    for run in sorted(fresh, key=lambda run: (run.created_at, str(run.slot))):
        entry = Execution(job_id=run.job, slot=str(run.slot), triggered_at=run.created_at, status="pending")
        draft.set(history=[entry, *draft.history])
        draft.note(EventReason.RUN_CREATED, f"Created Job {run.job} for {_for(run.slot)}")
        match run.slot:
            case ManualSlot(token):
                draft.set(last_run_requested=token)
            case EventSlot(ordinal):
                event_firing.consume(draft, ordinal, run.created_at)
            case ScheduledSlot(instant):
                draft.account_for(instant)


def settle_runs(draft: Draft) -> None:
    """Runs that ended, or whose Job is gone, get their result and are counted."""
    for entry in reversed(draft.history):
        if not is_active(entry):
            continue
        run = draft.observed.runs.get(entry.job_id)
        asked = entry.job_id in draft.observed.looked_up
        if run is None:
            if asked:
                _settle(draft, entry, _gone(draft, entry))
            else:
                draft.do(LookUpJob(entry.job_id))
        elif run.phase in ("completed", "failed"):
            if run.explained or asked:
                _settle(draft, entry, _outcome(draft, run), run)
            else:
                draft.do(LookUpJob(entry.job_id))


def show_running(draft: Draft, *, at_once: bool) -> None:
    """A run that has been running for a while is shown so; a short one is not worth a write of its own.

    Args:
        draft: the decision.
        at_once: the status is written anyway.
    """
    for entry in draft.history:
        run = draft.observed.runs.get(entry.job_id)
        if entry.status == "running" and run is not None and run.suspended:
            # Preempted: it waits in its queue again.
            draft.set(history=replace_entry(draft.history, entry.job_id, {"status": "pending"}))
            show_last_run(draft)
        if entry.status != "pending" or run is None or run.phase != "running" or run.running_since is None:
            continue
        settled = run.running_since + SETTLING
        if at_once or draft.now >= settled:
            draft.set(history=replace_entry(draft.history, entry.job_id, {"status": "running"}))
            show_last_run(draft)
        else:
            draft.wake(settled)


def trim_history(draft: Draft) -> None:
    """Active runs stay; of the ended ones, the newest."""
    spec = draft.trigger.spec
    limit = spec.run.history_limit if spec else 10
    kept, ended = [], 0
    for entry in draft.history:
        ended += not is_active(entry)
        # One of the newest second must stay: its Job would look new.
        if is_active(entry) or ended <= limit or entry.triggered_at >= draft.history[0].triggered_at:
            kept.append(entry)
    if len(kept) < len(draft.history):
        draft.set(history=kept)


def show_last_run(draft: Draft) -> None:
    """The status fields that speak of the newest run."""
    if not draft.history:
        return
    last = draft.history[0]
    draft.set(
        last_triggered_at=last.triggered_at,
        last_execution_job_id=last.job_id,
        last_execution_task_id=last.job_id,
        last_execution_status=last.status,
        last_execution_error=last.error,
    )


def _outcome(draft: Draft, run: ObservedRun) -> dict[str, Any]:
    result = run.result
    went_on = what_went_on(run)
    return {
        "status": run.phase,
        "error": why_failed(draft, run),
        "queue_time_ms": run.queue_time_ms,
        "execution_time_ms": run.execution_time_ms,
        "num_clusters": result and result.num_clusters,
        "num_documents": result and result.num_documents,
        "results_uri": result and result.results_uri,
        "notes": [*(result.notes if result else ()), *([went_on] if went_on else ())] or None,
    }


def _gone(draft: Draft, entry: Execution) -> dict[str, Any]:
    newer = next((run for run in draft.history if run.triggered_at >= entry.triggered_at and run is not entry), None)
    spec = draft.trigger.spec
    if newer is not None and spec is not None and spec.run.concurrency_policy == "Replace":
        error = f"replaced by {newer.job_id} (run.concurrency_policy: Replace)"
    else:
        error = "the Job was deleted before it ended"
    return {"status": "failed", "error": error}


def _settle(draft: Draft, entry: Execution, outcome: dict[str, Any], run: ObservedRun | None = None) -> None:
    draft.set(history=replace_entry(draft.history, entry.job_id, outcome))
    if outcome["status"] == "completed":
        draft.set(execution_count=draft.get("execution_count") + 1, consecutive_failures=0)
        if run and run.result and run.result.baseline:
            made_for = {"collections": run.collections} if run.collections else {}
            draft.set(baseline_snapshot={**run.result.baseline.model_dump(mode="json"), **made_for})
        if run and (found := run.result):
            draft.set(last_result=LastResult(job_id=run.job, num_noise=found.num_noise, clusters=found.clusters))
        draft.note(EventReason.RUN_COMPLETED, f"Run {entry.job_id} completed{_took(outcome)}{_found(outcome)}")
        if run and (went_on := what_went_on(run)):
            draft.note(EventReason.WORKER_OUTLIVED, f"Run {entry.job_id}: {went_on}", series="run")
        return
    draft.set(failure_count=draft.get("failure_count") + 1)
    if run is None:
        # Deleted or replaced: somebody's wish, not a sign that the next run would fail.
        draft.note(EventReason.RUN_DELETED, f"Run {entry.job_id} did not end: {outcome['error']}")
        return
    draft.set(consecutive_failures=draft.get("consecutive_failures") + 1)
    draft.warn(EventReason.RUN_FAILED, f"Run {entry.job_id} failed{_took(outcome)}: {outcome['error']}")


def _took(outcome: dict[str, Any]) -> str:
    elapsed = outcome.get("execution_time_ms")
    return "" if elapsed is None else f" after {elapsed / 1000:.0f} s"


def _found(outcome: dict[str, Any]) -> str:
    if outcome.get("num_clusters") is None:
        return ""
    return f": {outcome['num_clusters']} clusters of {outcome['num_documents']} documents"


def _for(slot: Slot) -> str:
    match slot:
        case ManualSlot(token):
            return f"the request {token!r}"
        case EventSlot(ordinal):
            return f"event {ordinal}"
        case ScheduledSlot(instant) | CheckSlot(instant):
            return f"the slot {format_instant(instant)}"
