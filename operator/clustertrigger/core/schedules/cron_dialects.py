"""Suggests five fields for the six and seven of other schedulers: Spring, NCrontab, Quartz and AWS, and for commands.

Spring, NCrontab and Quartz begin with seconds, AWS does not. Both AWS and Quartz end with a year, or can.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from clustertrigger.core.schedules.cron_both_days import CANNOT, NO_DAY, for_both_days, has_both
from clustertrigger.core.schedules.cron_expression import CronExpression
from clustertrigger.core.schedules.cron_fields import DAY_OF_MONTH, DAY_OF_WEEK, FIELDS, Field, to_the_end
from clustertrigger.core.schedules.cron_names import short_name, with_short_names
from clustertrigger.core.schedules.cron_reading import Reads, comes, write
from clustertrigger.core.schedules.cron_special_days import for_special_day, for_special_days, for_special_weekday
from clustertrigger.core.schedules.cron_words import for_interval

FIVE = "write five: minute, hour, day of month, month, day of week"
_WEEKDAYS_AS_NAMES = f"{FIVE}, days of week as names, because Quartz and AWS count them from 1 = Sunday"
_YEAR = re.compile(r"(?:19|20)\d\d(?:[-,/]\d+)*", re.ASCII)
_COMMAND = re.compile(r"[A-Za-z]{4,}|^[/.~#]")
_WORD = re.compile(r"[A-Za-z]+(?:[-,#][A-Za-z0-9]+)*")
"""What can be a day of the week in another language, or misspelt, as well as a command."""
_SPECIAL_WEEKDAY = re.compile(r"(?P<day>\w+?)(?:l|#(?:\d|l))|l(?P<last>\w*)", re.ASCII | re.IGNORECASE)
_NOT_A_DAY = re.compile(r"[#/]\d+", re.ASCII)
_STEP = re.compile(r"(?P<low>\d+)/(?P<step>[1-9]\d*)", re.ASCII)


class _Parts(NamedTuple):
    """What an expression of another scheduler consists of: the five fields of crontab, seconds and a year."""

    five: Sequence[str]
    seconds: str = "0"
    year: str = "*"


def for_wrapped(fields: Sequence[str], reads: Reads) -> str:
    """Returns the remedy for the fields in cron( ), of which there can be five."""
    if len(fields) != len(FIELDS):
        return for_six_or_more(fields, reads)
    if _counts_from_sunday(fields, fields[DAY_OF_WEEK]):
        return _WEEKDAYS_AS_NAMES
    plain = _plain(fields)
    return write(plain, reads) if reads(plain) else _for_special(plain.split(), reads) or FIVE


def for_six_or_more(fields: Sequence[str], reads: Reads) -> str:
    """Returns the remedy for six or more fields: those five of them that crontab has, if they have the same meaning."""
    parts = _parts(fields, reads)
    if parts is None:
        return _for_command(fields, reads) or FIVE
    if _counts_from_sunday(fields, parts.five[DAY_OF_WEEK]):
        return _WEEKDAYS_AS_NAMES
    plain = _plain(parts.five)
    parsed, seconds = reads(plain), reads(f"{_with_range(FIELDS[0], parts.seconds)} * * * *")
    if seconds is None or _may_include_sunday(parts.five[DAY_OF_WEEK]):
        return FIVE
    remark = _remark(seconds.minutes, parts.year)
    if parsed is None:
        special = _for_special(plain.split(), reads)
        return f"{special}{remark}" if special else FIVE
    if not parsed.days_and_weekdays:
        return f"{_for_both(plain, parsed)}{remark}"
    step = 60 // len(seconds.minutes)
    if plain == "* * * * *" and parts.year in ("*", "?") and seconds.minutes == tuple(range(0, 60, step)) and step < 60:
        return for_interval(step)
    others = _other_readings(fields, reads) if parsed.comes else ""
    return f"{write(plain, reads, remark)}{others}"


def _counts_from_sunday(fields: Sequence[str], weekdays: str) -> bool:
    """Returns whether numbers of weekdays are from Quartz or AWS, whose ? no other scheduler has."""
    return "?" in fields and re.search(r"\d", _NOT_A_DAY.sub("", weekdays)) is not None


def _other_readings(fields: Sequence[str], reads: Reads) -> str:
    """Returns what the fields mean if the first of them is not seconds; empty if it must be."""
    if len(fields) != 6 or "?" in fields:
        return ""
    readings = [(_plain(fields[:5]), "the last is years")] if fields[5] == "*" else []
    # Numbers can be a list of days as well as a month and a day.
    if fields[2] == fields[3] == "*" and fields[4][:1].isdigit():
        weekdays = f"{fields[4]},{with_short_names(FIELDS[DAY_OF_WEEK], fields[5])}"
        readings.append((" ".join([*fields[:4], weekdays]), "the last two are days of the week"))
    others = [f"{expression} if {reading}" for expression, reading in readings if comes(expression, reads)]
    return "".join([" if the first is seconds", *(f", {other}" for other in others)]) if others else ""


def _for_both(plain: str, parsed: CronExpression) -> str:
    """Returns the remedy if both day fields are restricted, for which crontab and other schedulers differ."""
    if (both := for_both_days(plain.split(), parsed)) is not None:
        return (
            f"write {both} for days that match both, as in Spring and NCrontab, or {plain} for days that match either"
        )
    reason = f"{CANNOT}, as in Spring and NCrontab" if has_both(parsed) else NO_DAY
    return f"{reason}; {plain} is due on days that match either"


def _remark(seconds: Sequence[int], year: str) -> str:
    """Returns in what an expression differs from one with these seconds and years."""
    remarks = [
        "once a minute, the finest step of cron" if len(seconds) > 1 else "",
        "in every year" if year not in ("*", "?") else "",
    ]
    return f" ({'; '.join(filter(None, remarks))})" if any(remarks) else ""


def _may_include_sunday(weekdays: str) -> bool:
    """Returns whether a step without a range reaches 7, which Spring counts as Sunday; NCrontab ends at 6."""
    steps = filter(None, map(_STEP.fullmatch, weekdays.split(",")))
    return any(0 < int(each["low"]) < 7 and (7 - int(each["low"])) % int(each["step"]) == 0 for each in steps)


def _for_special(five: Sequence[str], reads: Reads) -> str | None:
    """Returns the remedy for days that cron does not have, such as L; None if something else is wrong."""
    if (special := for_special_days(five, reads)) is not None:
        return special
    hints = [for_special_day(item) for item in five[DAY_OF_MONTH].split(",")]
    hints += [for_special_weekday(FIELDS[DAY_OF_WEEK], item) for item in five[DAY_OF_WEEK].split(",")]
    return next(filter(None, hints), None)


def _for_command(fields: Sequence[str], reads: Reads) -> str | None:
    """Returns the remedy for a command or a comment after the five fields; None if there is none."""
    five = " ".join(fields[:5])
    if len(fields) < 6 or not _COMMAND.search(fields[5]) or not reads(five) or _is_weekday(fields[5], reads):
        return None
    if _WORD.fullmatch(fields[5]) and _parts([*fields[:5], "mon", *fields[6:]], reads) is not None:
        return f"if {fields[5]!r} is a command, {write(five, reads)}; if it is a day of the week, write one of sun-sat"
    return f"a command or a comment does not belong in it: {write(five, reads)}"


def _parts(fields: Sequence[str], reads: Reads) -> _Parts | None:
    """Returns the parts of six or seven fields; None if they are something else."""
    if len(fields) == 6 and _YEAR.fullmatch(fields[5]):
        return _Parts(fields[:5], year=fields[5])
    if len(fields) == 6 and "?" in (fields[DAY_OF_MONTH], fields[DAY_OF_WEEK]) and fields[5] == "*":
        return _Parts(fields[:5])
    if len(fields) not in (6, 7) or not _is_weekday(fields[5], reads):
        return None
    if len(fields) == 7 and fields[6] not in ("*", "?") and not _YEAR.fullmatch(fields[6]):
        return None
    return _Parts(fields[1:6], fields[0], *fields[6:])


def _is_weekday(text: str, reads: Reads) -> bool:
    field = FIELDS[DAY_OF_WEEK]
    for item in text.split(","):
        special = _SPECIAL_WEEKDAY.fullmatch(item)
        day = special and (special["day"] or special["last"])
        is_special = special is not None and (not day or field.number(day) is not None or short_name(field, day))
        written = _with_range(field, with_short_names(field, item))
        if item != "?" and not is_special and not reads(f"* * * * {written}"):
            return False
    return True


def _plain(five: Sequence[str]) -> str:
    """Returns five fields in the syntax of crontab: no ?, no step without a range, and names of three letters."""
    return " ".join(
        "*" if text == "?" else ",".join(_with_range(field, item) for item in with_short_names(field, text).split(","))
        for field, text in zip(FIELDS, five, strict=True)
    )


def _with_range(field: Field, item: str) -> str:
    step = _STEP.fullmatch(item)
    # With a *, day of month and day of week would have another meaning together.
    if step is None:
        return item
    if int(step["low"]) == field.low and not field.name.startswith("day"):
        return f"*/{step['step']}"
    return to_the_end(field, int(step["low"]), int(step["step"]))
