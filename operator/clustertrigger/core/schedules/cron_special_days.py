"""Suggests what to write instead of the days that Quartz and Spring find in a month: L, L-3, LW, 15W, 5L, MON#2."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Sequence

from clustertrigger.core.schedules.cron_fields import DAY_OF_MONTH, DAY_OF_WEEK, FIELDS, Field
from clustertrigger.core.schedules.cron_reading import Reads, comes

_A_NUMBER = "write a number from 1 to 31"
_FROM_END = re.compile(r"l(?:-(?P<before>\d+))?|lw|wl", re.ASCII)
_NEAR = re.compile(r"(?P<day>\d+)w|w(?P<other>\d+)", re.ASCII)
_NTH = re.compile(r"(?P<day>\w+)#(?P<nth>\d|l)", re.ASCII)
_LENGTHS = (31, 30, 28)


def for_special_days(fields: Sequence[str], reads: Reads) -> str | None:
    """Returns the remedy for five fields with a day that depends on the month; None if there is none.

    Args:
        fields: The five fields.
        reads: Returns an expression if it is valid.
    """
    for item in fields[DAY_OF_MONTH].split(","):
        if _FROM_END.fullmatch(item.lower()) and (remedy := _for_end(fields, item, reads)) is not None:
            return f"{_called(item)}: {remedy}"
        near = _NEAR.fullmatch(item.lower())
        if near is not None and _never_comes(fields, near["day"] or near["other"], reads):
            return f"{_called(item)}: write a day that the month has"
    weekdays = fields[DAY_OF_WEEK].split(",")
    nth = next((item for item in weekdays if _nth(item) is not None), None)
    if nth is None or (len(weekdays) == 1 and fields[DAY_OF_MONTH] in ("*", "?")):
        return None
    remedy = "make a trigger for each item of the list" if len(weekdays) > 1 else "write * as day of month"
    return f"day of week {nth!r} is Quartz syntax that needs the field day of month: {remedy}"


def for_special_day(item: str) -> str | None:
    """Returns the remedy for a day of the month, whatever the other fields are; None if it is not a special one."""
    folded = item.lower()
    if _FROM_END.fullmatch(folded):
        return f"{_called(item)}: {_A_NUMBER}"
    if folded == "w":
        return f"{_called(item)}: write * and day of week 1-5"
    if (near := _NEAR.fullmatch(folded)) is not None and 1 <= int(near["day"] or near["other"]) <= 31:
        return f"{_called(item)}: write {near['day'] or near['other']}, the day itself"
    return None


def for_special_weekday(field: Field, item: str) -> str | None:
    """Returns the remedy for the last and the nth weekday of a month."""
    folded = item.lower()
    if folded == "l":
        return f"day of week {item!r} is Quartz syntax for Saturday: write 6"
    if (last := re.fullmatch(r"(\w+?)l|l(\w+)", folded)) is not None:
        day = last[1] or last[2]
        if (number := field.number(day)) is None or number > field.high:
            return None
        every_week = f"cron cannot express the last weekday of a month: write {day}, which matches every week"
        return f"day of week {item!r} is Quartz syntax: {every_week}{_in_quartz(field, day)}"
    nth = _NTH.fullmatch(folded)
    if nth is None or (number := field.number(nth["day"])) is None or number > field.high:
        return None
    if (found := _nth(item)) is not None:
        remedy = f"write day of month {found[0]} and day of week {found[1]}, which must then both match"
    else:
        ordinal = "last" if nth["nth"] == "l" else _ordinal(int(nth["nth"]))
        remedy = f"cron cannot express the {ordinal} such day of a month: write {nth['day']}, which matches every week"
    return f"day of week {item!r} is Quartz syntax: {remedy}{_in_quartz(field, nth['day'])}"


def _called(item: str) -> str:
    """Returns what a special day of the month is."""
    folded = item.lower()
    if folded == "l":
        what = "the last day"
    elif folded == "w":
        what = "a working day"
    elif folded in ("lw", "wl"):
        what = "the last working day, which cron cannot express"
    elif (before := _FROM_END.fullmatch(folded)) is not None:
        what = f"{before['before']} days before the last day"
    else:
        what = f"the working day nearest to the {_ordinal(int(folded.strip('w')))}"
    return f"day of month {item!r} is Quartz syntax for {what}"


def _for_end(fields: Sequence[str], item: str, reads: Reads) -> str | None:
    """Returns the remedy for days that are counted from the end of a month: a trigger for each length of month.

    It is None if another field is wrong, or if day of week is restricted too: some schedulers combine the two with
    AND, others with OR.
    """
    minute, hour, days, month, weekday = fields
    others = reads(f"{minute} {hour} 1 {month} *")
    if others is None or weekday not in ("*", "?"):
        return None
    lengths = {length: [number for number in others.months if _length(number) == length] for length in _LENGTHS}
    triggers = []
    for length, months in lengths.items():
        if not months:
            continue
        of_length = month if len(months) == len(others.months) else _listed(months)
        expression = f"{minute} {hour} {_counted(days, length)} {of_length} *"
        if not comes(expression, reads):
            return None
        triggers.append(expression + (", one day early in leap years" if length == 28 else ""))
    remedy = f"write {triggers[0]}" if len(triggers) == 1 else f"make a trigger for each: {'; '.join(triggers)}"
    if lengths[28] and "-" not in days and "," not in days:
        next_months = "*" if len(others.months) == 12 else _listed(sorted(number % 12 + 1 for number in others.months))
        remedy = f"write {minute} {hour} 1 {next_months} *, the day after, or {remedy.removeprefix('write ')}"
    return f"for the last day, {remedy}" if "w" in days.lower() else remedy


def _counted(days: str, length: int) -> str:
    """Returns days of a month of this length as numbers from its first day."""
    items = days.lower().split(",")
    ends = [_FROM_END.fullmatch(item) for item in items]
    numbers = (
        item if end is None else str(length - int(end["before"] or 0)) for item, end in zip(items, ends, strict=True)
    )
    return ",".join(dict.fromkeys(numbers))


def _length(month: int) -> int:
    return monthrange(2023, month)[1]


def _listed(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))


def _never_comes(fields: Sequence[str], day: str, reads: Reads) -> bool:
    """Returns whether an expression is valid with a number as day of month, but never due."""
    minute, hour, _, month, weekday = ("*" if text == "?" else text for text in fields)
    parsed = reads(f"{minute} {hour} {day} {month} {weekday}")
    return parsed is not None and not parsed.comes


def _in_quartz(field: Field, day: str) -> str:
    """Returns which day a number is in Quartz; empty for a name, and for a number that Quartz does not have."""
    if day not in tuple("1234567"):
        return ""
    return f" ({field.names[int(day) - 1]} if {day} is from Quartz, where 1 is Sunday)"


def _nth(item: str) -> tuple[str, str] | None:
    """Returns day of month and day of week for the nth weekday of a month; None for another item, or if there are none.

    Both must match, which requires that one of them begins with *.
    """
    written = _NTH.fullmatch(item.lower())
    number = None if written is None else FIELDS[DAY_OF_WEEK].number(written["day"])
    if written is None or number is None or number > FIELDS[DAY_OF_WEEK].high:
        return None
    if written["nth"] == "1":
        return "*/31,2-7", written["day"]
    if number % 7 == 0 and written["nth"] in ("2", "3", "4"):
        first = 7 * (int(written["nth"]) - 1) + 1
        return f"{first}-{first + 6}", "*/7"
    return None


def _ordinal(number: int) -> str:
    ending = "th" if 11 <= number % 100 <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
