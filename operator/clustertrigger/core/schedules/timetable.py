"""Computes the slots of cron and interval triggers."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import NamedTuple, Protocol

from clustertrigger.api.schedule import ConditionalSchedule, CronSchedule, EventSchedule, IntervalSchedule
from clustertrigger.api.trigger import ClusterTriggerSpec
from clustertrigger.core.humanize import duration
from clustertrigger.core.schedules import cron_syntax
from clustertrigger.core.schedules.cron import CronTimetable
from clustertrigger.core.schedules.interval import IntervalTimetable
from clustertrigger.core.schedules.schedule_error import ScheduleError
from clustertrigger.core.schedules.wallclock import ZONE_FIELD, wall_clock
from clustertrigger.core.schedules.zone_advice import warning as zone_warning
from clustertrigger.core.text import one_line

__all__ = [
    "ScheduleError",
    "ScheduleWarning",
    "Timetable",
    "check_cron",
    "cron_warnings",
    "describe_schedule",
    "timetable",
]


class ScheduleWarning(NamedTuple):
    """What is often misunderstood in a valid schedule.

    Attributes:
        field: Path below spec.
        value: The field's value.
        reason: How it is understood, with the remedy.
    """

    field: str
    value: str
    reason: str


class Timetable(Protocol):
    """The slots of a schedule. Immutable; slots are aware, in UTC, and whole seconds."""

    def next_after(self, instant: datetime) -> datetime | None:
        """Returns the first slot strictly after an aware instant; None if there is none before the year 10000."""

    def latest_until(self, instant: datetime) -> datetime | None:
        """Returns the last slot up to and including an aware instant; None if there is none."""

    def count_between(self, start: datetime, end: datetime, limit: int) -> int:
        """Returns the number of slots in (start, end], at most limit, in a time that is proportional to limit."""


def timetable(schedule: CronSchedule | IntervalSchedule | ConditionalSchedule, anchor: datetime) -> Timetable:
    """Returns the slots of a schedule. For a conditional trigger, they are the times of its checks.

    Args:
        schedule: The trigger's schedule_config.
        anchor: aware instant of the trigger's creation or of the last edit of its schedule; the grid of an
            interval starts there, a cron schedule needs none.

    Raises:
        ScheduleError: the expression or the time zone is wrong, or the schedule never fires.
    """
    if isinstance(schedule, CronSchedule):
        return _cron(schedule.cron_expression, schedule.timezone)
    if isinstance(schedule, ConditionalSchedule):
        return IntervalTimetable(anchor, schedule.check_interval_seconds, from_anchor=False)
    return IntervalTimetable(anchor, schedule.interval_seconds, from_anchor=schedule.start_immediately)


def check_cron(schedule: CronSchedule) -> None:
    """Validates a cron schedule.

    Raises:
        ScheduleError: the expression or the time zone is wrong, or the schedule never fires.
    """
    _cron(schedule.cron_expression, schedule.timezone)


def cron_warnings(schedule: CronSchedule) -> tuple[ScheduleWarning, ...]:
    """Returns what is often misunderstood in a valid cron schedule, each with its remedy.

    Raises:
        ScheduleError: the expression is wrong.
    """
    expression, zone = schedule.cron_expression, schedule.timezone
    of_zone = zone_warning(zone)
    return (
        *(ScheduleWarning(cron_syntax.FIELD, expression, said) for said in cron_syntax.warnings(expression)),
        *((ScheduleWarning(ZONE_FIELD, zone, of_zone),) if of_zone else ()),
    )


def describe_schedule(spec: ClusterTriggerSpec, event_counter: int | None = None) -> str:
    """Returns the text of the column SCHEDULE, even for an invalid cron expression.

    Examples: `0 2 * * * Europe/Berlin`, `every 6h`, `100 documents_added, cooldown 5m`, with a counter
    `37/100 documents_added, cooldown 5m`, `cosine_drift > 0.3 every 1h`, `document_count ±20% every 1h`.
    """
    match spec.schedule:
        case CronSchedule() as cron:
            return f"{one_line(cron.cron_expression)} {cron.timezone}"
        case IntervalSchedule() as interval:
            return f"every {duration(interval.interval_seconds)}"
        case EventSchedule() as event:
            cooldown = f", cooldown {duration(event.cooldown_seconds)}" if event.cooldown_seconds else ""
            counted = "" if event_counter is None else f"{event_counter}/"
            return f"{counted}{event.event_threshold} {event.event_type}{cooldown}"
        case ConditionalSchedule() as condition:
            often = duration(condition.check_interval_seconds)
            if condition.condition_type == "volume":
                return f"{condition.metric} ±{100 * condition.threshold:g}% every {often}"
            return f"{condition.metric} > {condition.threshold:g} every {often}"


@lru_cache(maxsize=16_384)
def _cron(expression: str, zone: str) -> CronTimetable:
    return CronTimetable(cron_syntax.parse(expression), wall_clock(zone))
