"""Random cron schedules, zones and instants; half of the instants are near a change of the zone's offset."""

from __future__ import annotations

import random
from datetime import UTC, datetime, tzinfo
from functools import cache
from itertools import product

from hypothesis import strategies as st

from clustertrigger.core.schedules.wallclock import wall_clock, zone_names
from tests.core.schedules.debian_cron import MONTHS, WEEKDAYS

ZONES = sorted(zone_names())
_FIRST = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())
_LAST = int(datetime(2060, 1, 1, tzinfo=UTC).timestamp())
_DAY = 86_400


def _field(low: int, high: int, common: tuple[str, ...], names: tuple[str, ...] = ()) -> list[str]:
    """Texts for one field, of every form in crontab(5), half of them common ones. A fixed pool makes drawing fast."""
    pick = random.Random(low * 100 + high)
    words = [str(number) for number in range(low, high + 1)] + list(names)
    steps = ["", "", "", "/1", "/2", "/3", "/5", "/7", "/13", "/30", "/90"]
    spans = [f"{first}-{last}" for first, last in product(range(low, high + 1), repeat=2) if first <= last]
    spans += [f"{names[first]}-{names[last]}" for first, last in product(range(len(names)), repeat=2) if first <= last]
    items = [
        lambda: pick.choice(words),
        lambda: pick.choice(spans) + pick.choice(steps),
        lambda: "*" + pick.choice(steps),
    ]
    texts = {",".join(pick.choice(items)() for _ in range(pick.choice((1, 1, 1, 2, 3)))) for _ in range(1500)}
    ordered = sorted(texts, key=lambda text: (len(text), text))
    return [*common * (len(ordered) // len(common)), *ordered]


_FIELDS = (
    _field(0, 59, ("0", "30", "*", "15", "45", "59", "*/30")),
    _field(0, 23, ("2", "*", "0", "1", "3", "23", "0-4", "*/2")),
    _field(1, 31, ("*", "1", "29", "31", "*/2")),
    _field(1, 12, ("*", "3", "10", "2", "*/2"), MONTHS),
    _field(0, 7, ("*", "0", "7", "1-5", "*/2"), WEEKDAYS),
)
EXPRESSIONS = st.tuples(*map(st.sampled_from, _FIELDS)).map(" ".join)


def random_expression(pick: random.Random) -> str:
    """Like EXPRESSIONS, without hypothesis."""
    return " ".join(map(pick.choice, _FIELDS))


def random_place(pick: random.Random) -> tuple[str, int]:
    """Like ZONES_AND_INSTANTS, without hypothesis."""
    return _place((pick.choice(ZONES), pick.getrandbits(48)))


def _place(zone_and_number: tuple[str, int]) -> tuple[str, int]:
    name, number = zone_and_number
    number, is_near = divmod(number, 2)
    changes = changes_of(name)
    if not (is_near and changes):
        return name, _FIRST + number % (_LAST - _FIRST)
    number, which = divmod(number, len(changes))
    return name, changes[which] - _DAY + number % (_DAY + 4 * 3600)


@cache
def changes_of(name: str) -> tuple[int, ...]:
    """The times of changes of a zone's offset, 2009 to 2039, in seconds since the epoch, rounded to the minute."""
    zone = wall_clock(name).zone
    week = 7 * _DAY
    begin = int(datetime(2009, 1, 1, tzinfo=UTC).timestamp())
    return tuple(
        _change(zone, start, start + week)
        for start in range(begin, begin + 30 * 365 * _DAY, week)
        if _offset(zone, start) != _offset(zone, start + week)
    )


def _change(zone: tzinfo, before: int, after: int) -> int:
    while after - before > 60:
        middle = (before + after) // 120 * 60
        if _offset(zone, middle) == _offset(zone, before):
            before = middle
        else:
            after = middle
    return after


def _offset(zone: tzinfo, instant: int) -> object:
    return datetime.fromtimestamp(instant, zone).utcoffset()


ZONES_AND_INSTANTS = st.tuples(st.sampled_from(ZONES), st.integers(0, 2**48 - 1)).map(_place)
"""A zone's name, and seconds since the epoch."""
