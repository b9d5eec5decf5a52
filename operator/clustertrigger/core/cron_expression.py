"""What a cron expression says: the days and the times of day that it names, as crontab(5) defines them.

Debian's reading of Vixie's cron: a field that begins with `*` is unrestricted, even as `*/2`. A day must match
day-of-month and day-of-week where one of these is unrestricted, and either of them where both are restricted.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, date
from functools import lru_cache

from croniter import croniter

from clustertrigger.core.schedule_error import ScheduleError

FIELD = "schedule_config.cron_expression"
_SHORTCUTS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_LEAP_CYCLE = 40
"""Years within which 29 February has fallen on every weekday, also across a century without it."""


@dataclass(frozen=True, slots=True)
class CronExpression:
    """The days and the minutes of the day of one expression.

    Attributes:
        minutes, hours, days, months, weekdays: what the fields allow, ascending; Sunday is 0.
        days_and_weekdays: whether a day must be allowed by both of its fields, rather than by either.
        follows_wall: whether minute or hour begins with `*`, so that hours the wall shows twice count twice.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: frozenset[int]
    days_and_weekdays: bool
    follows_wall: bool

    def next_after(self, minute: int) -> int | None:
        """The first minute named after this one, both as minutes on the wall since 1970-01-01 00:00."""
        day, of_day = divmod(minute, 1440)
        if self._names_day(day) and (time := self._time_after(of_day)) is not None:
            return day * 1440 + time
        next_day = self._day_after(day)
        return None if next_day is None else next_day * 1440 + self.hours[0] * 60 + self.minutes[0]

    def latest_until(self, minute: int) -> int | None:
        """The last minute named up to and including this one, both as minutes on the wall since 1970-01-01 00:00."""
        day, of_day = divmod(minute, 1440)
        if self._names_day(day) and (time := self._time_until(of_day)) is not None:
            return day * 1440 + time
        last_day = self._day_before(day)
        return None if last_day is None else last_day * 1440 + self.hours[-1] * 60 + self.minutes[-1]

    def _time_after(self, of_day: int) -> int | None:
        hour, minute = divmod(of_day, 60)
        at = bisect_left(self.hours, hour)
        if at < len(self.hours) and self.hours[at] == hour:
            within = bisect_right(self.minutes, minute)
            if within < len(self.minutes):
                return hour * 60 + self.minutes[within]
            at += 1
        return self.hours[at] * 60 + self.minutes[0] if at < len(self.hours) else None

    def _time_until(self, of_day: int) -> int | None:
        hour, minute = divmod(of_day, 60)
        at = bisect_right(self.hours, hour) - 1
        if at >= 0 and self.hours[at] == hour:
            within = bisect_right(self.minutes, minute) - 1
            if within >= 0:
                return hour * 60 + self.minutes[within]
            at -= 1
        return self.hours[at] * 60 + self.minutes[-1] if at >= 0 else None

    def _names_day(self, day: int) -> bool:
        moment = date.fromordinal(_EPOCH_ORDINAL + day)
        return moment.month in self.months and self._allows(moment.day, day)

    def _allows(self, of_month: int, day: int) -> bool:
        """Whether a day of an allowed month is named; `day` counts from 1970-01-01, which was a Thursday."""
        if self.days_and_weekdays:
            return of_month in self.days and (day + 4) % 7 in self.weekdays
        return of_month in self.days or (day + 4) % 7 in self.weekdays

    def _day_after(self, day: int) -> int | None:
        start = date.fromordinal(_EPOCH_ORDINAL + day + 1)
        first = start.day
        for year, month in _months_from(start, 1):
            if month in self.months:
                before = date(year, month, 1).toordinal() - _EPOCH_ORDINAL - 1
                for of_month in range(first, monthrange(year, month)[1] + 1):
                    if self._allows(of_month, before + of_month):
                        return before + of_month
            first = 1
        return None

    def _day_before(self, day: int) -> int | None:
        start = date.fromordinal(_EPOCH_ORDINAL + day - 1)
        last = start.day
        for year, month in _months_from(start, -1):
            if month in self.months:
                before = date(year, month, 1).toordinal() - _EPOCH_ORDINAL - 1
                for of_month in range(min(last, monthrange(year, month)[1]), 0, -1):
                    if self._allows(of_month, before + of_month):
                        return before + of_month
            last = 31
        return None


def _months_from(start: date, step: int) -> Iterator[tuple[int, int]]:
    """Years and months from a date on, or back (step -1), as long as it takes to meet any day that exists."""
    count = start.year * 12 + start.month - 1
    for month in range(count, count + step * 12 * _LEAP_CYCLE, step):
        year, index = divmod(month, 12)
        if not MINYEAR <= year <= MAXYEAR:
            return
        yield year, index + 1


