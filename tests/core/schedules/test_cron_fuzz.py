"""Compares the product with the oracle on random schedules, zones and instants: 10,000 in `make test`, or a million.

hypothesis draws the 10,000 and shrinks failures. It would need most of the time for a million, so a seeded generator
draws those for `make fuzz` (and 2,000 for `make test`); a failure names its case.
"""

from __future__ import annotations

import os
import random
from bisect import bisect_left
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, seed, settings
from hypothesis import strategies as st

from clustertrigger.api.schedule import CronSchedule
from clustertrigger.core.schedules.timetable import ScheduleError, Timetable, timetable
from clustertrigger.core.schedules.wallclock import EPOCH, wall_clock
from tests.core.schedules.debian_cron import DebianCron
from tests.core.schedules.random_schedules import (
    EXPRESSIONS,
    ZONES_AND_INSTANTS,
    changes_of,
    random_expression,
    random_place,
)

FUZZ = int(os.environ.get("FUZZ", "2000"))
SHARD = 10_000
_RELAXED = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
_SECOND = timedelta(seconds=1)
_DAY = 1440


@pytest.mark.parametrize("half", [1, 2])
def test_agrees_with_debians_cron(half: int) -> None:
    """Two halves, so that two processes can share them."""

    @seed(half)
    @settings(_RELAXED, max_examples=5_000)
    @example("15,45 2 * * *", ("Europe/Berlin", 1774659600), 90_007)
    @example("30 0 * * *", ("Pacific/Apia", 1325152800), 1)  # the day that was left out
    @given(EXPRESSIONS, ZONES_AND_INSTANTS, st.integers(1, 3 * _DAY * 60))
    def compare(expression: str, zone_and_instant: tuple[str, int], later: int) -> None:
        zone, instant = zone_and_instant
        check(expression, zone, instant, later, days=3, looks=2)

    compare()


@pytest.mark.fuzz
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("shard", range(max(1, FUZZ // SHARD)))
def test_a_million_schedules(shard: int) -> None:
    pick = random.Random(shard)
    for _ in range(min(FUZZ, SHARD)):
        expression, (zone, instant), later = random_expression(pick), random_place(pick), pick.randrange(1, _DAY * 60)
        try:
            check(expression, zone, instant, later, days=1, looks=1)
        except Exception as error:
            pytest.fail(f"check({expression!r}, {zone!r}, {instant}, {later}, days=1, looks=1): {error}")


def check(expression: str, zone: str, instant: int, later: int, *, days: int, looks: int) -> None:
    """Compares product and oracle within some days from an instant.

    Args:
        expression, zone: The schedule.
        instant: Seconds since the epoch.
        later: Seconds from the instant to one more comparison.
        days: Number of days that the oracle simulates.
        looks: Number of slots next to which they are compared.
    """
    oracle = DebianCron(expression, wall_clock(zone).zone)
    found = slots_of(expression, zone, oracle)
    if found is None:
        return
    start, end = instant // 60, instant // 60 + days * _DAY
    slots = oracle.slots(start, end)
    moments = {instant, start * 60 + later, *beside(slots, looks), *around(changes_of(zone), start)}
    for moment in moments:
        if start * 60 <= moment < end * 60:
            agrees(found, slots, start, end, moment)
    limit = 40
    assert found.count_between(at(start * 60), at(end * 60), limit) == min(limit, len(slots))


@settings(_RELAXED, max_examples=60)
@given(EXPRESSIONS, ZONES_AND_INSTANTS)
def test_agrees_with_debians_cron_for_two_years(expression: str, zone_and_instant: tuple[str, int]) -> None:
    zone, instant = zone_and_instant
    oracle = DebianCron(expression, wall_clock(zone).zone)
    found = slots_of(expression, zone, oracle)
    if found is None:
        return
    start = instant // 60
    expected = oracle.slots(start, start + 2 * 366 * _DAY)[:400]
    slot, walked = at(start * 60), []
    for _ in expected:
        following = found.next_after(slot)
        assert following is not None
        walked.append(following)
        slot = following
    assert walked == [at(int(minute) * 60) for minute in expected]
    assert all(earlier < later for earlier, later in pairwise(walked))
    assert all(found.latest_until(slot) == slot for slot in walked)
    assert all(found.latest_until(later - _SECOND) == earlier for earlier, later in pairwise(walked))


def slots_of(expression: str, zone: str, oracle: DebianCron) -> Timetable | None:
    """The product's timetable; None for a schedule that never fires."""
    try:
        return timetable(CronSchedule(cron_expression=expression, timezone=zone), EPOCH)
    except ScheduleError as error:
        refused = error
    assert "never fires" in refused.reason
    assert not oracle.names_any_day()
    return None


def beside(slots: np.ndarray, looks: int) -> set[int]:
    """Seconds of some slots, evenly chosen, and of the minutes before and after."""
    some = slots[np.unique(np.linspace(0, len(slots) - 1, looks).astype(int))] if len(slots) else slots
    return {(int(slot) + step) * 60 for slot in some for step in (-1, 0, 1)}


def around(changes: tuple[int, ...], start: int) -> set[int]:
    """Seconds around the next change of the offset."""
    passed = bisect_left(changes, start * 60)
    return {changes[passed] + step * 60 for step in (-20, -1, 0, 1, 20, 40)} if passed < len(changes) else set()


def agrees(found: Timetable, slots: np.ndarray, start: int, end: int, moment: int) -> None:
    """Searches both directions from a moment in seconds since the epoch; start and end are in minutes."""
    passed = int(np.searchsorted(slots, moment // 60, side="right"))
    following, latest = found.next_after(at(moment)), found.latest_until(at(moment))
    if passed < len(slots):
        assert following == at(int(slots[passed]) * 60)
    else:
        assert following is None or following > at(end * 60)
    if passed:
        assert latest == at(int(slots[passed - 1]) * 60)
    else:
        assert latest is None or latest <= at(start * 60)
    if following is not None:
        assert found.latest_until(following) == following
        assert found.latest_until(following - _SECOND) == latest
    if latest is not None:
        assert found.next_after(latest) == following


def at(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=seconds)
