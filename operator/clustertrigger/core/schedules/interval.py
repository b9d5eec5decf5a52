"""Computes the slots of an interval: a fixed grid that does not depend on the length of runs or on restarts."""

from __future__ import annotations

from datetime import datetime, timedelta

from clustertrigger.core.schedules.wallclock import EPOCH


class IntervalTimetable:
    """Slots at anchor + k * seconds, from k = 0 or k = 1 on."""

    def __init__(self, anchor: datetime, seconds: int, *, from_anchor: bool) -> None:
        self._anchor = (anchor - EPOCH) // timedelta(seconds=1)
        self._seconds = seconds
        self._first = 0 if from_anchor else 1

    def next_after(self, instant: datetime) -> datetime:
        """Returns the first slot after an aware instant, in UTC."""
        return self._slot(max(self._steps(instant) + 1, self._first))

    def latest_until(self, instant: datetime) -> datetime | None:
        """Returns the last slot up to and including an aware instant, in UTC; None before the first one."""
        steps = self._steps(instant)
        return self._slot(steps) if steps >= self._first else None

    def count_between(self, start: datetime, end: datetime, limit: int) -> int:
        """Returns the number of slots in (start, end], at most limit."""
        count = self._steps(end) - max(self._steps(start), self._first - 1)
        return max(0, min(count, limit))

    def _steps(self, instant: datetime) -> int:
        return ((instant - EPOCH) // timedelta(seconds=1) - self._anchor) // self._seconds

    def _slot(self, steps: int) -> datetime:
        return EPOCH + timedelta(seconds=self._anchor + steps * self._seconds)
