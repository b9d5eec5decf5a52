"""Counts events for a trigger: one write stores both the count and the events that were counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from clustertrigger.api.schedule import EventSchedule
from clustertrigger.api.status import ClusterTriggerStatus, EventState
from clustertrigger.core.draft import has_failed
from clustertrigger.core.events.chains import merged, why_stopped
from clustertrigger.core.events.seen_events import LastOwn, SeenMemory
from clustertrigger.core.resources.trigger import Trigger
from clustertrigger.core.schedules.timetable import describe_schedule


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event to be counted."""

    fingerprint: int
    """Hash of the event's source and ID."""
    count: int
    """The number that it adds to the count."""
    chain: tuple[str, ...] = ()
    """The triggers whose runs led to it, if it is the event of a run."""
    is_own: bool = False
    """Whether the operator itself observed it, at the end of a run; otherwise, a sender reported it."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The result of counting."""

    status: ClusterTriggerStatus
    fresh: tuple[bool, ...]
    """For each arrival whether it counts; False if it was counted before."""


def counted_by(trigger: Trigger) -> EventSchedule | None:
    """Returns the schedule of a trigger that counts events; None if it does not. Active and paused triggers count."""
    spec = trigger.spec
    if spec is None or spec.status not in ("active", "paused") or not isinstance(spec.schedule, EventSchedule):
        return None
    return spec.schedule


def count_events(trigger: Trigger, arrivals: Sequence[Arrival], now: datetime) -> Counted | None:
    """Counts events that match a trigger; None if the trigger does not count events (any longer).

    The trigger becomes due if the events reach the threshold while it is active. Only an event makes it fire, never an
    edit or a resumption.
    """
    schedule, spec = counted_by(trigger), trigger.spec
    if schedule is None or spec is None:
        return None
    before = trigger.status
    state, counter = current_state(schedule, before)
    memory, own = SeenMemory(state.seen, now), LastOwn(state.own)
    new = [(own if arrival.is_own else memory).add(arrival.fingerprint) for arrival in arrivals]
    stops = [why_stopped(arrival.chain, trigger.key.name) for arrival in arrivals]
    fresh = tuple(is_new and not stop for is_new, stop in zip(new, stops, strict=True))
    counted = [arrival for arrival, is_fresh in zip(arrivals, fresh, strict=True) if is_fresh]
    loop = next((stop for is_new, stop in zip(new, stops, strict=True) if is_new and stop), None)
    added = sum(arrival.count for arrival in counted)
    if not added and loop is None:
        return Counted(before, fresh)
    counter += added
    may_fire = spec.status == "active" and not has_failed(spec, before.consecutive_failures)
    due_since = state.due_since
    if added and due_since is None and may_fire and counter >= schedule.event_threshold:
        due_since = now
    status = before.copy()
    status.event_counter = counter
    status.event_state = replace(
        state,
        counted_at=now,
        total=state.total + added,
        due_since=due_since,
        chain=merged([state.chain, *(arrival.chain for arrival in counted)]),
        loop=loop,
        seen=memory.stored(),
        own=own.stored(),
    )
    status.schedule = describe_schedule(spec, counter)
    return Counted(status, fresh)


def current_state(schedule: EventSchedule, status: ClusterTriggerStatus) -> tuple[EventState, int]:
    """Returns the state and the counter of this schedule.

    If it counts other events than before, the counter starts at zero. The total always increases, so that no two events
    have the same number.
    """
    counts = f"{schedule.event_type}/{schedule.collection_id}"
    state = status.event_state
    if state is None:
        return EventState(counts=counts), 0
    if state.counts != counts:
        return EventState(counts=counts, total=state.total), 0
    return state, status.event_counter
