"""Suggests cron expressions for times of day in words, or as systemd writes them: `mon 9:00, fri 17:00`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from clustertrigger.core.schedules.cron_names import days_of
from clustertrigger.core.schedules.cron_reading import Reads, write, write_each

_TIME = re.compile(r"(?P<hour>[01]?\d|2[0-3])(?::(?P<minute>[0-5]\d)(?::00)?)?(?P<half>[ap]m)?")
_DATE = re.compile(r"\*-(?P<month>\*|0?[1-9]|1[0-2])-(?P<day>\*|0?[1-9]|[12]\d|3[01])")
"""The date of a systemd timer, in every year."""
_EVERY_MINUTES = re.compile(r"\*:00?/([1-9]\d?)")
_DAILY = ("day", "daily", "@daily", "everyday", "nightly")
_FILLERS = ("at", "on", "every", "each", "the", "days", "*-*-*")
"""Words beside a time that mean nothing."""
_EVERY_DAY = "* * *"


class _Word(NamedTuple):
    """A time of day, or days.

    Attributes:
        time: Minute and hour as in crontab; None for days.
        days: Day of month, month and day of week as in crontab.
    """

    time: str | None
    days: str = _EVERY_DAY

    @property
    def is_time(self) -> bool:
        """Whether this is a time of day."""
        return self.time is not None


def for_times(words: str, reads: Reads) -> str | None:
    """Returns the remedy for times of day, also with days of the week or the date of a systemd timer.

    Args:
        words: The schedule, in lower case.
        reads: Returns an expression if it is valid.
    """
    if (minutes := _EVERY_MINUTES.fullmatch(words)) is not None:
        return f"is a calendar event of systemd: write */{minutes[1]} * * * *"
    phrases = _phrases(words)
    each = None if phrases is None else _expressions(phrases)
    if not each or not all(map(reads, each)):
        return None
    if len(each) == 1:
        return f"is a time of day: {write(each[0], reads)}"
    return f"names {len(each)} times of day: {write_each(each, reads)}"


def _phrases(words: str) -> list[list[_Word]] | None:
    """Returns the times and days between commas; None if there is a word of another kind."""
    phrases: list[list[_Word]] = [[]]
    parts = re.sub(r" ([ap]m)\b", r"\1", words).replace(",", " , ").replace(" and ", " , ").split()
    for before, part in zip(["", *parts], parts, strict=False):
        time = _TIME.fullmatch(part)
        if part == ",":
            phrases.append([])
        elif time is not None and (time["minute"] or time["half"] or before == "at"):
            phrases[-1].append(_Word(_minute_and_hour(time)))
        elif part in _DAILY:
            phrases[-1].append(_Word(None))
        elif part not in _FILLERS:
            if (days := _days(part)) is None:
                return None
            phrases[-1].append(_Word(None, days))
    return [phrase for phrase in phrases if phrase]


def _days(word: str) -> str | None:
    if (date := _DATE.fullmatch(word)) is not None:
        return f"{date['day'].lstrip('0')} {date['month'].lstrip('0')} *"
    return f"* * {days}" if (days := days_of(word)) is not None else None


def _expressions(phrases: Sequence[Sequence[_Word]]) -> list[str] | None:
    """Returns an expression for each time; None if its days are not certain."""
    words = [word for phrase in phrases for word in phrase]
    runs = [list(run) for _, run in groupby(words, lambda word: word.is_time)]
    if len(runs) == 1 and runs[0][0].is_time:
        runs = [[_Word(None)], *runs]
    elif len(runs) == 3 and len(phrases) == 1 and runs[0] == [_Word(None)]:
        runs = runs[1:]  # every day at 9:00 on weekdays
    if len(runs) % 2 or not _in_turn(phrases):
        return None
    found = []
    for first, second in zip(runs[::2], runs[1::2], strict=True):
        times, days = (first, second) if first[0].is_time else (second, first)
        if (united := _united(days, is_one_phrase=len(phrases) == 1)) is None:
            return None
        found += [f"{time.time} {united}" for time in times]
    return found


def _in_turn(phrases: Sequence[Sequence[_Word]]) -> bool:
    """Returns whether days precede times everywhere, or follow them everywhere.

    In `mon 9:00, 17:00 fri, sat 10:00`, the second time belongs to what follows it, not to what precedes it.
    """
    mixed = [phrase for phrase in phrases if len({word.is_time for word in phrase}) == 2]
    return all(phrase[0].is_time == phrases[0][0].is_time for phrase in mixed)


def _united(run: Sequence[_Word], *, is_one_phrase: bool) -> str | None:
    """Returns several days as one; None if they do not go together."""
    days = list(dict.fromkeys(word.days for word in run))
    if _EVERY_DAY in days and len(days) > 1 and is_one_phrase:
        days.remove(_EVERY_DAY)  # daily mon-fri
    if len(days) == 1:
        return days[0]
    of_week = [each.removeprefix("* * ") for each in days]
    return None if any(" " in each or each == "*" for each in of_week) else f"* * {','.join(of_week)}"


def _minute_and_hour(time: re.Match[str]) -> str:
    """Returns minute and hour as in crontab; hour 24, which crontab does not have, if there is no such time."""
    hour = int(time["hour"])
    if time["half"]:
        hour = hour % 12 + (12 if time["half"] == "pm" else 0) if 1 <= hour <= 12 else 24
    return f"{int(time['minute'] or 0)} {hour}"
