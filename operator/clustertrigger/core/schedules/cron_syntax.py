"""Parses cron expressions as crontab(5) defines them, and describes errors. croniter expands the fields.

It also accepts what Vixie's cron does not know (seconds, `L`, `W`, `#`, `?`, `R`, `H`, ranges that run backwards), so
every item is checked here first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from croniter import croniter

from clustertrigger.core.schedules import cron_advice, cron_both_days
from clustertrigger.core.schedules.cron_expression import CronExpression
from clustertrigger.core.schedules.cron_fields import FIELDS, Field, to_the_end
from clustertrigger.core.schedules.cron_reading import NEVER
from clustertrigger.core.schedules.cron_words import SHORTCUTS
from clustertrigger.core.schedules.schedule_error import ScheduleError
from clustertrigger.core.schedules.wallclock import zone_names

FIELD = "schedule_config.cron_expression"
_ITEM = re.compile(r"(?:(?P<star>\*)|(?P<low>\w+)(?:-(?P<high>\w+))?)(?:/(?P<step>\d+))?", re.ASCII)


@lru_cache(maxsize=16_384)
def parse(expression: str) -> CronExpression:
    """Parses an expression of five fields, or a shortcut such as `@daily`.

    Raises:
        ScheduleError: not what crontab(5) describes, or it names no day that ever comes.
    """
    fields = SHORTCUTS.get(expression.strip().lower(), expression).split()
    if _read(" ".join(fields)) is None:
        reason = cron_advice.for_shape(expression, fields, _read, zone_names())
        if reason is not None:
            raise ScheduleError(FIELD, expression, reason)
    try:
        parsed = _expression(fields)
    except _FieldError as error:
        raise ScheduleError(FIELD, expression, f"{error}{cron_advice.about_numbers(fields)}") from None
    if not parsed.comes:
        raise ScheduleError(FIELD, expression, NEVER)
    return parsed


@lru_cache(maxsize=4096)
def warnings(expression: str) -> tuple[str, ...]:
    """Returns what is often misunderstood in an expression, each with its remedy.

    Raises:
        ScheduleError: the expression is not valid.
    """
    fields = SHORTCUTS.get(expression.strip().lower(), expression).split()
    parsed = parse(expression)
    days = cron_both_days.for_either_day(fields, parsed) or cron_both_days.for_stepped_days(fields, parsed)
    return *((days,) if days else ()), *cron_advice.for_wide_steps(fields)


def _read(expression: str) -> CronExpression | None:
    """Returns an expression if it is valid. It computes no advice, because the advice calls this function."""
    fields = expression.split()
    try:
        return _expression(fields) if len(fields) == len(FIELDS) else None
    except _FieldError:
        return None


def _expression(fields: Sequence[str]) -> CronExpression:
    """Returns the expression of five fields."""
    minutes, hours, days, months, weekdays = (_values(position, text) for position, text in enumerate(fields))
    return CronExpression(
        minutes,
        hours,
        days,
        months,
        frozenset(weekdays),
        days_and_weekdays=fields[2].startswith("*") or fields[4].startswith("*"),
        follows_wall=fields[0].startswith("*") or fields[1].startswith("*"),
    )


class _FieldError(Exception):
    """Returns the error of one field, with the remedy."""


@lru_cache(maxsize=4096)
def _values(position: int, text: str) -> tuple[int, ...]:
    """Returns the values that a field allows, ascending; Sunday is 0.

    They are cached, because triggers use few different fields.
    """
    field = FIELDS[position]
    fields = ["*"] * len(FIELDS)
    items = [item for item in text.split(",") if item]
    fields[position] = ",".join(_item(field, item) for item in items)
    if not items:
        raise _FieldError(f"{field.name} {text!r} is an empty list: write *, a number, a range 1-5 or a list 1,3")
    if "" in text.split(","):
        raise _FieldError(f"{field.name} {text!r} has an empty item: write {','.join(items)}")
    expanded, _ = croniter.expand(" ".join(fields))
    allowed = expanded[position]
    return tuple(range(field.low, field.high + 1)) if "*" in allowed else tuple(sorted(int(value) for value in allowed))


def _item(field: Field, item: str) -> str:
    """Returns one checked item of a field's list, with names replaced by numbers."""
    match = _ITEM.fullmatch(item)
    plain = match is not None and (match["star"] or match["low"].isdigit())
    if not plain and (special := cron_advice.for_item(field, item)) is not None:
        raise _FieldError(special)
    if match is None and item.isalpha():
        raise _FieldError(cron_advice.for_text(field, item))
    if match is None:
        raise _FieldError(f"{field.name} {item!r} is invalid: write a number, a range 1-5, a list 1,3 or a step */2")
    step = match["step"] and int(match["step"])
    if step == 0:
        raise _FieldError(f"{field.name} {item!r} has step 0: write a step of at least 1")
    suffix = f"/{step}" if step else ""
    if match["star"]:
        return f"*{suffix}"
    low = _bound(field, match["low"])
    if match["high"] is None:
        if step:
            written = to_the_end(field, low, step)
            raise _FieldError(f"{field.name} {item!r} has a step without a range: write {written}")
        return str(low)
    high = _bound(field, match["high"])
    if low > high:
        raise _FieldError(cron_advice.for_backward_range(field, item, low, high, step or 1))
    # croniter reads 7-7 as the whole week.
    return f"{low}-{high}{suffix}" if low < high else str(low)


def _bound(field: Field, text: str) -> int:
    number = field.number(text)
    if number is None:
        raise _FieldError(cron_advice.for_text(field, text))
    if not field.low <= number <= field.high:
        reach = f"{field.name} {text} is out of range {field.low}-{field.high}"
        raise _FieldError(f"{reach}: write a number from {field.low} to {field.high}")
    return number
