"""What a cron expression says: the days and the times of day that it names, as crontab(5) defines them.

Debian's reading of Vixie's cron: a field that begins with `*` is unrestricted, even as `*/2`. A day must match
day-of-month and day-of-week where one of these is unrestricted, and either of them where both are restricted.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from calendar import monthrange
from dataclasses import dataclass
from datetime import date
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
        if moment.month not in self.months:
            return False
        named = moment.day in self.days, (day + 4) % 7 in self.weekdays  # 1970-01-01 was a Thursday
        return all(named) if self.days_and_weekdays else any(named)

    def _day_after(self, day: int) -> int | None:
        start = date.fromordinal(_EPOCH_ORDINAL + day + 1)
        for year in range(start.year, min(start.year + _LEAP_CYCLE, date.max.year) + 1):
            for month in self.months:
                if (year, month) >= (start.year, start.month):
                    for named in self._days_of(year, month):
                        if named > day:
                            return named
        return None

    def _day_before(self, day: int) -> int | None:
        start = date.fromordinal(_EPOCH_ORDINAL + day)
        for year in range(start.year, max(start.year - _LEAP_CYCLE, date.min.year) - 1, -1):
            for month in reversed(self.months):
                if (year, month) <= (start.year, start.month):
                    for named in reversed(self._days_of(year, month)):
                        if named < day:
                            return named
        return None

    def _days_of(self, year: int, month: int) -> list[int]:
        """The days named in a month, as days since 1970-01-01."""
        first = date(year, month, 1).toordinal() - _EPOCH_ORDINAL
        length = monthrange(year, month)[1]
        candidates = self.days if self.days_and_weekdays else range(1, 32)
        return [day for of_month in candidates if of_month <= length and self._names_day(day := first + of_month - 1)]


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
    canonical = [
        ",".join(_item(expression, field, item) for item in text.split(","))
        for field, text in zip(_FIELDS, fields, strict=True)
    ]
    expanded, _ = croniter.expand(" ".join(canonical))
    minutes, hours, days, months, weekdays = (
        tuple(range(field.low, field.high + 1)) if "*" in values else tuple(sorted({int(value) for value in values}))
        for field, values in zip(_FIELDS, expanded, strict=True)
    )
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


def _item(expression: str, field: _Field, item: str) -> str:
    """One item of a field's list, checked, with numbers for names."""

    def refuse(reason: str) -> ScheduleError:
        return ScheduleError(FIELD, expression, reason)

    match = _ITEM.fullmatch(item)
    if match is None:
        raise refuse(f"{field.name} {item!r} is not understood: write a number, a range 1-5, a list 1,3 or a step */2")
    step = match["step"] and int(match["step"])
    if step == 0:
        raise refuse(f"{field.name} {item!r} has step 0: write a step of at least 1")
    suffix = f"/{step}" if step else ""
    if match["star"]:
        return f"*{suffix}"
    low = _bound(expression, field, match["low"])
    if match["high"] is None:
        if step:
            raise refuse(f"{field.name} {item!r} has a step without a range: write {low}-{field.high}/{step}")
        return str(low)
    high = _bound(expression, field, match["high"])
    if low > high:
        raise refuse(
            f"{field.name} range {item!r} runs backwards: write {low}-{field.high},{field.low}-{high}"
            if field.low < high
            else f"{field.name} range {item!r} runs backwards: write {low}-{field.high},{high}"
        )
    return f"{low}-{high}{suffix}" if low < high else str(low)


def _bound(expression: str, field: _Field, text: str) -> int:
    number = field.number(text)
    if number is None:
        names = f" or {field.names[0]}-{field.names[-1]}" if field.names else ""
        raise ScheduleError(
            FIELD, expression, f"{field.name} {text!r} is not a number: write {field.low}-{field.high}{names}"
        )
    if not field.low <= number <= field.high:
        reach = f"{field.name} {text} is out of range {field.low}-{field.high}"
        raise ScheduleError(FIELD, expression, f"{reach}: write a number from {field.low} to {field.high}")
    return number
