"""Handles ended checks: stores and judges measurements, fires on drift, and reports failures."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from clustercontract.check import CheckResult, Measurement
from clustercontract.counted import counted
from clustercontract.drift import METRICS
from clustertrigger.api.conditions import EventReason
from clustertrigger.api.status import Check, CheckState
from clustertrigger.core.decision import LookUpJob
from clustertrigger.core.draft import Draft
from clustertrigger.core.drift.drift_rule import judge
from clustertrigger.core.jobs.naming import job_name
from clustertrigger.core.jobs.slot import ScheduledSlot
from clustertrigger.core.jobs.workload import ObservedRun
from clustertrigger.core.policies.baseline import (
    RENEW,
    baseline_of,
    change_check,
    check_state,
    condition,
    finding,
    forget_due,
    remember,
)
from clustertrigger.core.policies.job_creation import in_the_way, launch, why_missed
from clustertrigger.core.policies.lifecycle import is_live
from clustertrigger.core.policies.overdue import what_went_on, why_failed

_DRIFT_ONLY = {"baseline_uri", "baseline_sha256", "seed"}
"""Fields that are needed to compute a measurement of drift again, and not for one of volume."""


def forgive_on_edit_or_reset(draft: Draft) -> None:
    """Resets the number of consecutive failed checks after an edit or a reset."""
    before = draft.before
    if before.consecutive_check_failures and (
        draft.edited or draft.status.last_reset_requested != before.last_reset_requested
    ):
        draft.status.consecutive_check_failures = 0


def settle_checks(draft: Draft) -> None:
    """Records the results of checks that ended or whose Job was deleted."""
    for entry in reversed(draft.status.checks):
        if entry.status != "pending":
            continue
        check = draft.observed.checks.get(entry.job_id)
        looked_up = entry.job_id in draft.observed.looked_up
        if check is None and looked_up:
            change_check(draft, replace(entry, status="failed", error=_gone(draft, entry)))
        elif check is None or (check.phase in ("completed", "failed") and not (check.explained or looked_up)):
            draft.do(LookUpJob(entry.job_id))
        elif check.phase in ("completed", "failed"):
            _settle(draft, entry, check)


def fire_on_finding(draft: Draft) -> None:
    """Fires for the slot of the check that found drift or a change of volume."""
    spec, state = draft.trigger.spec, check_state(draft)
    if state.due is None or state.due_since is None:
        return
    since = state.due_since
    if draft.is_ahead(since):
        since = draft.now
        remember(draft, replace(state, due_since=since))
    if spec is None or not is_live(draft) or state.due <= draft.schedule_state.anchor:
        # The trigger was paused or edited in the meantime, so it does not fire for the past.
        forget_due(draft)
        return
    slot = ScheduledSlot(state.due)
    name = job_name(draft.trigger.key.name, draft.trigger.uid, slot)
    deadline = since + timedelta(seconds=spec.run.starting_deadline_seconds)
    if draft.has_fired(name):
        forget_due(draft)
    elif draft.now >= deadline:
        why = why_missed(draft, spec, name)
        draft.warn(EventReason.SLOTS_MISSED, f"Missed the run for the {finding(draft)} of {slot}: {why}")
        forget_due(draft)
    elif obstacle := in_the_way(draft, spec):
        draft.note(EventReason.SLOT_SKIPPED, f"Skipped the run for the {finding(draft)} of {slot}: {obstacle}")
        forget_due(draft)
    else:
        launch(draft, spec, name, slot, deadline)


def _settle(draft: Draft, entry: Check, check: ObservedRun) -> None:
    result = check.check
    if check.phase == "completed" and (went_on := what_went_on(check)):
        draft.note(EventReason.WORKER_OUTLIVED, f"Check {entry.job_id}: {went_on}", series="check")
    if check.phase == "completed" and result and result.measurement:
        draft.status.consecutive_check_failures = 0
        draft.status.last_check_error = None
        _measured(draft, entry, result.measurement)
    elif check.phase == "completed" and result and result.obstacle:
        draft.status.consecutive_check_failures = 0
        draft.status.last_check_error = None
        _obstructed(draft, entry, result)
    else:
        error = result.error if result else None
        _failed(draft, entry, why_failed(draft, check) or error or "the check wrote no result: see its Pod's log")


def _measured(draft: Draft, entry: Check, measurement: Measurement) -> None:
    schedule = condition(draft)
    if schedule is None:
        # The trigger has another type now, so this measurement has no effect.
        change_check(draft, replace(entry, status="completed", value=measurement.value, fires=False))
        return
    verdict = judge(measurement, schedule)
    summary, fires = verdict.summary, verdict.fires
    if fires and (late := _too_late(draft, entry)):
        summary, fires = f"{summary}: does not fire because {late}", False
    draft.status.check_state = CheckState(due=entry.slot, due_since=draft.now) if fires else None
    draft.status.last_condition_check_at = measurement.checked_at
    is_volume = measurement.metric in METRICS["volume"]
    stored = {
        "summary": summary,
        "fires": fires,
        "check": entry.job_id,
        "min_documents": schedule.min_documents,
        **measurement.model_dump(mode="json", exclude_none=True, exclude=_DRIFT_ONLY if is_volume else None),
    }
    draft.status.last_volume_measurement = stored if is_volume else None
    draft.status.last_drift_measurement = None if is_volume else stored
    change_check(draft, replace(entry, status="completed", value=measurement.value, fires=fires))
    if fires:
        draft.note(EventReason.VOLUME_CHANGED if is_volume else EventReason.DRIFT_DETECTED, summary)
    else:
        quiet = EventReason.NO_VOLUME_CHANGE if is_volume else EventReason.NO_DRIFT
        draft.note(quiet, summary, series=verdict.why)


def _obstructed(draft: Draft, entry: Check, result: CheckResult) -> None:
    obstacle, baseline = result.obstacle, baseline_of(draft)
    message = result.error or f"the check could not measure: {obstacle}"
    draft.status.check_state = CheckState(
        obstacle=obstacle, message=message, baseline_run=baseline.run if baseline else None
    )
    draft.status.last_condition_check_at = entry.slot
    draft.status.last_volume_measurement = None
    draft.status.last_drift_measurement = {
        "summary": message,
        "fires": False,
        "obstacle": obstacle,
        "check": entry.job_id,
    }
    change_check(draft, replace(entry, status="completed", error=message, fires=False))
    if obstacle in ("baseline_missing", "baseline_altered"):
        draft.warn(EventReason.BASELINE_LOST, f"{message}: the next slot starts a run, which writes a new baseline")
    else:
        draft.warn(EventReason.NOT_COMPARABLE, f"{message}: if the change is intended, {RENEW}")


def _too_late(draft: Draft, entry: Check) -> str | None:
    """Returns why a finding no longer fires: edits are not applied to past slots."""
    if not is_live(draft):
        return "the trigger is not active"
    if entry.slot <= draft.schedule_state.anchor:
        return "the schedule was edited since"
    return None


def _failed(draft: Draft, entry: Check, error: str) -> None:
    spec, failures = draft.trigger.spec, draft.status.consecutive_check_failures + 1
    draft.status.consecutive_check_failures = failures
    draft.status.last_check_error = error
    change_check(draft, replace(entry, status="failed", error=error))
    draft.warn(EventReason.CHECK_FAILED, f"The check failed, and the next slot repeats it: {error}")
    if spec is not None and failures == spec.run.max_consecutive_failures:
        draft.warn(
            EventReason.CHECKS_FAILING,
            f"{counted(failures, 'check')} failed in a row (run.max_consecutive_failures): the trigger does not fire "
            "until one succeeds",
        )


def _gone(draft: Draft, entry: Check) -> str:
    # The slot was written with the operator's clock and the creation with an API server's, which may be behind. No
    # check starts while a run is active.
    newer = next(
        (
            run
            for run in draft.observed.runs.values()
            if run.phase in ("pending", "running") or run.created_at >= entry.slot
        ),
        None,
    )
    return f"was deleted in favour of the run {newer.job}" if newer else "the Job was deleted before it ended"
