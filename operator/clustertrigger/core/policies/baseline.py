"""Determines what a check can compare with, and keeps the status of checks."""

from __future__ import annotations

from dataclasses import replace

from clustercontract.baseline import Baseline, read_baseline
from clustercontract.counted import counted
from clustertrigger.api.conditions import Reason
from clustertrigger.api.schedule import ConditionalSchedule
from clustertrigger.api.status import Check, CheckState
from clustertrigger.core.actions.work import Work, collections_digest
from clustertrigger.core.draft import Draft

RENEW = "request a run with the annotation clustertrigger.dev/run-requested to create a new baseline"
_NO_STATE = CheckState()


def condition(draft: Draft) -> ConditionalSchedule | None:
    """Returns the schedule if the trigger is conditional; None otherwise."""
    schedule = draft.schedule
    return schedule if isinstance(schedule, ConditionalSchedule) else None


def finding(draft: Draft) -> str:
    """Returns what a check finds if it fires."""
    schedule = condition(draft)
    return "change of volume" if schedule and schedule.condition_type == "volume" else "drift"


def is_checked(draft: Draft) -> bool:
    """Returns whether a due slot is checked: the trigger is conditional, and there is a baseline."""
    return condition(draft) is not None and why_no_baseline(draft) is None


def usable_baseline(draft: Draft) -> Baseline | None:
    """Returns the baseline to compare with; None if the next slot must run first to write one."""
    return None if why_no_baseline(draft) else baseline_of(draft)


def why_no_baseline(draft: Draft) -> str | None:
    """Returns why a check has nothing to compare with."""
    baseline, state, work = baseline_of(draft), check_state(draft), draft.observed.work
    if baseline is None:
        return "there is no baseline yet"
    if state.obstacle in ("baseline_missing", "baseline_altered") and state.baseline_run == baseline.run:
        return str(state.message)
    made_for = (draft.status.baseline_snapshot or {}).get("collections")
    if isinstance(work, Work) and made_for not in (None, collections_digest(work)):
        return "the baseline belongs to other collections"
    return None


def outlook(draft: Draft) -> str:
    """Returns what the next slot of a conditional trigger does if it is not a check, for the end of a message."""
    why = why_no_baseline(draft) if condition(draft) else None
    return f"; the next slot starts a run: {why}" if why else ""


def trouble(draft: Draft) -> tuple[Reason, str] | None:
    """Why checks cannot find drift until a person intervenes; None if they can."""
    spec = draft.trigger.spec
    if spec is None or condition(draft) is None:
        return None
    state, baseline = check_state(draft), baseline_of(draft)
    failures = draft.status.consecutive_check_failures
    if failures >= spec.run.max_consecutive_failures:
        return Reason.CHECKS_FAILING, (
            f"{counted(failures, 'check')} failed in a row, most recently: {draft.status.last_check_error}. Fix the "
            "cause: checks continue at every slot, and the next successful one clears this condition"
        )
    if state.obstacle in ("dimensions_changed", "model_changed") and baseline and state.baseline_run == baseline.run:
        return Reason.NOT_COMPARABLE, f"{state.message}: if the change is intended, {RENEW}"
    return None


def baseline_of(draft: Draft) -> Baseline | None:
    """Returns the baseline of the last successful run, usable or not."""
    return read_baseline(draft.status.baseline_snapshot or {})


def check_state(draft: Draft) -> CheckState:
    """Returns the internal state of the checks."""
    return draft.status.check_state or _NO_STATE


def remember(draft: Draft, state: CheckState) -> None:
    """Changes the internal state of the checks; an empty state is removed."""
    draft.status.check_state = state if state != _NO_STATE else None


def forget_due(draft: Draft) -> None:
    """Clears the finding of a check, which has fired or no longer fires."""
    remember(draft, replace(check_state(draft), due=None, due_since=None))


def change_check(draft: Draft, changed: Check) -> None:
    """Replaces a check in the status."""
    draft.status.checks = [changed if known.job_id == changed.job_id else known for known in draft.status.checks]
