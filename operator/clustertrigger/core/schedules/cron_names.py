"""The names of crontab for days and months in other forms: Mondays, sept, weekdays, mon-friday."""

from __future__ import annotations

import re

from clustertrigger.core.schedules.cron_fields import DAY_OF_WEEK, FIELDS, Field

GROUPS = {
    **dict.fromkeys(("weekday", "weekdays", "workday", "workdays"), "1-5"),
    **dict.fromkeys(("weekend", "weekends"), "6-7"),
}
"""Days of the week that have one name."""
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")  # fmt: skip
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_OTHER_FORMS = {"tues": "tue", "weds": "wed", "thur": "thu", "thurs": "thu", "sept": "sep"}


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


def days_of(word: str) -> str | None:
    """Returns the names of crontab for a day of the week, a range of days, or a group, in lower case."""
    if word in GROUPS:
        return GROUPS[word]
    ends = re.split(r"\.\.|-", word)
    names = [end if end in FIELDS[DAY_OF_WEEK].names else short_name(FIELDS[DAY_OF_WEEK], end) for end in ends]
    known = [name for name in names if name is not None]
    return _day_range(known[0], known[-1]) if len(known) == len(names) <= 2 else None


def with_short_names(field: Field, text: str) -> str:
    """Returns a field with the names of crontab. Names of crontab and unknown words do not change."""
    return ",".join(_with_short_names(field, item) for item in text.split(","))


def _with_short_names(field: Field, item: str) -> str:
    numbers = [field.number(end) for end in item.split("-")]
    known = [number for number in numbers if number is not None]
    if len(known) == len(numbers) and known == sorted(known):
        return item
    if FIELDS.index(field) == DAY_OF_WEEK:
        return days_of(item.lower()) or item
    return "-".join(short_name(field, end) or end for end in item.split("-"))


def _day_range(first: str, last: str) -> str:
    """Returns a range of days of the week; two ranges if Sunday, the first day of crontab's week, is inside."""
    names = FIELDS[DAY_OF_WEEK].names
    is_reversed = names.index(first) > names.index(last)
    ranges = [(first, names[-1]), (names[0], last)] if is_reversed else [(first, last)]
    return ",".join(begin if begin == end else f"{begin}-{end}" for begin, end in ranges)
