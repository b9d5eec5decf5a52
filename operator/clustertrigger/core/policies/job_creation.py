"""What all that fire have in common: the Job of a slot is asked for, unless something is in its way."""

from __future__ import annotations

from datetime import datetime

from clustercontract.run import PreviousRun
from clustertrigger.api.trigger import ClusterTriggerSpec
from clustertrigger.core.actions.work import Work
from clustertrigger.core.decision import CreateJob, DeleteJob, Refusal
from clustertrigger.core.draft import Draft
from clustertrigger.core.jobs.jobs import build_job
from clustertrigger.core.jobs.slot import RunSlot
from clustertrigger.core.policies.baseline import baseline_of
from clustertrigger.core.policies.overdue import waits_for
from clustertrigger.core.resources.catalog import Unresolved

MOST_ACTIVE = 100
"""Runs of one trigger at the same time: all of them are in its history."""


def launch(draft: Draft, spec: ClusterTriggerSpec, name: str, slot: RunSlot, deadline: datetime) -> None:
    """Asks for the Job of a run's slot, or for another look when that may succeed, at the latest at its deadline.

    An active check is deleted, because the run is about to replace the baseline that it compares with.
    """
    work = work_to_start(draft, name, deadline)
    if work is None:
        return
    draft.do(*(DeleteJob(check.job_id) for check in draft.active_checks()))
    if spec.run.concurrency_policy == "Replace":
        draft.do(*(DeleteJob(entry.job_id) for entry in draft.active_runs()))
    defaults, last_result = draft.observed.defaults, draft.status.last_result
    manifest = build_job(draft.trigger, spec, work, name, slot, defaults, _previous_run(draft, work), last_result)
    create(draft, CreateJob(name, slot, manifest), deadline)


def _previous_run(draft: Draft, work: Work) -> PreviousRun | None:
    """The run after whose clusters those of this one are numbered."""
    before, found = work.follows(baseline_of(draft), draft.history), draft.status.last_result
    if before is None:
        return None
    run, folder = before
    return PreviousRun(run=run, uri=folder, next_cluster_id=(found.next_cluster_id if found else None) or 0)


def create(draft: Draft, job: CreateJob, deadline: datetime) -> None:
    """Asks for a Job, and says until when that is what is to be done: its own deadline, or the next slot."""
    draft.do(job)
    draft.wake(deadline)
    if slots := draft.timetable:
        draft.wake(slots.next_after(draft.now))


def work_to_start(draft: Draft, name: str, deadline: datetime) -> Work | None:
    """What the Job of this name is to do; None where it must wait, and then another look is asked for."""
    work = draft.observed.work
    draft.overdue = True
    if not isinstance(work, Work):
        # The Ready condition says what is missing; what appears in time still fires.
        draft.wake(deadline)
        return None
    refusal = draft.observed.refusals.get(name)
    if refusal is not None:
        draft.held = refusal
        if draft.now < refusal.retry_at:
            draft.wake(min(refusal.retry_at, deadline))
            return None
    return work


def why_needless(draft: Draft) -> str | None:
    """Why a run would do nothing now, as its action sees it."""
    work = draft.observed.work
    return work.why_needless(draft.history) if isinstance(work, Work) else None


def in_the_way(draft: Draft, spec: ClusterTriggerSpec) -> str | None:
    """Why nothing may start now, as concurrency_policy has it."""
    active = draft.active_runs()
    if active and spec.run.concurrency_policy == "Forbid":
        waiting = waits_for(draft, active[0].job_id)
        is_active = "is still active" + (f", {waiting}" if waiting else "")
        return f"run {active[0].job_id} {is_active} (run.concurrency_policy: Forbid)"
    if len(active) >= MOST_ACTIVE and spec.run.concurrency_policy == "Allow":
        return f"{len(active)} runs are still active, which is the maximum (run.concurrency_policy: Allow)"
    return None


def why_missed(draft: Draft, spec: ClusterTriggerSpec, name: str) -> str:
    """Why a slot that reached its starting deadline did not fire."""
    why = f"older than run.starting_deadline_seconds ({spec.run.starting_deadline_seconds} s)"
    refusal: Refusal | None = draft.observed.refusals.get(name)
    if refusal is not None:
        return f"{why}, and until then: {refusal.message}"
    if isinstance(draft.observed.work, Unresolved):
        return f"{why}, and until then: {draft.observed.work.message}"
    return why
