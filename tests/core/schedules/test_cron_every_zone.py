"""Tests that a daily schedule fires once per local day, in every zone of the tz database, 2020 to 2040."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from importlib import resources
from itertools import pairwise

import pytest

from clustertrigger.api.schedule import CronSchedule
from clustertrigger.core.schedules.timetable import Timetable, timetable
from clustertrigger.core.schedules.wallclock import DAY, EPOCH, Stretch, wall_clock, zone_names

FIRST, LAST = date(2020, 1, 1), date(2040, 12, 31)
DAYS = (LAST - FIRST).days + 1


@lru_cache(maxsize=1)
def behaviours() -> dict[tuple[Stretch, ...], list[str]]:
    """Groups zones by their offsets in these years, because a timetable depends on nothing else."""
    same_file = defaultdict(list)
    for name in sorted(zone_names()):
        same_file[(resources.files("tzdata") / "zoneinfo" / name).read_bytes()].append(name)
    found: dict[tuple[Stretch, ...], list[str]] = defaultdict(list)
    start, end = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2019, 2042))
    for names in same_file.values():
        clock = wall_clock(names[0])
        stretch = clock.at(start)
        stretches = []
        while stretch is not None and stretch.start < end:
            stretches.append(stretch)
            stretch = clock.after(stretch)
        found[tuple(stretches)] += names
    return found


def changes(stretches: tuple[Stretch, ...]) -> list[tuple[Stretch, Stretch]]:
    """Pairs of neighbours that differ."""
    return [(before, after) for before, after in pairwise(stretches) if before.offset != after.offset]


def test_stretches_are_what_the_tz_database_says() -> None:
    """The product examines every third day; this function asks at other instants, and at both ends of each stretch."""
    for stretches, (name, *_) in behaviours().items():
        zone = wall_clock(name).zone
        for stretch in stretches:
            inside = [*range(stretch.start, stretch.end, 5 * DAY + 3607), stretch.end - 1]
            assert {offset_at(zone, instant) for instant in inside} == {stretch.offset}, name
        for before, after in changes(stretches):
            assert before.end == after.start
            assert (EPOCH + timedelta(seconds=before.end + DAY)).year == (EPOCH + timedelta(seconds=before.end)).year, (
                f"{name} changes on New Year's Eve, where the product cuts its stretches"
            )
        moments = [before.end for before, _ in changes(stretches)]
        assert all(later - earlier > 3 * DAY for earlier, later in pairwise(moments)), f"{name} changes too often"


def test_every_local_day_fires_once() -> None:
    assert sum(map(len, behaviours().values())) == len(zone_names())
    for stretches, (name, *_) in behaviours().items():
        gaps = [before.wall_end for before, after in changes(stretches) if after.offset > before.offset]
        # The most difficult time: within the zone's last gap, or half past two if there is no gap.
        minute = (gaps[-1] % DAY) // 60 + 10 if gaps else 150
        slots = daily(minute % 1440, name)
        slot = slots.next_after(expected(FIRST, minute % 1440, name) - timedelta(seconds=1))
        for day in range(DAYS):
            due = expected(FIRST + timedelta(days=day), minute % 1440, name)
            assert slot == due, f"{name}: {FIRST + timedelta(days=day)}"
            slot = slots.next_after(due)


@pytest.mark.parametrize("around", [-61, -60, -31, -1, 0, 1, 29, 30, 59, 60, 61, 119, 120])
def test_days_around_each_change_fire_once(around: int) -> None:
    """Times of the day at various minutes from the change, on the day before, of and after it."""
    for stretches, (name, *_) in behaviours().items():
        for before, after in changes(stretches):
            if not FIRST.year <= EPOCH.year + before.end // 31_556_952 <= LAST.year:
                continue
            minute = (min(before.wall_end, after.wall_start) // 60 + around) % 1440
            changed = (EPOCH + timedelta(seconds=before.wall_end)).date()
            slots = daily(minute, name)
            dues = [expected(changed + timedelta(days=step), minute, name) for step in (-2, -1, 0, 1, 2)]
            found = [slots.next_after(due) for due in dues[:-1]]
            assert found == dues[1:], f"{name}: {minute} minutes after midnight around {changed}"
            assert [slots.latest_until(due) for due in dues] == dues


def daily(minute: int, zone: str) -> Timetable:
    expression = f"{minute % 60} {minute // 60} * * *"
    return timetable(CronSchedule(cron_expression=expression, timezone=zone), EPOCH)


def expected(day: date, minute: int, name: str) -> datetime:
    """The first instant of this local time, or the end of the gap that contains it.

    Both folds are tried, and a result is checked by converting it back: CPython's zoneinfo maps America/Nuuk's evening
    of 2023-10-28 to an hour too early. (The product never asks it for that direction.)
    """
    zone = wall_clock(name).zone
    local = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=zone)
    for fold in (0, 1):
        due = local.replace(fold=fold).astimezone(UTC)
        if due.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
            return due
    before, after = int(local.replace(fold=1).timestamp()), int(local.timestamp())
    while after - before > 1:
        middle = (before + after) // 2
        if offset_at(zone, middle) == offset_at(zone, before):
            before = middle
        else:
            after = middle
    return datetime.fromtimestamp(after, UTC)


def offset_at(zone: tzinfo, instant: int) -> int:
    offset = datetime.fromtimestamp(instant, zone).utcoffset()
    assert offset is not None
    return offset // timedelta(seconds=1)
