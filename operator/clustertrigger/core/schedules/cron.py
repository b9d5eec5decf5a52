"""Cron schedules in time: where the wall's minutes that an expression names lie, as Debian's cron has it.

A schedule whose minute or hour begins with `*` follows the wall: what the wall does not show does not fire, what
it shows twice fires twice. Any other schedule names times of a day and fires once for each: in a gap (spring) at
the gap's end, in a repeated hour (autumn) at the first pass. Several times in one gap are one slot. A day that a
zone leaves out altogether, as Pacific/Apia did 2011-12-30, is not a day, and no slot is due on it.

Design record: docs/design/cron.md.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from clustertrigger.core.schedules.cron_expression import CronExpression
from clustertrigger.core.schedules.wallclock import DAY, EPOCH, Stretch, WallClock


class CronTimetable:
    """The slots of one cron expression in one time zone."""

    def __init__(self, expression: CronExpression, clock: WallClock) -> None:
        self._expression = expression
        self._clock = clock
        self._next, self._latest = (
            (self._next_on_wall, self._latest_on_wall)
            if expression.follows_wall
            else (self._next_of_day, self._latest_of_day)
        )

    def next_after(self, instant: datetime) -> datetime | None:
        """Returns the first slot after an aware instant, in UTC."""
        return _moment(self._next((instant - EPOCH) // timedelta(seconds=1)))

    def latest_until(self, instant: datetime) -> datetime | None:
        """Returns the last slot up to and including an aware instant, in UTC."""
        return _moment(self._latest((instant - EPOCH) // timedelta(seconds=1)))

    def count_between(self, start: datetime, end: datetime, limit: int) -> int:
        """Returns the number of slots in (start, end], at most limit."""
        last = (end - EPOCH) // timedelta(seconds=1)
        slot = self._next((start - EPOCH) // timedelta(seconds=1))
        count = 0
        while count < limit and slot is not None and slot <= last:
            count += 1
            slot = self._next(slot)
        return count

    def _next_on_wall(self, instant: int) -> int | None:
        stretch = self._clock.at(instant)
        if stretch is None:
            return None
        wall = self._named_after(instant + stretch.offset)
        while wall is not None and wall >= stretch.wall_end:
            before, stretch = stretch, self._clock.after(stretch)
            if stretch is None:
                return None
            if stretch.offset != before.offset:
                wall = self._named_after(stretch.wall_start - 1)
        return None if wall is None else wall - stretch.offset

    def _latest_on_wall(self, instant: int) -> int | None:
        stretch = self._clock.at(instant)
        if stretch is None:
            return None
        wall = self._named_until(instant + stretch.offset)
        while wall is not None and wall < stretch.wall_start:
            after, stretch = stretch, self._clock.before(stretch)
            if stretch is None:
                return None
            if stretch.offset != after.offset:
                wall = self._named_until(stretch.wall_end - 1)
        return None if wall is None else wall - stretch.offset

    def _next_of_day(self, instant: int) -> int | None:
        stretch = self._clock.at(instant)
        if stretch is None:
            return None
        wall = self._named_after(self._reached(instant, stretch))
        while wall is not None and wall >= stretch.wall_end:
            before, stretch = stretch, self._clock.after(stretch)
            if stretch is None:
                return None
            while wall is not None and wall < stretch.wall_start:
                if not _leaves_out(before, stretch, wall):
                    return stretch.start
                wall = self._named_after(wall - wall % DAY + DAY - 1)
        return None if wall is None else wall - stretch.offset

    def _latest_of_day(self, instant: int) -> int | None:
        stretch = self._clock.at(instant)
        if stretch is None:
            return None
        wall = self._named_until(self._reached(instant, stretch))
        while wall is not None:
            before = self._clock.before(stretch)
            if before is None:
                return None
            if wall >= max(stretch.wall_start, before.wall_end):
                return wall - stretch.offset
            if wall >= before.wall_end:
                if not _leaves_out(before, stretch, wall):
                    return stretch.start
                wall = self._named_until(wall - wall % DAY - 1)
            else:
                stretch = before
        return None

    def _reached(self, instant: int, stretch: Stretch) -> int:
        """Returns the latest wall time that was shown up to this instant.

        It does not advance while an hour is repeated.
        """
        before = self._clock.before(stretch)
        wall = instant + stretch.offset
        return wall if before is None else max(wall, before.wall_end - 1)

    def _named_after(self, wall: int) -> int | None:
        minute = self._expression.next_after(wall // 60)
        return None if minute is None else minute * 60

    def _named_until(self, wall: int) -> int | None:
        minute = self._expression.latest_until(wall // 60)
        return None if minute is None else minute * 60


def _leaves_out(before: Stretch, after: Stretch, wall: int) -> bool:
    """Returns whether the gap between two stretches contains the whole calendar day of a wall time."""
    midnight = wall - wall % DAY
    return before.wall_end <= midnight and midnight + DAY <= after.wall_start


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else EPOCH + timedelta(seconds=seconds)
