"""Fires event triggers: enough events make the trigger due, and a cooldown or an active run delays it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from clustertrigger.api.conditions import EventReason
from clustertrigger.api.schedule import EventSchedule
from clustertrigger.api.status import EventState
from clustertrigger.core.draft import Draft
from clustertrigger.core.events.event_counting import current_state
from clustertrigger.core.humanize import duration
from clustertrigger.core.instants import format_instant
from clustertrigger.core.jobs.naming import job_name
from clustertrigger.core.jobs.slot import EventSlot
from clustertrigger.core.policies.job_creation import in_the_way, launch, why_missed, why_needless
from clustertrigger.core.policies.lifecycle import is_live


def follow_what_is_counted(draft: Draft) -> None:
    """Resets the counter if other events are counted than before. Triggers of other types count none."""
    schedule, state = _schedule(draft), draft.before.event_state
    if schedule is not None:
        state, counter = current_state(schedule, draft.before)
        was_reset = draft.status.last_reset_requested != draft.before.last_reset_requested
        if state.loop is not None and (draft.edited or was_reset):
            state = replace(state, loop=None)
        if state.due_since is not None and draft.is_ahead(state.due_since):
            state = replace(state, due_since=draft.now)
        draft.status.event_state = state
        draft.status.event_counter = counter
    elif state is not None and draft.trigger.spec is not None:
        draft.status.event_state = EventState(counts="", total=state.total)
        draft.status.event_counter = 0


def consume(draft: Draft, ordinal: int, created_at: datetime) -> None:
    """Subtracts the events of a run that exists from the count, and starts the cooldown."""
    state = draft.status.event_state
    if state is None or ordinal <= state.total - draft.status.event_counter:
        return
    if not state.announced:
        draft.note(EventReason.THRESHOLD_REACHED, _reached(draft, ordinal))
    left = max(state.total - ordinal, 0)
    schedule = _schedule(draft)
    still_due = state.due_since and schedule is not None and left >= schedule.event_threshold
    # A creation time is rounded down to seconds. Counting from the next second keeps the cooldown from being too short.
    began = min(draft.now, created_at + timedelta(seconds=1))
    draft.status.event_counter = left
    draft.status.last_cooldown_at = began
    draft.status.event_state = replace(
        _state(draft),
        due_since=draft.now if still_due else None,
        announced=False,
        chain=_state(draft).chain if left else [],
    )


def wait_anew_after_a_run(draft: Draft) -> None:
    """Lets the starting deadline count from the end of an active run that delays the fire."""
    ended = draft.status.execution_count + draft.status.failure_count
    if _due_since(draft) and ended != draft.before.execution_count + draft.before.failure_count:
        draft.status.event_state = replace(_state(draft), due_since=draft.now)


def forget_what_is_not_due(draft: Draft) -> None:
    """Clears the due state if the trigger is paused or its threshold was raised; a later event makes it due again."""
    schedule = _schedule(draft)
    if _due_since(draft) and (
        schedule is None or not is_live(draft) or draft.status.event_counter < schedule.event_threshold
    ):
        draft.status.event_state = replace(_state(draft), due_since=None, announced=False)


def fire_on_threshold(draft: Draft) -> None:
    """Fires for the event that reached the threshold, after the cooldown and after an active run."""
    spec, schedule, ready = draft.trigger.spec, _schedule(draft), ready_at(draft)
    if spec is None or schedule is None or ready is None:
        return
    if draft.status.event_counter != draft.before.event_counter:
        # The fire is recorded before the next one: a large batch can exceed the threshold several times.
        draft.wake(draft.now)
        return
    ordinal = _state(draft).total - draft.status.event_counter + schedule.event_threshold
    slot = EventSlot(ordinal)
    name = job_name(draft.trigger.key.name, draft.trigger.uid, slot)
    deadline = ready + timedelta(seconds=spec.run.starting_deadline_seconds)
    if draft.has_fired(name):
        run = draft.observed.runs.get(name)
        consume(draft, ordinal, run.created_at if run else draft.now)
        draft.wake(draft.now)
    elif draft.now < ready:
        left = duration(max(round((ready - draft.now).total_seconds()), 1))
        _announce(
            draft,
            ordinal,
            EventReason.COOLING_DOWN,
            f"Fires in {left}, at {format_instant(ready.replace(microsecond=0))}: cooldown_seconds is "
            f"{schedule.cooldown_seconds}",
        )
        draft.wake(ready)
    elif obstacle := in_the_way(draft, spec):
        _announce(draft, ordinal, EventReason.SLOT_DEFERRED, f"Fires when the run has ended: {obstacle}")
    elif draft.now >= deadline:
        draft.status.event_state = replace(_state(draft), due_since=None, announced=False)
        draft.warn(
            EventReason.SLOTS_MISSED,
            f"Missed event {ordinal} ({_reached(draft, ordinal)}): {why_missed(draft, spec, name)}. Its events still "
            "count: the next event fires the trigger",
        )
    elif needless := why_needless(draft):
        consume(draft, ordinal, draft.now)
        draft.note(EventReason.NOTHING_TO_RERUN, f"Skipped event {ordinal}: {needless}")
        draft.wake(draft.now)
    else:
        launch(draft, spec, name, slot, deadline)


def forget_old_events(draft: Draft) -> None:
    """Removes stored events that have all expired, if no other policy does so."""
    state = draft.status.event_state
    if state is None or not state.seen:
        return
    if draft.now >= state.seen[-1].until:
        draft.status.event_state = replace(_state(draft), seen=[])
    else:
        draft.wake(state.seen[-1].until)


def ready_at(draft: Draft) -> datetime | None:
    """Returns when a due event trigger may fire.

    The replica that wrote the status could have had a clock that was ahead. Therefore a due time in the future counts
    as now, and a cooldown that starts further in the future than its length is ignored.
    """
    schedule, due_since = _schedule(draft), _due_since(draft)
    if schedule is None or due_since is None:
        return None
    due_since = min(due_since, draft.now)
    began = draft.status.last_cooldown_at
    cooldown = timedelta(seconds=schedule.cooldown_seconds)
    return due_since if began is None or began > draft.now + cooldown else max(due_since, began + cooldown)


def _schedule(draft: Draft) -> EventSchedule | None:
    schedule = draft.schedule
    return schedule if isinstance(schedule, EventSchedule) else None


def _state(draft: Draft) -> EventState:
    if draft.status.event_state is None:
        raise RuntimeError("follow_what_is_counted comes before all that asks for events")
    return draft.status.event_state


def _due_since(draft: Draft) -> datetime | None:
    state = draft.status.event_state
    return state.due_since if state else None


def _announce(draft: Draft, ordinal: int, reason: EventReason, message: str) -> None:
    if _state(draft).announced:
        return
    draft.note(EventReason.THRESHOLD_REACHED, _reached(draft, ordinal))
    draft.note(reason, message)
    draft.status.event_state = replace(_state(draft), announced=True)


def _reached(draft: Draft, ordinal: int) -> str:
    schedule = _schedule(draft)
    if schedule is None:
        return f"The threshold was reached by event {ordinal}"
    return (
        f"{draft.status.event_counter}/{schedule.event_threshold} {schedule.event_type} for {schedule.collection_id}: "
        f"event {ordinal} reached the threshold"
    )
