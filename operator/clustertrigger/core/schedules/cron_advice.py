"""Suggests what to write instead of the syntax of other schedulers: Quartz, Spring, Jenkins, AWS, Go.

An expression is suggested only if it is due at the same times. Otherwise, the text
says so and names a similar expression.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence

from clustertrigger.core.schedules.cron_both_days import ranges
from clustertrigger.core.schedules.cron_dialects import FIVE, for_six_or_more, for_wrapped
from clustertrigger.core.schedules.cron_fields import DAY_OF_MONTH, DAY_OF_WEEK, FIELDS, Field
from clustertrigger.core.schedules.cron_names import GROUPS, short_name
from clustertrigger.core.schedules.cron_reading import Reads, said, write, write_each
from clustertrigger.core.schedules.cron_special_days import for_special_day, for_special_days, for_special_weekday
from clustertrigger.core.schedules.cron_words import LONGEST_INTERVAL, SHORTCUTS, for_words
from clustertrigger.core.schedules.zone_advice import cities_of, zone_meant

_QUOTES = "'\"`\u201c\u201d\u2018\u2019"

_RANGE_STEP = re.compile(r"(?:\*|(?P<low>\w+)-(?P<high>\w+))/(?P<step>\d+)", re.ASCII)
_PERIODS = ("hour", "day", "month", "year", "week")
"""What the range of each field is called."""
_UNITS = (("minutes", 60), ("hours", 3600), ("days", 86_400), ("months", None), ("days", 86_400))
"""What a step of each field counts, and its length in seconds if it is fixed."""
_SPACED = re.compile(r" ?([,/-]) ?")
_SEVERAL = re.compile(r"(?: ?[;|&] ?|, | and | or )+")
_ZONE = re.compile(r"(?:cron_)?(?:tz|timezone)[=:](?P<name>.*)", re.IGNORECASE)
_CHARACTERS = str.maketrans(
    {**dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"), **dict.fromkeys("\u2217\u204e\u00d7", "*"),
     **dict.fromkeys("\\\u200b\u2060\ufeff")}
)  # fmt: skip
"""Characters of word processors and of escapes, and what crontab has instead."""
_JENKINS = re.compile(r"[hr](?:\((?P<low>\d+)-(?P<high>\d+)\))?(?:/(?P<step>[1-9]\d*))?")


def for_shape(expression: str, fields: Sequence[str], reads: Reads, zones: Collection[str]) -> str | None:
    """Returns what is wrong with an expression as a whole, and the remedy; None if it has the right form.

    Args:
        expression: The expression as written.
        fields: Its fields.
        reads: Returns an expression if it is valid.
        zones: Names of time zones.
    """
    text = " ".join(fields)
    first = fields[0].lower() if fields else ""
    if (zone := _for_zone(fields, zones)) is not None:
        return zone
    if (bare := text.strip(_QUOTES)) != text:
        return (
            f"quotes do not belong in the expression: {write(bare, reads)}"
            if reads(bare)
            else f"remove the quotes: {FIVE}"
        )
    if first == "@reboot":
        return "@reboot has no meaning in a cluster: use trigger_type interval with start_immediately"
    if (wrapped := re.fullmatch(r"cron\((.*)\)", text, re.IGNORECASE)) is not None:
        return f"cron( ) does not belong in the expression: {for_wrapped(wrapped[1].split(), reads)}"
    if (words := for_words(text, reads)) is not None:
        return words
    if first.startswith("@"):
        return f"unknown shortcut: use one of {', '.join(SHORTCUTS)}"
    if len(several := _several(expression, fields, reads)) > 1:
        return f"contains {len(several)} expressions: {write_each(several, reads)}"
    if not reads(text) and reads(typed := _typed(text)):
        return f"has characters that crontab does not know: {write(typed, reads)}"
    if len(fields) > len(FIELDS) and reads(closed := _SPACED.sub(r"\1", text)):
        return f"spaces separate the fields: write lists, ranges and steps without them: {said(closed, reads)}"
    if len(fields) > len(FIELDS):
        return f"has {len(fields)} fields, but cron has neither seconds nor years: {for_six_or_more(fields, reads)}"
    if len(fields) < len(FIELDS):
        return f"has {len(fields)} {'field' if len(fields) == 1 else 'fields'}: {FIVE}"
    return for_special_days(fields, reads)


def for_item(field: Field, item: str) -> str | None:
    """Returns the remedy if an item of a field is the syntax of another scheduler; None if it is not."""
    folded = item.lower()
    position = FIELDS.index(field)
    if item == "?":
        return f"{field.name} '?' is Quartz syntax: write *"
    if (jenkins := _JENKINS.fullmatch(folded)) is not None:
        return _for_hash(field, item, jenkins)
    if "~" in item:
        return f"{field.name} {item!r} is OpenBSD syntax for a random time: write a fixed number"
    if position == DAY_OF_MONTH:
        return for_special_day(item)
    return for_special_weekday(field, item) if position == DAY_OF_WEEK else None


def about_numbers(fields: Sequence[str]) -> str:
    """Returns how days of the week are counted, for the end of an error, if an expression seems to be from Quartz."""
    if fields[DAY_OF_MONTH] != "?" or not re.fullmatch(r"[1-7](?:[-,/][1-7])*", fields[DAY_OF_WEEK]):
        return ""
    return "; days of week count from 0 = Sunday, and in Quartz and AWS from 1 = Sunday"


def for_text(field: Field, text: str) -> str:
    """Returns the remedy if something other than a number or a name is written."""
    folded = text.lower()
    if (short := short_name(field, text)) is not None:
        return f"{field.name} {text!r} is not a name that crontab knows: write {short}"
    if FIELDS.index(field) == DAY_OF_WEEK and folded in GROUPS:
        return f"{field.name} {text!r} is not a name that crontab knows: write {GROUPS[folded]}"
    names = f" or {field.names[0]}-{field.names[-1]}" if field.names else ""
    return f"{field.name} {text!r} is not a number: write {field.low}-{field.high}{names}"


def for_backward_range(field: Field, item: str, low: int, high: int, step: int) -> str:
    """Returns the remedy for a range that ends before it begins."""
    weekday = FIELDS.index(field) == DAY_OF_WEEK
    if weekday:
        low, high = low % 7, high % 7
    last = 6 if weekday else field.high
    values = [*range(low, last + 1), *range(field.low, high + 1)] if low > high else list(range(low, high + 1))
    whole = last - field.low + 1
    if low == high:
        written = str(low)
    elif step > 1:
        written = ",".join(str(value) for value in sorted(values[::step]))
    elif len(values) == whole:
        written = "*"
    elif weekday:
        # 7 is Sunday too, so that a range may end with it.
        written = f"{low}-7" if high == 0 else ",".join(ranges([(low, 7), (1, high)] if low > high else [(low, high)]))
    else:
        written = ",".join(ranges([(low, last), (field.low, high)]))
    meaning = f", which is every {field.name}" if written == "*" else ""
    return f"{field.name} range {item!r} is reversed: write {written}{meaning}"


def for_wide_steps(fields: Sequence[str]) -> Iterator[str]:
    """Yields a warning for each step that is larger than its range, so that only the range's first value matches.

    Args:
        fields: The five fields of a valid expression.
    """
    for position, text in enumerate(fields):
        field = FIELDS[position]
        for item in text.split(","):
            if (written := _RANGE_STEP.fullmatch(item)) is None:
                continue
            step = int(written["step"])
            if written["low"] is not None:
                low, high = field.number(written["low"]) or 0, field.number(written["high"]) or 0
                size, remedy = high - low + 1, f"write {low}"
            else:
                low, high = field.low, field.high
                size = 7 if position == DAY_OF_WEEK else high - low + 1  # 0 and 7 are both Sunday
                remedy = _for_wide_step(fields, position, step, size)
            if step > size:
                yield (
                    f"{field.name} {item!r} matches only {low} in each {_PERIODS[position]}, because the step is "
                    f"larger than the range {low}-{high}: {remedy}"
                )


def _for_wide_step(fields: Sequence[str], position: int, step: int, size: int) -> str:
    """Returns the remedy for a step that is larger than the number of the field's values."""
    unit, seconds = _UNITS[position]
    same_times = f"for the same times as now, write */{size}"
    longer = [text for at, text in enumerate(fields) if at != position and at >= min(position, DAY_OF_MONTH)]
    if seconds is None or step * seconds > LONGEST_INTERVAL or "," in fields[position] or set(longer) != {"*"}:
        return f"cron cannot express every {step} {unit}; {same_times}"
    return f"for every {step} {unit}, use trigger_type interval with interval_seconds: {step * seconds}; {same_times}"


