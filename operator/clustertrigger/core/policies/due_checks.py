"""Checks the slots of a conditional trigger, and records the Jobs of checks.

A check works like a run on a smaller scale: the name of its Job protects its slot, and the status records both. Checks
and runs of one trigger never overlap: a check skips its slot while a run is active, and a run deletes an active check.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from clustertrigger.api.conditions import EventReason
from clustertrigger.api.status import Check
from clustertrigger.core.decision import CreateJob
from clustertrigger.core.draft import MOST_KEPT, Draft
from clustertrigger.core.jobs.jobs import JobRequest, build_check_job
from clustertrigger.core.jobs.naming import job_name
from clustertrigger.core.jobs.slot import CheckSlot
from clustertrigger.core.jobs.workload import ObservedRun
from clustertrigger.core.policies.baseline import check_state, condition, finding, usable_baseline
from clustertrigger.core.policies.job_creation import create, why_missed, work_to_start
from clustertrigger.core.policies.lifecycle import is_live


def record_new_checks(draft: Draft) -> None:
    """Records every Job of a check in the status, and its slot as handled."""
    known = {entry.job_id for entry in draft.status.checks}
    slots = [entry.slot for entry in draft.status.checks]
    latest = max(slots, default=None)
    if latest is not None and draft.is_ahead(latest):
        before = (slot for slot in slots if not draft.is_ahead(slot))
        latest = max(before, default=draft.schedule_state.accounted_until)
    for due, check in sorted(_by_slot(draft), key=lambda item: item[0]):
        is_over = check.phase in ("completed", "failed")
        if check.job in known or check.recorded or (is_over and (due > draft.now or draft.is_of_time_ahead(due))):
            continue
        if latest is None or due > latest or not is_over:
            draft.status.checks = [Check(job_id=check.job, slot=due, status="pending"), *draft.status.checks]
            draft.account_for(due)


def check_due_slot(draft: Draft) -> None:
    """Starts a check for the latest due slot, if there is a baseline to compare with."""
    spec, slots, schedule = draft.trigger.spec, draft.timetable, condition(draft)
    if spec is None or slots is None or schedule is None or not is_live(draft) or draft.actions:
        return
    baseline = usable_baseline(draft)
    if baseline is None or (due := draft.due_slot(slots)) is None:
        return
    slot = CheckSlot(due)
    name = job_name(draft.trigger.key.name, draft.trigger.uid, slot)
    deadline = due + timedelta(seconds=spec.run.starting_deadline_seconds)
    if draft.has_fired(name):
        # It was checked while the clock was ahead, and the time has come again.
        draft.account_for(due)
    elif draft.now >= deadline:
        draft.account_for(due, missed=why_missed(draft, spec, name))
    elif obstacle := _why_not_now(draft):
        draft.account_for(due)
        draft.note(EventReason.SLOT_SKIPPED, f"Skipped a check: {obstacle}")
    elif (work := work_to_start(draft, name, deadline)) is not None:
        request = JobRequest(draft.trigger, spec, work, name, slot, draft.observed.defaults)
        create(draft, CreateJob(name, slot, build_check_job(request, schedule, baseline)), deadline)


def trim_checks(draft: Draft) -> None:
    """Keeps the active checks, and the newest ended ones.

    An ended check whose Job is unfinished is kept too, because it would look new.
    """
    spec, kept, ended = draft.trigger.spec, [], 0
    limit = spec.run.history_limit if spec else 10
    for entry in draft.status.checks:
        check, is_active = draft.observed.checks.get(entry.job_id), entry.status == "pending"
        ended += not is_active
        if is_active or ended <= limit or (ended <= MOST_KEPT and check is not None and check.may_start_again):
            kept.append(entry)
    if len(kept) < len(draft.status.checks):
        draft.status.checks = kept


def _why_not_now(draft: Draft) -> str | None:
    for entry in draft.active_runs():
        return f"run {entry.job_id} is still active and will write a new baseline"
    for check in draft.active_checks():
        return f"check {check.job_id} is still active"
    return f"a run is due for the {finding(draft)} that was found" if check_state(draft).due else None


def _by_slot(draft: Draft) -> list[tuple[datetime, ObservedRun]]:
    checks = draft.observed.checks.values()
    return [(check.slot.instant, check) for check in checks if isinstance(check.slot, CheckSlot)]
