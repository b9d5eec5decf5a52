"""Says what both day fields together mean, day of month and day of week: in crontab, one is enough or both must match.

Debian's rule is in `cron_expression`. Spring and NCrontab require both, and Kubernetes does not count */2 as a *.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Collection, Sequence
from dataclasses import replace

from clustertrigger.core.schedules.cron_expression import CronExpression
from clustertrigger.core.schedules.cron_fields import DAY_OF_MONTH, DAY_OF_WEEK, FIELDS

NO_DAY = "no day ever matches both"
CANNOT = "cron cannot express only the days that match both"


def for_either_day(fields: Sequence[str], parsed: CronExpression) -> str | None:
    """Returns a warning if both day fields are restricted, so that either is sufficient; None otherwise."""
    if parsed.days_and_weekdays:
        return None
    counts = {_named_days(parsed, length, first) for length in _lengths(parsed) for first in range(7)}
    both = for_both_days(fields, parsed)
    remedy = f"for days that match both write {both}" if both else NO_DAY if not has_both(parsed) else CANNOT
    return (
        f"cron combines day of month and day of week with OR, so the trigger is due on {_reach(counts)} days of a month"
        f": {remedy}"
    )


def for_stepped_days(fields: Sequence[str], parsed: CronExpression) -> str | None:
    """Returns a warning if a step such as */2 makes both day fields necessary; None otherwise.

    Kubernetes CronJobs do not count */2 as a field that begins with *, so that such an expression is due there on more
    days. A step that matches only one value, such as */31, is what `for_either_day` offers for days that match both.
    """
    days, weekdays = set(parsed.days), {weekday % 7 for weekday in parsed.weekdays}
    stepped = [at for at in (DAY_OF_MONTH, DAY_OF_WEEK) if fields[at].startswith("*")]
    written = {at: _without_star(at, fields[at]) for at in stepped}
    if not stepped or len(days) == 31 or len(weekdays) == 7 or None in written.values():
        return None
    counts = {
        sum(day in days and (first + day - 1) % 7 in weekdays for day in range(1, length + 1))
        for length in _lengths(parsed)
        for first in range(7)
    }
    either = " ".join(written.get(at) or text for at, text in enumerate(fields))
    item = fields[stepped[0]].partition(",")[0]
    return (
        f"{FIELDS[stepped[0]].name} {item!r} begins with *, so that a day must match both day of month and day of "
        f"week, which is {_reach(counts)} days of a month. In a Kubernetes CronJob, one of them is enough: for that, "
        f"write {either}"
    )


def for_both_days(fields: Sequence[str], parsed: CronExpression) -> str | None:
    """Returns an expression for days that match both fields, if there is one and such a day exists.

    Both must match if one begins with *, and a list can begin with the * of a step that matches only one value.
    """
    days, weekdays = set(parsed.days), {weekday % 7 for weekday in parsed.weekdays}
    day, weekday = fields[DAY_OF_MONTH], fields[DAY_OF_WEEK]
    if not has_both(parsed):
        return None
    if len(days) == 31:
        day = "*"
    elif len(weekdays) == 7:
        weekday = "*"
    elif 0 in weekdays:
        weekday = ",".join(["*/7", *_runs(weekdays - {0})])
    elif 1 in days:
        day = ",".join(["*/31", *_runs(days - {1})])
    else:
        return None
    return " ".join([*fields[:DAY_OF_MONTH], day, fields[3], weekday])


def has_both(parsed: CronExpression) -> bool:
    """Returns whether a day exists that matches both fields."""
    return replace(parsed, days_and_weekdays=True).comes


def ranges(bounds: Sequence[tuple[int, int]]) -> list[str]:
    """Returns the ranges of crontab between pairs of numbers."""
    return [str(low) if low == high else f"{low}-{high}" for low, high in bounds]


def _runs(values: set[int]) -> list[str]:
    """Returns numbers as ranges, ascending."""
    firsts = [value for value in sorted(values) if value - 1 not in values]
    lasts = [value for value in sorted(values) if value + 1 not in values]
    return ranges(list(zip(firsts, lasts, strict=True)))


def _without_star(position: int, text: str) -> str | None:
    """Returns a field whose first item is a step with its range written out; None if it matches only one value."""
    first, *others = text.split(",")
    field, step = FIELDS[position], int(first.partition("/")[2] or 1)
    last = 6 if position == DAY_OF_WEEK else field.high
    if field.low + step > last:
        return None
    return ",".join([f"{field.low}-{last}/{step}", *others])


def _lengths(parsed: CronExpression) -> set[int]:
    """Returns the lengths of the months in which an expression is due."""
    return {monthrange(year, month)[1] for year in (2023, 2024) for month in parsed.months}


def _named_days(parsed: CronExpression, length: int, first: int) -> int:
    """Returns how many days an expression selects in a month of this length that begins on this day of the week."""
    return sum(day in parsed.days or (first + day - 1) % 7 in parsed.weekdays for day in range(1, length + 1))


def _reach(counts: Collection[int]) -> str:
    least, most = min(counts), max(counts)
    return str(least) if least == most else f"{least} to {most}"
