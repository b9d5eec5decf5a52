"""Reading cron expressions as crontab(5) defines them, and saying what is wrong with others.

croniter expands the fields. It also takes what Vixie's cron does not know (seconds, `L`, `W`, `#`, `?`, `R`, `H`,
ranges that run backwards), so every item is checked here before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from croniter import croniter

from clustertrigger.core.schedules.cron_expression import CronExpression
from clustertrigger.core.schedules.schedule_error import ScheduleError

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
    try:
        minutes, hours, days, months, weekdays = (_values(position, text) for position, text in enumerate(fields))
    except _FieldError as error:
        raise ScheduleError(FIELD, expression, str(error)) from None
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


class _FieldError(Exception):
    """What is wrong with one field, and the way out."""


@lru_cache(maxsize=4096)
def _values(position: int, text: str) -> tuple[int, ...]:
    """The values that a field allows, ascending; Sunday is 0. Kept, since triggers differ in few fields."""
    field = _FIELDS[position]
    fields = ["*"] * len(_FIELDS)
    fields[position] = ",".join(_item(field, item) for item in text.split(","))
    expanded, _ = croniter.expand(" ".join(fields))
    allowed = expanded[position]
    return tuple(range(field.low, field.high + 1)) if "*" in allowed else tuple(sorted(int(value) for value in allowed))


def _item(field: _Field, item: str) -> str:
    """One item of a field's list, checked, with numbers for names."""
    match = _ITEM.fullmatch(item)
    if match is None:
        raise _FieldError(
            f"{field.name} {item!r} is not understood: write a number, a range 1-5, a list 1,3 or a step */2"
        )
    step = match["step"] and int(match["step"])
    if step == 0:
        raise _FieldError(f"{field.name} {item!r} has step 0: write a step of at least 1")
    suffix = f"/{step}" if step else ""
    if match["star"]:
        return f"*{suffix}"
    low = _bound(field, match["low"])
    if match["high"] is None:
        if step:
            raise _FieldError(f"{field.name} {item!r} has a step without a range: write {low}-{field.high}/{step}")
        return str(low)
    high = _bound(field, match["high"])
    if low > high:
        wrapped = f"{low}-{field.high},{field.low}-{high}"
        raise _FieldError(f"{field.name} range {item!r} runs backwards: write {wrapped}")
    # croniter takes 7-7 for the whole week.
    return f"{low}-{high}{suffix}" if low < high else str(low)


def _bound(field: _Field, text: str) -> int:
    number = field.number(text)
    if number is None:
        names = f" or {field.names[0]}-{field.names[-1]}" if field.names else ""
        raise _FieldError(f"{field.name} {text!r} is not a number: write {field.low}-{field.high}{names}")
    if not field.low <= number <= field.high:
        reach = f"{field.name} {text} is out of range {field.low}-{field.high}"
        raise _FieldError(f"{reach}: write a number from {field.low} to {field.high}")
    return number
