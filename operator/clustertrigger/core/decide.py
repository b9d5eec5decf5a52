"""The heart: one function from what is known and what time it is to what is to be done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from clustertrigger.core.decision import Decision, Observed
from clustertrigger.core.draft import Draft
from clustertrigger.core.policies import (
    check_results,
    checking,
    conditions,
    event_firing,
    firing,
    lifecycle,
    overdue,
    runs,
)
from clustertrigger.core.resources.trigger import Trigger

Policy = Callable[[Draft], None]

RECORD: tuple[Policy, ...] = (
    lifecycle.identify,
    lifecycle.forgive_on_edit,
    lifecycle.reset_on_request,
    lifecycle.follow_edits,
    event_firing.follow_what_is_counted,
    check_results.forgive_on_edit_or_reset,
    checking.record_new_checks,
    check_results.settle_checks,
    runs.record_new_runs,
    runs.settle_runs,
    event_firing.wait_anew_after_a_run,
)
"""What has happened."""

FIRE: tuple[Policy, ...] = (
    lifecycle.follow_liveness,
    lifecycle.set_effective_status,
    event_firing.forget_what_is_not_due,
    overdue.end_runs_that_cannot_start,
    overdue.end_runs_that_outlive_their_deadline,
    overdue.end_jobs_that_outlive_their_worker,
    checking.fire_on_drift,
    checking.check_due_slot,
    firing.fire_due_slot,
    event_firing.fire_on_threshold,
    firing.run_on_request,
)
"""What is to happen now."""

SHOW: tuple[Policy, ...] = (
    runs.trim_history,
    runs.show_last_run,
    checking.trim_checks,
    firing.look_ahead,
    event_firing.forget_old_events,
    lifecycle.show_schedule,
    conditions.set_conditions,
    conditions.announce,
)
"""What people are to see."""


def decide(trigger: Trigger, observed: Observed, now: datetime) -> Decision:
    """Decides about one trigger.

    The answer depends on the arguments alone. Where it holds actions, they come first, and the decision is taken
    anew from what they led to; the status counts only in an answer without actions.

    Args:
        trigger: as last written, its status being the only memory there is.
        observed: the runs, checks and references that the cluster shows.
        now: the one reading of the clock, in UTC.
    """
    draft = Draft(trigger, observed, now)
    for policy in RECORD:
        policy(draft)
    if draft.actions:
        # Whether a run is active is not known yet.
        return draft.decision()
    for policy in FIRE:
        policy(draft)
    if draft.actions:
        return draft.decision()
    for policy in SHOW:
        policy(draft)
    runs.show_running(draft, at_once=draft.decision().status != trigger.status)
    return draft.decision()
