"""Defines the working copy of a decision, which the policies modify."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from clustertrigger.api.conditions import EventReason
from clustertrigger.api.schedule import ConditionalSchedule, CronSchedule, IntervalSchedule, Schedule
from clustertrigger.api.status import Check, Execution, ScheduleState
from clustertrigger.api.trigger import ClusterTriggerSpec
from clustertrigger.core.decision import Action, Decision, Event, Observed, Refusal
from clustertrigger.core.instants import format_instant
from clustertrigger.core.jobs.workload import ObservedRun
from clustertrigger.core.resources.trigger import Trigger
from clustertrigger.core.schedules.timetable import Timetable, timetable

_MOST_AHEAD = timedelta(hours=1)
"""How far in the future a time can be. The clocks of replicas and of API servers differ by less, and the Job of a slot
guards it for at least as long.
"""
MOST_KEPT = 200
"""Maximum number of ended runs or checks in a status, whatever their Jobs do. The CRD allows 512 with the active ones.
"""
_MOST_NAMED = 100
"""Missed slots are counted up to this number, so that the work does not grow with the length of an outage."""


class Draft:
    """One decision in progress: the trigger, the observations, the time, and the result so far."""

    def __init__(self, trigger: Trigger, observed: Observed, now: datetime) -> None:
        self.trigger = trigger
        self.observed = observed
        self.now = now
        self.before = trigger.status
        self.status = trigger.status.copy()
        """The status as changed by this decision so far."""
        self.actions: list[Action] = []
        self.events: list[Event] = []
        self._wake: list[datetime] = []
        self.held: Refusal | None = None
        """Why a due slot cannot fire now."""
        self.overdue = False
        """Whether something that is due has not started. If its Job was requested, it no longer counts as due."""
        self.begins_now = False
        """Whether the schedule starts at this reading of the clock. This must be written before anything fires by it,
        or the next decision would restart the schedule.
        """

    def do(self, *actions: Action) -> None:
        """Adds actions."""
        self.actions.extend(actions)

    def note(self, reason: EventReason, message: str, series: str = "") -> None:
        """Adds a Normal event."""
        self.events.append(Event("Normal", reason, message, series))

    def warn(self, reason: EventReason, message: str) -> None:
        """Adds a Warning event."""
        self.events.append(Event("Warning", reason, message))

    def wake(self, instant: datetime | None) -> None:
        """Requests another decision at this time."""
        if instant is not None:
            self._wake.append(instant)

    def is_ahead(self, instant: datetime) -> bool:
        """Returns whether a wrong clock wrote this time. Whatever waits for it would wait for years."""
        return instant > self.now + _MOST_AHEAD

    def is_of_time_ahead(self, instant: datetime) -> bool:
        """Returns whether the clock has already been at this time when it was far ahead."""
        return is_of_time_ahead(self.schedule_state, instant)

    @property
    def edited(self) -> bool:
        """Whether the spec changed since the status was written."""
        return self.trigger.generation != self.before.observedGeneration

    @property
    def schedule_state(self) -> ScheduleState:
        """The state of the schedule, which the first policies set."""
        if self.status.schedule_state is None:
            raise RuntimeError("lifecycle.follow_edits comes before all that asks for slots")
        return self.status.schedule_state

    @property
    def schedule(self) -> Schedule | None:
        """The trigger's schedule; None if its spec is invalid."""
        return self.trigger.spec.schedule if self.trigger.spec else None

    @property
    def timetable(self) -> Timetable | None:
        """The slots, if the trigger's type has any."""
        schedule = self.schedule
        if isinstance(schedule, CronSchedule | IntervalSchedule | ConditionalSchedule):
            return timetable(schedule, self.schedule_state.anchor)
        return None

    def due_slot(self, slots: Timetable) -> datetime | None:
        """Returns the latest due slot that is not accounted for; None also if the next decision handles it."""
        due = slots.latest_until(self.now)
        if due is None or due <= self.schedule_state.accounted_until:
            return None
        if self.begins_now:
            self.wake(self.now)
            return None
        return due

    @property
    def history(self) -> list[Execution]:
        """Runs, newest first."""
        return self.status.history

    def active_runs(self) -> list[Execution]:
        """The runs that have not ended, except those that are being deleted."""
        runs = self.observed.runs
        return [
            entry
            for entry in self.history
            if is_active(entry) and not ((run := runs.get(entry.job_id)) and run.deleting)
        ]

    def active_checks(self) -> list[Check]:
        """The checks that have not ended, except those that are being deleted."""
        observed = self.observed.checks
        return [
            entry
            for entry in self.status.checks
            if entry.status == "pending" and not ((check := observed.get(entry.job_id)) and check.deleting)
        ]

    def active_jobs(self) -> list[ObservedRun]:
        """The observed state of the active runs and checks."""
        observed = {**self.observed.runs, **self.observed.checks}
        names = [run.job_id for run in self.active_runs()] + [check.job_id for check in self.active_checks()]
        return [observed[name] for name in names if name in observed]

    def has_fired(self, name: str) -> bool:
        """Returns whether the Job with this name exists, or did: its slot must not fire again."""
        return name in self.observed.runs or name in self.observed.checks or name in self.recorded()

    def recorded(self) -> set[str]:
        """Returns the names of the Jobs that the status contains."""
        return {run.job_id for run in self.history} | {check.job_id for check in self.status.checks}

    @property
    def failed(self) -> bool:
        """Whether too many runs failed in a row, or spec.status is failed."""
        spec = self.trigger.spec
        return spec is not None and has_failed(spec, self.status.consecutive_failures)

    def account_for(self, slot: datetime, missed: str | None = None) -> None:
        """Advances the schedule to a slot, once.

        One event names the slots that were skipped on the way. Skipped checks are not reported, because the latest
        check measures the same.

        Args:
            slot: The slot that was fired, skipped or missed.
            missed: Why the slot itself is missed; None if it is not.
        """
        state = self.schedule_state
        if slot <= state.accounted_until or self.is_ahead(slot):
            return
        if state.live and (slots := self.timetable) and (missed or not isinstance(self.schedule, ConditionalSchedule)):
            last = slot if missed else slot - timedelta(seconds=1)
            passed = slots.count_between(state.accounted_until, last, _MOST_NAMED + 1)
            if passed:
                named = _named(passed, slots.next_after(state.accounted_until), slots.latest_until(last))
                self.warn(EventReason.SLOTS_MISSED, f"Missed {named}: {missed or 'only the latest one may still fire'}")
        self.status.schedule_state = replace(state, accounted_until=slot)

    @property
    def is_written(self) -> bool:
        """Whether the status differs from the stored one, so that it is written in any case."""
        return bool(self.status.changed_since(self.before))

    def decision(self) -> Decision:
        """Returns the result. The status is valid only if there are no actions.

        Raises:
            ValidationError: a policy has put something into a field that it cannot hold.
        """
        status = self.status if not self.actions and self.is_written else self.before
        return Decision(tuple(self.actions), status, tuple(self.events), min(self._wake, default=None))


def is_of_time_ahead(state: ScheduleState, instant: datetime) -> bool:
    """Returns whether a time is in the range that the clock was at when it was far ahead."""
    begin, end = state.ahead_from, state.ahead_until
    return begin is not None and end is not None and begin <= instant <= end


def has_failed(spec: ClusterTriggerSpec, consecutive_failures: int) -> bool:
    """Returns whether this number of consecutive failures stops the trigger, or spec.status is failed."""
    return spec.status == "failed" or consecutive_failures >= spec.run.max_consecutive_failures


def is_active(entry: Execution) -> bool:
    """Returns whether a run has not ended, according to the history."""
    return entry.status in ("pending", "running")


def with_entry(history: Iterable[Execution], changed: Execution) -> list[Execution]:
    """Returns the history with one entry changed."""
    return [changed if entry.job_id == changed.job_id else entry for entry in history]


def _named(count: int, first: datetime | None, last: datetime | None) -> str:
    if first is None or last is None:
        return "slots"
    if count == 1:
        return f"the slot {format_instant(last)}"
    number = f"more than {_MOST_NAMED}" if count > _MOST_NAMED else str(count)
    return f"{number} slots from {format_instant(first)} to {format_instant(last)}"
