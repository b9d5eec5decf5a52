"""Handles the trigger itself: its identity, the state of its schedule, resets and failures."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import datetime, timedelta

from clustercontract.counted import counted
from clustertrigger.api.conditions import EventReason
from clustertrigger.api.schedule import IntervalSchedule
from clustertrigger.api.status import ScheduleState
from clustertrigger.core.draft import Draft, is_of_time_ahead
from clustertrigger.core.jobs.naming import trigger_id
from clustertrigger.core.jobs.slot import CheckSlot, ScheduledSlot
from clustertrigger.core.resources.trigger import Trigger
from clustertrigger.core.schedules.timetable import describe_schedule

_NO_SCHEDULE = "none"


def identify(draft: Draft) -> None:
    """Sets the fields that depend on the object alone."""
    trigger, before = draft.trigger, draft.before
    draft.status.observedGeneration = trigger.generation
    draft.status.trigger_id = trigger_id(trigger.uid)
    draft.status.namespace_id = trigger.key.namespace
    draft.status.internal_id = draft.observed.cluster_id or None
    draft.status.created_at = trigger.created_at
    draft.status.updated_at = edited_at(draft) if draft.edited or before.updated_at is None else before.updated_at


def forgive_on_edit(draft: Draft) -> None:
    """Resets the failures of a stopped trigger when its spec changes."""
    if draft.before.status == "failed" and draft.edited:
        draft.status.consecutive_failures = 0


def reset_on_request(draft: Draft) -> None:
    """Clears the failures once for each new value of the annotation reset-requested."""
    token = draft.trigger.reset_requested
    if token is None or token == draft.before.last_reset_requested:
        return
    draft.status.last_reset_requested = token
    draft.status.consecutive_failures = 0
    draft.note(EventReason.RESET, f"Reset as requested by {token!r}: consecutive failures are back to 0")


def follow_edits(draft: Draft) -> None:
    """Restarts a changed schedule at the time of the edit; a re-applied schedule continues."""
    trigger, state = draft.trigger, _with_times_up_to_now(draft)
    draft.status.schedule_state = state
    fingerprint = schedule_fingerprint(trigger)
    if state is None:
        draft.begins_now = draft.is_ahead(trigger.created_at)
        begin = _now(draft) if draft.begins_now else trigger.created_at
        draft.status.schedule_state = _begin(draft, fingerprint, begin)
    elif state.fingerprint != fingerprint:
        begun = _begin(draft, fingerprint, edited_at(draft))
        accounted = max(begun.accounted_until, state.accounted_until)
        draft.status.schedule_state = replace(
            begun, accounted_until=accounted, ahead_from=state.ahead_from, ahead_until=state.ahead_until
        )
        draft.begins_now = is_edit_undated(draft)


def follow_liveness(draft: Draft) -> None:
    """Ignores past slots when a schedule becomes active again."""
    state, live = draft.schedule_state, is_live(draft)
    if state.live == live:
        return
    accounted = state.accounted_until
    if live:
        accounted = max(accounted, edited_at(draft) if draft.edited else draft.now)
    draft.status.schedule_state = replace(state, live=live, accounted_until=accounted)


def set_effective_status(draft: Draft) -> None:
    """Sets the effective state: spec.status, or failed if too many runs failed in a row."""
    spec = draft.trigger.spec
    desired = spec.status if spec else "active"
    stopped = draft.failed and desired == "active"
    if stopped and draft.before.status != "failed" and spec is not None:
        draft.warn(
            EventReason.TOO_MANY_FAILURES,
            f"{counted(draft.status.consecutive_failures, 'run')} failed in a row (run.max_consecutive_failures: "
            f"{spec.run.max_consecutive_failures}): the trigger does not fire until the spec changes or a reset is "
            "requested with the annotation clustertrigger.dev/reset-requested",
        )
    draft.status.status = "failed" if stopped else desired


def show_schedule(draft: Draft) -> None:
    """Describes the schedule for the table of kubectl get, with the number of events if the trigger counts them."""
    if draft.trigger.spec is not None:
        draft.status.schedule = describe_schedule(draft.trigger.spec, draft.status.event_counter)


def is_live(draft: Draft) -> bool:
    """Returns whether slots count: the spec is valid, spec.status is active, and the trigger has not failed."""
    spec = draft.trigger.spec
    return spec is not None and spec.status == "active" and not draft.failed


def edited_at(draft: Draft) -> datetime:
    """Returns when the spec was last written: never in the future, and now if it is unknown."""
    written = draft.trigger.edited_at
    if written is None or is_edit_undated(draft):
        return _now(draft)
    return min(written, draft.now)


def is_edit_undated(draft: Draft) -> bool:
    """Returns whether the time of the last edit of the spec is unknown.

    Kubernetes 1.20 updates the time of a manager's write only if the write touches other fields than the manager's
    earlier ones. So if a value changes there and back (status: paused, active), only the first change has a time.
    """
    written, known = draft.trigger.edited_at, draft.before.updated_at
    return written is None or (draft.edited and known is not None and written <= known)


def schedule_fingerprint(trigger: Trigger) -> str:
    """Returns a hash of the schedule, which is the same for a re-applied one."""
    if trigger.spec is None:
        return _NO_SCHEDULE
    content = [trigger.spec.trigger_type, trigger.spec.schedule.model_dump(mode="json")]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _with_times_up_to_now(draft: Draft) -> ScheduleState | None:
    """Returns the stored state of the schedule. Times of a clock that was far ahead become now.

    Otherwise, no slot would fire until then, and an edit would not change that. The first and the last of these times
    are kept, because they show which Jobs were recorded then.
    """
    state = draft.before.schedule_state
    if state is None:
        return None
    written = [at for at in (state.accounted_until, draft.before.last_triggered_at) if at and draft.is_ahead(at)]
    if not all(is_of_time_ahead(state, at) for at in written):
        earlier = [state.ahead_until] if state.ahead_until and draft.is_ahead(state.ahead_until) else []
        ahead_until = max(written + earlier)
        state = replace(state, ahead_from=_first_ahead(draft, state, ahead_until), ahead_until=ahead_until)
    if not draft.is_ahead(max(state.anchor, state.accounted_until)):
        return state
    now = _now(draft)
    return replace(state, anchor=min(state.anchor, now), accounted_until=min(state.accounted_until, now))


def _first_ahead(draft: Draft, state: ScheduleState, ahead_until: datetime) -> datetime:
    """Returns the earliest time ahead of a Job that exists, because only such a Job could be recorded again.

    A Job of an earlier time ahead, which the state already contains, counts too.
    """
    times = [
        at
        for job in (*draft.observed.runs.values(), *draft.observed.checks.values())
        for at in (job.created_at, job.slot.instant if isinstance(job.slot, CheckSlot | ScheduledSlot) else None)
        if at is not None and (draft.is_ahead(at) or is_of_time_ahead(state, at))
    ]
    return min(times, default=ahead_until)


def _now(draft: Draft) -> datetime:
    return draft.now.replace(microsecond=0)


def _begin(draft: Draft, fingerprint: str, at: datetime) -> ScheduleState:
    schedule = draft.schedule
    live = is_live(draft)
    at_once = live and isinstance(schedule, IntervalSchedule) and schedule.start_immediately
    return ScheduleState(
        fingerprint=fingerprint,
        live=live,
        anchor=at,
        accounted_until=at - timedelta(seconds=1) if at_once else at,
    )