def _for_zone(fields: Sequence[str], zones: Collection[str]) -> str | None:
    """Returns the remedy for a time zone before or after the fields."""
    parts = re.sub(r" ?([=:]) ?", r"\1", " ".join(fields)).split()
    for part in dict.fromkeys([*parts[:1], *parts[-1:], "_".join(parts[len(FIELDS) :])]):
        bare = part.strip("[](),;" + _QUOTES)
        assigned = _ZONE.fullmatch(bare)
        name = assigned["name"] if assigned else bare
        cities = cities_of(name) if assigned or name.isupper() else ()
        known = assigned or "/" in name or name.isupper()
        named = {zone.casefold(): zone for zone in zones}.get(name.casefold()) if known else None
        meant = named or (None if cities else zone_meant(name, zones))
        if assigned or meant or cities:
            value = f": {meant}" if meant else f", such as {' or '.join(cities)}" if cities else ""
            return f"a time zone does not belong in the expression: remove it and set schedule_config.timezone{value}"
    return None


def _several(expression: str, fields: Sequence[str], reads: Reads) -> list[str]:
    """Returns the expressions of a text that contains several; else an empty list."""
    for parts in (expression.splitlines(), _SEVERAL.split(" ".join(fields)), _in_fives(fields)):
        each = [" ".join(part.split()) for part in parts if part.strip()]
        if len(each) > 1 and all(map(reads, each)):
            return each
    return []


def _in_fives(fields: Sequence[str]) -> list[str]:
    return [" ".join(fields[at : at + 5]) for at in range(0, len(fields), 5)]


def _typed(text: str) -> str:
    """Returns an expression as it would be typed in a terminal."""
    plain = unicodedata.normalize("NFKC", text).translate(_CHARACTERS)
    return plain.strip(" .;").replace("..", "-").replace(";", ",")


def _for_hash(field: Field, item: str, jenkins: re.Match[str]) -> str:
    low, high = (int(jenkins["low"]), int(jenkins["high"])) if jenkins["low"] else (field.low, field.high)
    if not field.low <= low <= high <= field.high:
        low, high = field.low, field.high
    if jenkins["step"] is None:
        written = f"a fixed number such as {(low + high) // 2}"
    elif (low, high) == (field.low, field.high):
        written = f"*/{jenkins['step']}"
    else:
        written = f"{low}-{high}/{jenkins['step']}"
    return f"{field.name} {item!r} is Jenkins syntax that spreads the load: write {written}"
