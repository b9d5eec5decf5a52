"""Computes the days and the times of day of a cron expression, as crontab(5) defines them.

It follows Debian's version of Vixie's cron: a field that begins with `*` is unrestricted, even as `*/2`. A day must
match both day of month and day of week if one of them is unrestricted, and either of them if both are restricted.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, date

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_LEAP_CYCLE = 40
"""Number of years within which 29 February falls on every weekday, even across a century without it."""


@dataclass(frozen=True, slots=True)
class CronExpression:
    """The days and the minutes of the day of one expression.

    Attributes:
        minutes, hours, days, months, weekdays: Allowed values of the fields, ascending; Sunday is 0.
        days_and_weekdays: Whether a day must match both of its fields, rather than either.
        follows_wall: whether minute or hour begins with `*`, so that hours the wall shows twice count twice.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: frozenset[int]
    days_and_weekdays: bool
    follows_wall: bool

    @property
    def comes(self) -> bool:
        """Whether there is a day on which it is due."""
        return self.next_after(0) is not None

    def next_after(self, minute: int) -> int | None:
        """Returns the first matching minute after this one, both as minutes of wall time since 1970-01-01 00:00."""
        day, of_day = divmod(minute, 1440)
        if self._names_day(day) and (time := self._time_after(of_day)) is not None:
            return day * 1440 + time
        next_day = self._day_after(day)
        return None if next_day is None else next_day * 1440 + self.hours[0] * 60 + self.minutes[0]

    def latest_until(self, minute: int) -> int | None:
        """Returns the last matching minute up to this one, both as minutes of wall time since 1970-01-01 00:00."""
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
        """Returns whether a day of an allowed month matches; `day` counts from 1970-01-01, which was a Thursday."""
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
    """Yields years and months from a date on, or backwards (step -1), until every existing day must have occurred."""
    count = start.year * 12 + start.month - 1
    for month in range(count, count + step * (12 * _LEAP_CYCLE + 1), step):
        year, index = divmod(month, 12)
        if not MINYEAR <= year <= MAXYEAR:
            return
        yield year, index + 1
