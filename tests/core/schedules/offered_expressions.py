"""The expressions that an advice offers, and the days on which an expression is due."""

from __future__ import annotations

import re
from datetime import date, timedelta

from clustertrigger.core.schedules.cron_syntax import parse
from clustertrigger.core.schedules.schedule_error import ScheduleError

CALENDAR = [date(2027, 1, 1) + timedelta(days=number) for number in range(731)]
"""Two years, of which the second is a leap year."""
_OFFERED = re.compile(r"(?<!\S)[\d*][\d*,/-]* [\d*][\d*,/-]* [\d*][\w*,/-]* [\w*][\w*,/-]* [\w*][\w*,/-]*")


def advice(expression: str) -> str:
    """What is said about an expression that is refused."""
    try:
        parse(expression)
    except ScheduleError as refused:
        return refused.reason
    raise AssertionError(f"{expression!r} is valid")


def offered(said: str) -> list[str]:
    """The expressions in a text, in their order."""
    return [found.rstrip(",") for found in _OFFERED.findall(said)]


def sunday_first(day: date) -> int:
    """The number of a day of the week in crontab."""
    return day.isoweekday() % 7


def due(expression: str) -> tuple[set[tuple[int, int]], set[date]]:
    """Times of day, as hour and minute, and days."""
    parsed = parse(expression)
    weekdays = {number % 7 for number in parsed.weekdays}
    matches = all if parsed.days_and_weekdays else any
    days = {
        day
        for day in CALENDAR
        if day.month in parsed.months and matches((day.day in parsed.days, sunday_first(day) in weekdays))
    }
    return {(hour, minute) for hour in parsed.hours for minute in parsed.minutes}, days
