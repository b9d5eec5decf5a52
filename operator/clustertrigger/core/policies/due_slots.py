"""Fires the slot of the schedule that is due, and waits for the next one.

Design record: docs/design/missed-slots.md.
"""

from __future__ import annotations

from datetime import timedelta

from clustertrigger.api.conditions import EventReason
from clustertrigger.core.draft import Draft
from clustertrigger.core.jobs.naming import job_name
from clustertrigger.core.jobs.slot import ScheduledSlot
from clustertrigger.core.policies.baseline import is_checked
from clustertrigger.core.policies.event_threshold import ready_at
from clustertrigger.core.policies.job_creation import in_the_way, launch, why_missed, why_needless
from clustertrigger.core.policies.lifecycle import is_live


def fire_due_slot(draft: Draft) -> None:
    """Fires the latest due slot, unless it is too old or an active run prevents it."""
    spec, slots = draft.trigger.spec, draft.timetable
    if spec is None or slots is None or not is_live(draft) or is_checked(draft):
        return
    if (due := draft.due_slot(slots)) is None:
        return
    slot = ScheduledSlot(due)
    name = job_name(draft.trigger.key.name, draft.trigger.uid, slot)
    deadline = due + timedelta(seconds=spec.run.starting_deadline_seconds)
    if draft.has_fired(name):
        # After an edit within the second of a slot, the new schedule can start with a slot that the old one has fired.
        # And if the clock was ahead, the time of a slot comes again.
        draft.account_for(due)
    elif draft.now >= deadline:
        draft.account_for(due, missed=why_missed(draft, spec, name))
    elif obstacle := in_the_way(draft, spec):
        draft.account_for(due)
        draft.note(EventReason.SLOT_SKIPPED, f"Skipped the slot {slot}: {obstacle}")
    elif needless := why_needless(draft):
        draft.account_for(due)
        draft.note(EventReason.NOTHING_TO_RERUN, f"Skipped the slot {slot}: {needless}")
    else:
        launch(draft, spec, name, slot, deadline)


def look_ahead(draft: Draft) -> None:
    """Shows the next slot, and waits for it."""
    slots = draft.timetable
    upcoming = None
    if slots is not None and draft.schedule_state.live:
        upcoming = slots.next_after(max(draft.schedule_state.accounted_until, draft.now))
    elif (ready := ready_at(draft)) is not None and ready > draft.now:
        upcoming = ready
    draft.status.next_scheduled_at = upcoming
    draft.status.is_overdue = draft.overdue or None
    draft.wake(upcoming)
