"""The working copy on which the policies of a decision write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from clustertrigger.api.conditions import EventReason
from clustertrigger.api.status import ClusterTriggerStatus, Execution, ScheduleState
from clustertrigger.core.decision import Action, Decision, Event, Observed
from clustertrigger.core.instants import format_instant
from clustertrigger.core.timetable import Timetable, timetable
from clustertrigger.core.trigger import Trigger

_MOST_NAMED = 100
"""Missed slots are counted up to here: the work does not grow with the outage."""


class Draft:
    """One decision in the making: the trigger, what was observed, the instant, and the outcome so far."""

    def __init__(self, trigger: Trigger, observed: Observed, now: datetime) -> None:
        self.trigger = trigger
        self.observed = observed
        self.now = now
        self.before = trigger.status
        self.changes: dict[str, Any] = {}
        self.actions: list[Action] = []
        self.events: list[Event] = []
        self._wake: list[datetime] = []
        self.held: str | None = None
        """Why a due slot cannot fire yet."""

    def get(self, field: str) -> Any:
        """A status field as this decision leaves it so far."""
        return self.changes[field] if field in self.changes else getattr(self.before, field)

    def set(self, **fields: Any) -> None:
        """Changes status fields."""
        self.changes.update(fields)

    def do(self, *actions: Action) -> None:
        """Adds actions."""
        self.actions.extend(actions)

    def note(self, reason: EventReason, message: str) -> None:
        """Adds a Normal event."""
        self.events.append(Event("Normal", reason, message))

    def warn(self, reason: EventReason, message: str) -> None:
        """Adds a Warning event."""
        self.events.append(Event("Warning", reason, message))

    def wake(self, instant: datetime | None) -> None:
        """Asks for another decision then."""
        if instant is not None:
            self._wake.append(instant)

    @property
    def schedule_state(self) -> ScheduleState:
        """The memory of the schedule, which the first policies have set."""
        state: ScheduleState = self.get("schedule_state")
        return state

    @property
    def timetable(self) -> Timetable | None:
        """The slots, where the schedule is live and has any."""
        spec = self.trigger.spec
        if spec is None or not self.schedule_state.live:
            return None
        return timetable(spec.schedule, self.schedule_state.anchor)

    @property
    def history(self) -> list[Execution]:
        """Runs, newest first."""
        history: list[Execution] = self.get("history")
        return history

    def active_runs(self) -> list[Execution]:
        """Runs that have not ended, those being deleted left out."""
        runs = self.observed.runs
        return [
            entry
            for entry in self.history
            if is_active(entry) and not ((run := runs.get(entry.job_id)) and run.deleting)
        ]

    @property
    def failed(self) -> bool:
        """Whether too many runs failed in a row, or the owner marked the trigger so."""
        spec = self.trigger.spec
        return spec is not None and (
            spec.status == "failed" or self.get("consecutive_failures") >= spec.run.max_consecutive_failures
        )

    def account_for(self, slot: datetime) -> None:
        """Moves the schedule on to a slot; slots that were passed over on the way are named in one event."""
        state = self.schedule_state
        if slot <= state.accounted_until:
            return
        slots = self.timetable
        if slots is not None:
            passed = slots.count_between(state.accounted_until, slot - timedelta(seconds=1), _MOST_NAMED + 1)
            if passed:
                self.warn(EventReason.SLOTS_MISSED, _missed(passed, slots, state.accounted_until, slot))
        self.set(schedule_state=state.model_copy(update={"accounted_until": slot}))

    def decision(self) -> Decision:
        """The outcome."""
        status = self.before.model_copy(update=self.changes) if self.changes else self.before
        return Decision(tuple(self.actions), status, tuple(self.events), min(self._wake, default=None))


def is_active(entry: Execution) -> bool:
    """Whether a run has not ended, as far as the history tells."""
    return entry.status in ("pending", "running")


def replace_entry(history: Iterable[Execution], job: str, changes: Mapping[str, Any]) -> list[Execution]:
    """The history with one entry changed."""
    return [entry.model_copy(update=changes) if entry.job_id == job else entry for entry in history]


def _missed(passed: int, slots: Timetable, accounted_until: datetime, slot: datetime) -> str:
    first = slots.next_after(accounted_until)
    last = slots.latest_until(slot - timedelta(seconds=1))
    count = f"more than {_MOST_NAMED}" if passed > _MOST_NAMED else str(passed)
    if first is None or last is None or first == last:
        return f"Missed the slot {format_instant(last or slot)}: only the latest missed slot may still fire"
    return (
        f"Missed {count} slots from {format_instant(first)} to {format_instant(last)}: "
        "only the latest missed slot may still fire"
    )
