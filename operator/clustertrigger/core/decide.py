"""Decides what to do about a trigger: a pure function of the observations and the time.

Design record: docs/design/decide.md.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from clustertrigger.core.decision import Decision, Observed
from clustertrigger.core.draft import Draft
from clustertrigger.core.policies import (
    conditions,
    due_checks,
    due_slots,
    ended_checks,
    event_threshold,
    lifecycle,
    manual_runs,
    notifications,
    overdue,
    run_history,
)
from clustertrigger.core.resources.trigger import Trigger

Policy = Callable[[Draft], None]

RECORD: tuple[Policy, ...] = (
    lifecycle.identify,
    lifecycle.forgive_on_edit,
    lifecycle.reset_on_request,
    lifecycle.follow_edits,
    event_threshold.follow_what_is_counted,
    ended_checks.forgive_on_edit_or_reset,
    due_checks.record_new_checks,
    ended_checks.settle_checks,
    run_history.record_new_runs,
    run_history.settle_runs,
    event_threshold.wait_anew_after_a_run,
)
"""Policies that record what has happened."""

FIRE: tuple[Policy, ...] = (
    lifecycle.follow_liveness,
    lifecycle.set_effective_status,
    event_threshold.forget_what_is_not_due,
    overdue.end_runs_that_cannot_start,
    overdue.end_runs_that_outlive_their_deadline,
    overdue.end_jobs_that_outlive_their_worker,
    overdue.end_jobs_that_start_again,
    ended_checks.fire_on_finding,
    due_checks.check_due_slot,
    due_slots.fire_due_slot,
    event_threshold.fire_on_threshold,
    manual_runs.run_on_request,
)
"""Policies that decide what happens now."""

SHOW: tuple[Policy, ...] = (
    notifications.tell_what_ended,
    notifications.settle_notifications,
    run_history.trim_history,
    run_history.show_last_run,
    due_checks.trim_checks,
    due_slots.look_ahead,
    event_threshold.forget_old_events,
    lifecycle.show_schedule,
    conditions.set_conditions,
    conditions.announce,
    run_history.show_running,
)
"""Policies that update what users see."""


def decide(trigger: Trigger, observed: Observed, now: datetime) -> Decision:
    """Decides about one trigger.

    The result depends on the arguments alone. If it contains actions, they are executed first, and the decision is
    repeated with their results. The status is valid only in a result without actions.

    Args:
        trigger: The trigger as last written. Its status is the only state that is kept.
        observed: the runs, checks and references that the cluster shows.
        now: The only reading of the clock, in UTC.
    """
    draft = Draft(trigger, observed, now)
    for policy in RECORD:
        policy(draft)
    if draft.actions:
        # It is not known yet whether a run is active.
        return draft.decision()
    for policy in FIRE:
        policy(draft)
    if draft.actions:
        return draft.decision()
    for policy in SHOW:
        policy(draft)
    return draft.decision()
