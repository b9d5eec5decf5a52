"""Tests of the remedies for schedules in words; those for whole expressions are in test_cron_advice.py."""

from __future__ import annotations

import pytest

from clustertrigger.core.schedules.cron_expression import CronExpression
from clustertrigger.core.schedules.cron_syntax import parse
from clustertrigger.core.schedules.cron_words import LONGEST_INTERVAL, for_interval, for_words
from clustertrigger.core.schedules.schedule_error import ScheduleError

INTERVAL = "a cron expression cannot express an interval: use trigger_type interval with interval_seconds"
MIDNIGHT = "write minute and hour too:"


def reads(expression: str) -> CronExpression | None:
    try:
        return parse(expression)
    except ScheduleError:
        return None


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("Noon", "unknown shortcut: write 0 12 * * *"),
        ("annually", "write @annually"),
        ("12am", "is a time of day: write 0 0 * * *"),
        ("every Friday at 17", "is a time of day: write 0 17 * * fri"),
        ("Sat,Sun 08:00", "is a time of day: write 0 8 * * sat,sun"),
        ("weekends at 6pm", "is a time of day: write 0 18 * * 6-7"),
        ("Tue..Thu 23:59", "is a time of day: write 59 23 * * tue-thu"),
        ("every 1 week", f"{INTERVAL}: 604800"),
        ("every 400 days", f"{INTERVAL}, which is at most 31622400 (366 days)"),
        ("every second", f"{INTERVAL}: 1"),
        ("every night", INTERVAL),
        ("every other monday", INTERVAL),
        ("every monday and friday", f"{MIDNIGHT} 0 0 * * mon,fri is midnight"),
        ("every mon wed fri", f"{MIDNIGHT} 0 0 * * mon,wed,fri is midnight"),
        ("every weekday and saturday", f"{MIDNIGHT} 0 0 * * 1-5,sat is midnight"),
        ("mon, fri", f"{MIDNIGHT} 0 0 * * mon,fri is midnight"),
        # There is no such time, or no single expression.
        ("24:00", None),
        ("13pm", None),
        ("mon at 9 on *-*-01", None),
        ("hourly at 5", None),
        ("twice a day", None),
        ("every monday morning", None),
        ("", None),
    ],
)
def test_schedules_in_words(text: str, remedy: str | None) -> None:
    assert for_words(text, reads) == remedy


@pytest.mark.parametrize(
    ("seconds", "end"),
    [
        (None, ""),
        (0.0, ": 1, which is the shortest interval"),
        (0.4, ": 1, which is the shortest interval"),
        (1.5, ": 2, because it must be a whole number"),
        (1.1 * 3600, ": 3960"),
        (LONGEST_INTERVAL, f": {LONGEST_INTERVAL}"),
        (LONGEST_INTERVAL + 1, f", which is at most {LONGEST_INTERVAL} (366 days)"),
    ],
)
def test_intervals(seconds: float | None, end: str) -> None:
    assert for_interval(seconds) == INTERVAL + end
