"""Suggests cron expressions and intervals for schedules in words: `daily`, `every 5 minutes`, `Mon..Fri 02:00`."""

from __future__ import annotations

import re
from math import isclose

from clustertrigger.core.humanize import read_duration
from clustertrigger.core.schedules.cron_names import days_of
from clustertrigger.core.schedules.cron_reading import Reads
from clustertrigger.core.schedules.cron_times import for_times

SHORTCUTS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_WORDS = {
    "minutely": "* * * * *",
    "noon": "0 12 * * *",
    **dict.fromkeys(("weekdays", "weekday", "workdays"), "0 0 * * 1-5"),
    **dict.fromkeys(("weekends", "weekend"), "0 0 * * 6-7"),
    "quarterly": "0 0 1 1,4,7,10 *",
    **dict.fromkeys(("semiannually", "biannually"), "0 0 1 1,7 *"),
}
"""Shortcuts of other schedulers, with or without their @."""

_CALENDAR = {
    **dict.fromkeys(("month", "months", "p1m"), "@monthly"),
    **dict.fromkeys(("year", "years", "p1y"), "@yearly"),
}
"""Shortcuts for intervals that have no fixed number of seconds."""
_RATE = re.compile(r"(?:rate\((?P<rate>.+)\)|@?every(?:[ _]*(?P<every>.+))?)")
LONGEST_INTERVAL = 366 * 86_400
"""Maximum number of seconds of an interval."""


def for_words(text: str, reads: Reads) -> str | None:
    """Returns the remedy for an expression in words; None if it is something else."""
    words = text.lower()
    if (times := for_times(words, reads)) is not None:
        return times
    if (rate := _RATE.fullmatch(words)) is not None:
        return _for_rate(rate["rate"] or rate["every"] or "")
    if (days := _for_days(words)) is not None:
        return days
    return _for_word(words) if words and " " not in words else None


def for_interval(seconds: float | None) -> str:
    """Returns the remedy for an interval.

    Args:
        seconds: Its length; None if it is unknown.
    """
    if seconds is None:
        every = "interval_seconds"
    elif seconds > LONGEST_INTERVAL:
        every = f"interval_seconds, which is at most {LONGEST_INTERVAL} (366 days)"
    elif seconds < 1:
        every = "interval_seconds: 1, which is the shortest interval"
    elif not isclose(seconds, round(seconds)):
        every = f"interval_seconds: {round(seconds)}, because it must be a whole number"
    else:
        every = f"interval_seconds: {round(seconds)}"
    return f"a cron expression cannot express an interval: use trigger_type interval with {every}"


def _for_rate(text: str) -> str | None:
    """Returns the remedy for what follows "every"; None for a day with words that change its meaning."""
    seconds = read_duration(text)
    if seconds is not None:
        return for_interval(seconds)
    if (shortcut := _CALENDAR.get(text.removeprefix("1").strip())) is not None:
        return f"write {shortcut}"
    if (days := _for_days(text)) is not None:
        return days
    return None if days_of(text.partition(" ")[0]) else for_interval(None)


def _for_days(words: str) -> str | None:
    """Returns the remedy for days of the week without a time."""
    named = [days_of(word) for word in words.replace(",", " ").split() if word not in ("and", "every", "each", "on")]
    days = [day for day in named if day is not None]
    if not days or len(days) < len(named):
        return None
    return f"write minute and hour too: 0 0 * * {','.join(days)} is midnight"


def _for_word(word: str) -> str | None:
    """Returns the remedy for an expression of one word."""
    bare = word.removeprefix("@").replace("-", "_")
    if f"@{bare}" in SHORTCUTS:
        return f"write @{bare}"
    if bare in _WORDS:
        return f"unknown shortcut: write {_WORDS[bare]}"
    if bare in ("secondly", "every_second"):
        return for_interval(1)
    if (shortcut := _CALENDAR.get(bare)) is not None:
        return f"write {shortcut}"
    seconds = float(word) if re.fullmatch(r"[1-9]\d{1,6}", word) else read_duration(bare.removeprefix("every_"))
    return None if seconds is None else for_interval(seconds)
