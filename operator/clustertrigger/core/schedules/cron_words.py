"""Suggests cron expressions and intervals for schedules in words: `daily`, `every 5 minutes`, `Mon..Fri 02:00`."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import isclose

from clustertrigger.core.humanize import read_duration
from clustertrigger.core.schedules.cron_fields import DAY_OF_WEEK, FIELDS, Field

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

_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")  # fmt: skip
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_OTHER_FORMS = {"tues": "tue", "weds": "wed", "thur": "thu", "thurs": "thu", "sept": "sep"}
GROUPS = {
    **dict.fromkeys(("weekday", "weekdays", "workday", "workdays"), "1-5"),
    **dict.fromkeys(("weekend", "weekends"), "6-7"),
}
"""Days of the week that have one name."""
_CALENDAR = {
    **dict.fromkeys(("month", "months", "p1m"), "@monthly"),
    **dict.fromkeys(("year", "years", "p1y"), "@yearly"),
}
"""Shortcuts for intervals that have no fixed number of seconds."""
_RATE = re.compile(r"(?:rate\((?P<rate>.+)\)|@?every(?:[ _]*(?P<every>.+))?)")
_TIME = re.compile(r"(?P<hour>[01]?\d|2[0-3])(?::(?P<minute>[0-5]\d)(?::00)?)?(?P<half>[ap]m)?")
_DATE = re.compile(r"\*-(?P<month>\*|0?[1-9]|1[0-2])-(?P<day>\*|0?[1-9]|[12]\d|3[01])")
"""The date of a systemd timer, in every year."""
_EVERY_MINUTES = re.compile(r"\*:00?/([1-9]\d?)")
_FILLERS = (",", "at", "on", "every", "each", "the", "day", "days", "daily", "@daily", "everyday", "nightly")
"""Words beside a time that mean every day, or nothing."""
LONGEST_INTERVAL = 366 * 86_400
"""Maximum number of seconds of an interval."""

Reads = Callable[[str], bool]
"""Returns whether an expression is valid."""


def for_words(text: str, reads: Reads) -> str | None:
    """Returns the remedy for an expression in words; None if it is something else."""
    words = text.lower()
    if (time := _for_time(words, reads)) is not None:
        return time
    if (rate := _RATE.fullmatch(words)) is not None:
        return _for_rate(rate["rate"] or rate["every"] or "")
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


def short_name(field: Field, text: str) -> str | None:
    """Returns the three letters of crontab for a day or a month in another form, such as Mondays or sept."""
    folded = text.lower()
    names = (_DAYS if FIELDS.index(field) == DAY_OF_WEEK else _MONTHS) if field.names else ()
    singular = folded.removesuffix("s") if len(folded) > 4 else folded
    for name in names:
        short = name[:3].lower()
        if (len(folded) > 3 and name.lower().startswith((folded, singular))) or _OTHER_FORMS.get(folded) == short:
            return short
    return None


def _for_time(words: str, reads: Reads) -> str | None:
    """Returns the remedy for times of day, also with days of the week or the date of a systemd timer."""
    if (minutes := _EVERY_MINUTES.fullmatch(words)) is not None:
        return f"is a calendar event of systemd: write */{minutes[1]} * * * *"
    date, times, days = ("*", "*"), [], []
    parts = re.sub(r" ([ap]m)\b", r"\1", words).replace(",", " , ").replace(" and ", " , ").split()
    for before, part in zip(["", *parts], parts, strict=False):
        time = _TIME.fullmatch(part)
        if time is not None and (time["minute"] or time["half"] or before == "at"):
            times.append(time)
        elif (written := _DATE.fullmatch(part)) is not None:
            date = (written["day"].lstrip("0"), written["month"].lstrip("0"))
        elif part not in _FILLERS:
            days.append(_days_of(part))
    if None in days or (days and date != ("*", "*")):
        return None
    written_days = ",".join(filter(None, days)) or "*"
    each = [f"{of_day} {date[0]} {date[1]} {written_days}" for of_day in map(_minute_and_hour, times)]
    if not each or not all(map(reads, each)):
        return None
    if len(each) == 1:
        return f"is a time of day: write {each[0]}"
    return f"names {len(each)} times of day: make a trigger for each: {'; '.join(each)}"


def _minute_and_hour(time: re.Match[str]) -> str:
    """Returns minute and hour as in crontab; hour 24, which crontab does not have, if there is no such time."""
    hour = int(time["hour"])
    if time["half"]:
        hour = hour % 12 + (12 if time["half"] == "pm" else 0) if 1 <= hour <= 12 else 24
    return f"{int(time['minute'] or 0)} {hour}"


def _days_of(word: str) -> str | None:
    """Returns the names of crontab for a day of the week, a range of days, or a group."""
    if word in GROUPS:
        return GROUPS[word]
    ends = re.split(r"\.\.|-", word)
    names = [end if end in FIELDS[DAY_OF_WEEK].names else short_name(FIELDS[DAY_OF_WEEK], end) for end in ends]
    known = [name for name in names if name is not None]
    return _day_range(known[0], known[-1]) if len(known) == len(names) <= 2 else None


def _day_range(first: str, last: str) -> str:
    """Returns a range of days of the week; two ranges if Sunday, the first day of crontab's week, is inside."""
    names = FIELDS[DAY_OF_WEEK].names
    is_reversed = names.index(first) > names.index(last)
    ranges = [(first, names[-1]), (names[0], last)] if is_reversed else [(first, last)]
    return ",".join(begin if begin == end else f"{begin}-{end}" for begin, end in ranges)


def _for_rate(text: str) -> str:
    """Returns the remedy for what follows "every"."""
    seconds, word = read_duration(text), text.partition(" ")[0]
    if seconds is not None:
        return for_interval(seconds)
    if (shortcut := _CALENDAR.get(text.removeprefix("1").strip())) is not None:
        return f"write {shortcut}"
    return _for_days(word) or for_interval(None)


def _for_days(word: str) -> str | None:
    """Returns the remedy for days of the week without a time."""
    days = _days_of(word)
    return f"write minute and hour too: 0 0 * * {days} is midnight" if days else None


def _for_word(word: str) -> str | None:
    """Returns the remedy for an expression of one word."""
    bare = word.removeprefix("@").replace("-", "_")
    if not word.startswith("@") and (days := _for_days(word)) is not None:
        return days
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
