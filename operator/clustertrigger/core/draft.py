"""The working copy on which the policies of a decision write."""

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

_MOST_NAMED = 100
"""Missed slots are counted up to here: the work does not grow with the outage."""


class Draft:
    """One decision in the making: the trigger, what was observed, the instant, and the outcome so far."""

    def __init__(self, trigger: Trigger, observed: Observed, now: datetime) -> None:
        self.trigger = trigger
        self.observed = observed
        self.now = now
        self.before = trigger.status
        self.status = trigger.status.copy()
        """As this decision leaves it so far."""
        self.actions: list[Action] = []
        self.events: list[Event] = []
        self._wake: list[datetime] = []
        self.held: Refusal | None = None
        """What keeps a due slot from firing now."""
        self.overdue = False
        """Whether something that is due has not started; if its Job was requested, it no longer counts as due."""
        self.begins_now = False
        """Whether the schedule begins at this reading of the clock: that must be written before anything fires by it,
        or the next decision would restart it."""

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
        """Asks for another decision then."""
        if instant is not None:
            self._wake.append(instant)

    @property
    def edited(self) -> bool:
        """Whether the spec changed since the status was written."""
        return self.trigger.generation != self.before.observedGeneration

    @property
    def schedule_state(self) -> ScheduleState:
        """The memory of the schedule, which the first policies have set."""
        if self.status.schedule_state is None:
            raise RuntimeError("lifecycle.follow_edits comes before all that asks for slots")
        return self.status.schedule_state

    @property
    def schedule(self) -> Schedule | None:
        """What makes the trigger due; None where its spec is invalid."""
        return self.trigger.spec.schedule if self.trigger.spec else None

    @property
    def timetable(self) -> Timetable | None:
        """The slots, where the trigger is of a type that has any."""
        schedule = self.schedule
        if isinstance(schedule, CronSchedule | IntervalSchedule | ConditionalSchedule):
            return timetable(schedule, self.schedule_state.anchor)
        return None

    @property
    def history(self) -> list[Execution]:
        """Runs, newest first."""
        return self.status.history

    def active_runs(self) -> list[Execution]:
        """Runs that have not ended, those being deleted left out."""
        runs = self.observed.runs
        return [
            entry
            for entry in self.history
            if is_active(entry) and not ((run := runs.get(entry.job_id)) and run.deleting)
        ]

    def active_checks(self) -> list[Check]:
        """Checks that have not ended, those being deleted left out."""
        seen = self.observed.checks
        return [
            entry
            for entry in self.status.checks
            if entry.status == "pending" and not ((check := seen.get(entry.job_id)) and check.deleting)
        ]

    def active_jobs(self) -> list[ObservedRun]:
        """What the cluster shows of the active runs and checks."""
        seen = {**self.observed.runs, **self.observed.checks}
        names = [run.job_id for run in self.active_runs()] + [check.job_id for check in self.active_checks()]
        return [seen[name] for name in names if name in seen]

    @property
    def failed(self) -> bool:
        """Whether too many runs failed in a row, or the owner marked the trigger so."""
        spec = self.trigger.spec
        return spec is not None and has_failed(spec, self.status.consecutive_failures)

    def account_for(self, slot: datetime, missed: str | None = None) -> None:
        """Moves the schedule on to a slot, once; slots passed over on the way are named in one event.

        Checks that were passed over are not worth one: the latest says what they would have said.

        Args:
            slot: fired, skipped or missed.
            missed: why the slot itself is missed, if it is.
        """
        state = self.schedule_state
        if slot <= state.accounted_until:
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
        """Whether the status differs from what is stored, so that it is written anyway."""
        return bool(self.status.changed_since(self.before))

    def decision(self) -> Decision:
        """The outcome; the status counts only where there are no actions.

        Raises:
            ValidationError: a policy has put something into a field that it cannot hold.
        """
        status = self.status if not self.actions and self.is_written else self.before
        return Decision(tuple(self.actions), status, tuple(self.events), min(self._wake, default=None))


def has_failed(spec: ClusterTriggerSpec, consecutive_failures: int) -> bool:
    """Whether so many failed runs in a row stop the trigger, or the owner marked it so."""
    return spec.status == "failed" or consecutive_failures >= spec.run.max_consecutive_failures


def is_active(entry: Execution) -> bool:
    """Whether a run has not ended according to the history."""
    return entry.status in ("pending", "running")


def with_entry(history: Iterable[Execution], changed: Execution) -> list[Execution]:
    """The history with one entry changed."""
    return [changed if entry.job_id == changed.job_id else entry for entry in history]


def _named(count: int, first: datetime | None, last: datetime | None) -> str:
    if first is None or last is None:
        return "slots"
    if count == 1:
        return f"the slot {format_instant(last)}"
    number = f"more than {_MOST_NAMED}" if count > _MOST_NAMED else str(count)
    return f"{number} slots from {format_instant(first)} to {format_instant(last)}"