@dataclass(frozen=True)
class _Field:
    """One of the five fields: its range, and the names that stand for numbers."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    first: int = 0

    def number(self, text: str) -> int | None:
        """What a number or a name stands for; None for anything else."""
        if text.isascii() and text.isdigit():
            return int(text)
        return self.names.index(text.lower()) + self.first if text.lower() in self.names else None


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1),
    _Field("day of week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)
_ITEM = re.compile(r"(?:(?P<star>\*)|(?P<low>\w+)(?:-(?P<high>\w+))?)(?:/(?P<step>\d+))?", re.ASCII)


@lru_cache(maxsize=16_384)
def parse(expression: str) -> CronExpression:
    """Read an expression of five fields, or a shortcut such as `@daily`.

    Raises:
        ScheduleError: not what crontab(5) describes, or it names no day that ever comes.
    """
    fields = _SHORTCUTS.get(expression.strip().lower(), expression).split()
    _check_shape(expression, fields)
    try:
        minutes, hours, days, months, weekdays = (_values(position, text) for position, text in enumerate(fields))
    except _FieldError as error:
        raise ScheduleError(FIELD, expression, str(error)) from None
    parsed = CronExpression(
        minutes,
        hours,
        days,
        months,
        frozenset(weekdays),
        days_and_weekdays=fields[2].startswith("*") or fields[4].startswith("*"),
        follows_wall=fields[0].startswith("*") or fields[1].startswith("*"),
    )
    if parsed.next_after(0) is None:
        raise ScheduleError(FIELD, expression, "never fires, because no such day exists: change day of month or month")
    return parsed


def _check_shape(expression: str, fields: list[str]) -> None:
    def refuse(reason: str) -> ScheduleError:
        return ScheduleError(FIELD, expression, reason)

    first = fields[0].lower() if fields else ""
    if first.startswith(("tz=", "cron_tz=")):
        raise refuse("a time zone does not belong in the expression: remove it and set schedule_config.timezone")
    if first == "@reboot":
        raise refuse("@reboot has no meaning in a cluster: use trigger_type interval with start_immediately")
    if first.startswith("@"):
        raise refuse(f"unknown shortcut: use one of {', '.join(_SHORTCUTS)}")
    if len(fields) != len(_FIELDS):
        extra = "; there are no seconds and no years" if len(fields) > len(_FIELDS) else ""
        raise refuse(
            f"has {len(fields)} {'field' if len(fields) == 1 else 'fields'}{extra}: "
            "write five: minute, hour, day of month, month, day of week"
        )


class _FieldError(Exception):
    """What is wrong with one field, and the way out."""


@lru_cache(maxsize=4096)
def _values(position: int, text: str) -> tuple[int, ...]:
    """The values that a field allows, ascending; Sunday is 0. Kept, since triggers differ in few fields."""
    field = _FIELDS[position]
    fields = ["*"] * len(_FIELDS)
    fields[position] = ",".join(_item(field, item) for item in text.split(","))
    expanded, _ = croniter.expand(" ".join(fields))
    allowed = expanded[position]
    return tuple(range(field.low, field.high + 1)) if "*" in allowed else tuple(sorted(int(value) for value in allowed))


def _item(field: _Field, item: str) -> str:
    """One item of a field's list, checked, with numbers for names."""
    match = _ITEM.fullmatch(item)
    if match is None:
        raise _FieldError(
            f"{field.name} {item!r} is not understood: write a number, a range 1-5, a list 1,3 or a step */2"
        )
    step = match["step"] and int(match["step"])
    if step == 0:
        raise _FieldError(f"{field.name} {item!r} has step 0: write a step of at least 1")
    suffix = f"/{step}" if step else ""
    if match["star"]:
        return f"*{suffix}"
    low = _bound(field, match["low"])
    if match["high"] is None:
        if step:
            raise _FieldError(f"{field.name} {item!r} has a step without a range: write {low}-{field.high}/{step}")
        return str(low)
    high = _bound(field, match["high"])
    if low > high:
        wrapped = f"{low}-{field.high},{field.low}-{high}"
        raise _FieldError(f"{field.name} range {item!r} runs backwards: write {wrapped}")
    # croniter takes 7-7 for the whole week.
    return f"{low}-{high}{suffix}" if low < high else str(low)


def _bound(field: _Field, text: str) -> int:
    number = field.number(text)
    if number is None:
        names = f" or {field.names[0]}-{field.names[-1]}" if field.names else ""
        raise _FieldError(f"{field.name} {text!r} is not a number: write {field.low}-{field.high}{names}")
    if not field.low <= number <= field.high:
        reach = f"{field.name} {text} is out of range {field.low}-{field.high}"
        raise _FieldError(f"{reach}: write a number from {field.low} to {field.high}")
    return number
