"""Policies that fire: a slot of the schedule that is due, a run that was requested by hand."""

from __future__ import annotations

from datetime import timedelta

from clustertrigger.api.conditions import EventReason
from clustertrigger.api.status import RunRequest
from clustertrigger.core.draft import Draft
from clustertrigger.core.jobs.naming import job_name
from clustertrigger.core.jobs.slot import ManualSlot, ScheduledSlot
from clustertrigger.core.policies.checks import is_checked
from clustertrigger.core.policies.event_firing import ready_at
from clustertrigger.core.policies.launching import in_the_way, launch, why_missed
from clustertrigger.core.policies.lifecycle import is_live


def fire_due_slot(draft: Draft) -> None:
    """The latest slot that is due fires, unless it is too old, or a run is in its way."""
    spec, slots = draft.trigger.spec, draft.timetable
    if spec is None or slots is None or not is_live(draft) or is_checked(draft):
        return
    due = slots.latest_until(draft.now)
    if due is None or due <= draft.schedule_state.accounted_until:
        return
    if draft.begins_now:
        draft.wake(draft.now)
        return
    slot = ScheduledSlot(due)
    name = job_name(draft.trigger.key.name, draft.trigger.uid, slot)
    deadline = due + timedelta(seconds=spec.run.starting_deadline_seconds)
    if name in draft.observed.runs:
        # An edit within the second of a slot can make the new schedule begin with a slot that the old one fired.
        draft.account_for(due)
    elif draft.now >= deadline:
        draft.account_for(due, missed=why_missed(draft, spec, name))
    elif obstacle := in_the_way(draft, spec):
        draft.account_for(due)
        draft.note(EventReason.SLOT_SKIPPED, f"Skipped the slot {slot}: {obstacle}")
    else:
        launch(draft, spec, name, slot, deadline)


def run_on_request(draft: Draft) -> None:
    """A new token in the annotation run-requested fires once, on no schedule."""
    token, spec = draft.trigger.run_requested, draft.trigger.spec
    waiting: RunRequest | None = draft.get("waiting_request")
    if token is None or token == draft.get("last_run_requested"):
        if waiting is not None:
            draft.set(waiting_request=None)
        return
    if draft.actions:
        return
    obstacle = _why_not_now(draft)
    if spec is None or obstacle:
        draft.set(last_run_requested=token, waiting_request=None)
        draft.warn(EventReason.REQUEST_IGNORED, f"The run requested by {token!r} was not started: {obstacle}")
        return
    slot = ManualSlot(token)
    name = job_name(draft.trigger.key.name, draft.trigger.uid, slot)
    if name in draft.observed.runs:
        draft.set(last_run_requested=token, waiting_request=None)
        draft.warn(
            EventReason.REQUEST_IGNORED,
            f"The run requested by {token!r} was not started: {name} has run for this value: request with another one",
        )
        return
    if waiting is None or waiting.token != token:
        waiting = RunRequest(token=token, since=draft.now)
    deadline = waiting.since + timedelta(seconds=spec.run.starting_deadline_seconds)
    if draft.now >= deadline:
        draft.set(last_run_requested=token, waiting_request=None)
        why = why_missed(draft, spec, name)
        draft.warn(EventReason.REQUEST_IGNORED, f"The run requested by {token!r} was given up: {why}")
        return
    launch(draft, spec, name, slot, deadline)
    if not draft.actions:
        # Written down, so that it expires also for an operator that is started anew.
        draft.set(waiting_request=waiting)


def look_ahead(draft: Draft) -> None:
    """The next slot is shown, and waited for."""
    slots = draft.timetable
    upcoming = None
    if slots is not None and draft.schedule_state.live:
        upcoming = slots.next_after(max(draft.schedule_state.accounted_until, draft.now))
    elif (ready := ready_at(draft)) is not None and ready > draft.now:
        upcoming = ready
    draft.set(next_scheduled_at=upcoming)
    draft.wake(upcoming)


def _why_not_now(draft: Draft) -> str | None:
    spec = draft.trigger.spec
    if spec is None:
        return "the spec is invalid"
    if not is_live(draft):
        return f"the trigger is {draft.get('status')}: set spec.status: active and request again"
    return in_the_way(draft, spec)
