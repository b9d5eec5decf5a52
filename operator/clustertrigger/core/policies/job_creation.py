"""Requests the Job of a slot, unless something prevents it. All policies that fire use it."""

from __future__ import annotations

from datetime import datetime

from clustercontract.run import PreviousRun
from clustertrigger.api.trigger import ClusterTriggerSpec
from clustertrigger.core.actions.work import Work
from clustertrigger.core.decision import CreateJob, DeleteJob, Refusal
from clustertrigger.core.draft import Draft
from clustertrigger.core.jobs.jobs import JobRequest, build_job
from clustertrigger.core.jobs.slot import RunSlot
from clustertrigger.core.policies.baseline import baseline_of
from clustertrigger.core.policies.overdue import waits_for
from clustertrigger.core.resources.catalog import Unresolved

MOST_ACTIVE = 100
"""Maximum number of concurrent runs of one trigger, because its history contains all of them."""


def launch(draft: Draft, spec: ClusterTriggerSpec, name: str, slot: RunSlot, deadline: datetime) -> None:
    """Requests the Job of a run's slot, or another decision when that may succeed, at the latest at its deadline.

    An active check is deleted, because the run will replace the baseline that it compares with.
    """
    replaced = draft.active_runs() if spec.run.concurrency_policy == "Replace" else []
    recorded = {entry.job_id for entry in draft.before.history}
    if any(entry.job_id not in recorded for entry in replaced):
        # A run is recorded before it is deleted. Otherwise, it would fire again if the operator ended in between.
        draft.wake(draft.now)
        return
    work = work_to_start(draft, name, deadline)
    if work is None:
        return
    draft.do(*(DeleteJob(check.job_id) for check in draft.active_checks()))
    draft.do(*(DeleteJob(entry.job_id) for entry in replaced))
    request = JobRequest(draft.trigger, spec, work, name, slot, draft.observed.defaults)
    manifest = build_job(request, _previous_run(draft, work), draft.status.last_result)
    create(draft, CreateJob(name, slot, manifest), deadline)


def _previous_run(draft: Draft, work: Work) -> PreviousRun | None:
    """Returns the run that this one takes its cluster IDs from."""
    before, found = work.follows(baseline_of(draft), draft.history), draft.status.last_result
    if before is None:
        return None
    run, folder = before
    return PreviousRun(run=run, uri=folder, next_cluster_id=(found.next_cluster_id if found else None) or 0)


def create(draft: Draft, job: CreateJob, deadline: datetime) -> None:
    """Requests a Job, and sets until when the request is valid: its deadline, or the next slot."""
    draft.do(job)
    draft.wake(deadline)
    if slots := draft.timetable:
        draft.wake(slots.next_after(draft.now))


def work_to_start(draft: Draft, name: str, deadline: datetime) -> Work | None:
    """Returns the input of the Job with this name; None if it must wait, and then another decision is requested."""
    work = draft.observed.work
    draft.overdue = True
    if not isinstance(work, Work):
        # The Ready condition names what is missing. If it is created in time, the slot still fires.
        draft.wake(deadline)
        return None
    refusal = draft.observed.refusals.get(name)
    if refusal is not None:
        draft.held = refusal
        if draft.now < refusal.retry_at and not draft.is_ahead(refusal.retry_at):
            draft.wake(min(refusal.retry_at, deadline))
            return None
    return work


def why_needless(draft: Draft) -> str | None:
    """Returns why a run would do nothing now, according to its action; None if it would do something."""
    work = draft.observed.work
    return work.why_needless(draft.history) if isinstance(work, Work) else None


def in_the_way(draft: Draft, spec: ClusterTriggerSpec) -> str | None:
    """Returns why nothing may start now, according to concurrency_policy; None if it may."""
    active = draft.active_runs()
    if active and spec.run.concurrency_policy == "Forbid":
        waiting = waits_for(draft, active[0].job_id)
        is_active = "is still active" + (f", {waiting}" if waiting else "")
        return f"run {active[0].job_id} {is_active} (run.concurrency_policy: Forbid)"
    if len(active) >= MOST_ACTIVE and spec.run.concurrency_policy == "Allow":
        return f"{len(active)} runs are still active, which is the maximum (run.concurrency_policy: Allow)"
    return None


def why_missed(draft: Draft, spec: ClusterTriggerSpec, name: str) -> str:
    """Returns why a slot that reached its starting deadline did not fire."""
    why = f"older than run.starting_deadline_seconds ({spec.run.starting_deadline_seconds} s)"
    refusal: Refusal | None = draft.observed.refusals.get(name)
    if refusal is not None:
        return f"{why}, and until then: {refusal.message}"
    if isinstance(draft.observed.work, Unresolved):
        return f"{why}, and until then: {draft.observed.work.message}"
    return why
