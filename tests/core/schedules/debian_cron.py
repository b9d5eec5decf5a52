"""An oracle for cron schedules: Debian's cron, simulated minute by minute.

It shares only the time zone data with the product. Vixie's own loop expands the fields. The oracle finds slots by
visiting every minute of UTC with the virtual clock of Debian's main loop, which stops while an hour is repeated
and catches up with local time after a jump.
"""

from __future__ import annotations

from datetime import datetime, tzinfo

import numpy as np
from numpy.typing import NDArray

DAY = 1440
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_CALENDAR = np.arange(10957, 10957 + 146097)
"""The days from 2000 to 2399, counted from 1970-01-01."""
_PADDING = 2 * DAY
"""Minutes walked before those asked for: any repeated hour is over by then."""


class DebianCron:
    """One crontab line in one time zone; instants are minutes since the epoch, UTC."""

    def __init__(self, expression: str, zone: tzinfo) -> None:
        minute, hour, day, month, weekday = expression.split()
        self._zone = zone
        self._minutes = _bits(minute, 0, 59)
        self._hours = _bits(hour, 0, 23)
        self._days = _bits(day, 1, 31)
        self._months = _bits(month, 1, 12, MONTHS, 1)
        weekdays = _bits(weekday, 0, 7, WEEKDAYS)
        weekdays[0] = weekdays[7] = weekdays[0] or weekdays[7]
        self._weekdays = weekdays
        self._day_star = day.startswith("*") or weekday.startswith("*")
        self._wild = minute.startswith("*") or hour.startswith("*")

    def slots(self, start: int, end: int) -> NDArray[np.int64]:
        """All slots in (start, end]."""
        instants = np.arange(start - _PADDING, end + 1)
        local = instants + _offsets(self._zone, start - _PADDING, end)
        runs = self._matches(local)
        if not self._wild:
            virtual = np.maximum.accumulate(local)
            ahead = local - np.concatenate(([local[0] - 1], virtual[:-1]))
            runs &= ahead == 1
            for jump in np.flatnonzero(ahead > 1):
                caught_up = np.arange(virtual[jump - 1] + 1, local[jump] + 1)
                runs[jump] = (self._matches(caught_up) & ~_left_out(caught_up)).any()
        found = instants[runs]
        return found[found > start]

    def names_any_day(self) -> bool:
        """Whether any day within 400 years, after which the calendar repeats, matches."""
        return bool(self._names(_CALENDAR).any())

    def _matches(self, local: NDArray[np.int64]) -> NDArray[np.bool_]:
        first = local.min() // DAY
        names = self._names(np.arange(first, local.max() // DAY + 1))
        of_day = local % DAY
        matches: NDArray[np.bool_] = (
            names[local // DAY - first] & self._hours[of_day // 60] & self._minutes[of_day % 60]
        )
        return matches

    def _names(self, days: NDArray[np.int64]) -> NDArray[np.bool_]:
        dates = days.astype("datetime64[D]")
        months = dates.astype("datetime64[M]")
        by_day = self._days[(dates - months).astype(int) + 1]
        by_weekday = self._weekdays[(days + 4) % 7]
        both = by_day & by_weekday if self._day_star else by_day | by_weekday
        named: NDArray[np.bool_] = both & self._months[months.astype(int) % 12 + 1]
        return named


def _left_out(gap: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Returns which of the skipped minutes lie on days that are skipped completely; the last minute exists."""
    days, counts = np.unique(gap[:-1] // DAY, return_counts=True)
    return np.isin(gap // DAY, days[counts == DAY])


def _bits(text: str, low: int, high: int, names: tuple[str, ...] = (), first: int = 0) -> NDArray[np.bool_]:
    def number(word: str) -> int:
        return names.index(word.lower()) + first if word.lower() in names else int(word)

    bits = np.zeros(high + 1, dtype=bool)
    for item in text.split(","):
        span, _, step = item.partition("/")
        if span == "*":
            begin, end = low, high
        else:
            begin_word, dash, end_word = span.partition("-")
            begin = number(begin_word)
            end = number(end_word) if dash else begin
        at = begin
        while at <= end:
            bits[at] = True
            at += int(step or 1)
    return bits


def _offsets(zone: tzinfo, start: int, end: int) -> NDArray[np.int64]:
    """The zone's offset in minutes at each minute from start to end."""
    days = range(start // DAY, end // DAY + 1)
    offsets: NDArray[np.int64] = np.concatenate([_offsets_of(zone, day * DAY, DAY) for day in days])
    return offsets[start - days[0] * DAY :][: end - start + 1]


def _offsets_of(zone: tzinfo, start: int, length: int) -> NDArray[np.int64]:
    """The offset at each minute of a span, found by halving the span until both of its ends have the same offset."""
    half = length // 2
    seen = {_offset(zone, start + minute) for minute in (0, half, length - 1)}
    if len(seen) == 1:
        return np.full(length, seen.pop())
    return np.concatenate([_offsets_of(zone, start, half), _offsets_of(zone, start + half, length - half)])


def _offset(zone: tzinfo, minute: int) -> int:
    offset = datetime.fromtimestamp(minute * 60, zone).utcoffset()
    assert offset is not None
    assert offset.seconds % 60 == 0, "offsets with seconds ended in 1972"
    return offset.days * DAY + offset.seconds // 60
