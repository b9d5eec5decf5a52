"""Random schedules against the oracle: 10,000 in `make test`, a million in `make fuzz`."""

from __future__ import annotations

import os
from bisect import bisect_left
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clustertrigger.api.schedule import CronSchedule
from clustertrigger.core.timetable import ScheduleError, Timetable, timetable
from clustertrigger.core.wallclock import EPOCH, wall_clock
from tests.core.debian_cron import DebianCron
from tests.core.schedules import EXPRESSIONS, ZONES_AND_INSTANTS, changes_of

pytestmark = pytest.mark.fuzz

EXAMPLES = int(os.environ.get("FUZZ", "10000"))
_SHARD = 5_000
"""Examples of one test, so that they spread over processes and one that fails is found soon."""
_RELAXED = settings(
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
_SECOND = timedelta(seconds=1)
_DAY = 1440


@pytest.mark.parametrize("shard", range(max(1, EXAMPLES // _SHARD)), ids=lambda shard: f"from {shard * _SHARD}")
@pytest.mark.timeout(1800)
def test_agrees_with_debians_cron(shard: int) -> None:
    tried = 0

    @settings(_RELAXED, max_examples=min(EXAMPLES, _SHARD))
    @example("15,45 2 * * *", ("Europe/Berlin", 1774659600), 90_007)
    @example("30 0 * * *", ("Pacific/Apia", 1325152800), 1)  # the day that was left out
    @given(EXPRESSIONS, ZONES_AND_INSTANTS, st.integers(1, 3 * _DAY * 60))
    def compare(expression: str, zone_and_instant: tuple[str, int], later: int) -> None:
        nonlocal tried
        tried += 1
        zone, instant = zone_and_instant
        oracle = DebianCron(expression, wall_clock(zone).zone)
        found = slots_of(expression, zone, oracle)
        if found is None:
            return
        start = instant // 60
        slots = oracle.slots(start, start + 3 * _DAY)
        for minute in near(slots, changes_of(zone), start):
            agrees(found, slots, start, minute * 60)
        agrees(found, slots, start, start * 60 + later)
        limit = 40
        counted = found.count_between(at(start * 60), at((start + 3 * _DAY) * 60), limit)
        assert counted == min(limit, len(slots))

    compare()
    assert tried >= min(EXAMPLES, _SHARD)


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
    """The product's timetable; None for a schedule that rightly counts as one that never fires."""
    try:
        return timetable(CronSchedule(cron_expression=expression, timezone=zone), EPOCH)
    except ScheduleError as error:
        refused = error
    assert "never fires" in refused.reason
    assert not oracle.names_any_day()
    return None


def near(slots: np.ndarray, changes: tuple[int, ...], start: int) -> list[int]:
    """Minutes that matter: beside the first, the last and a few more slots, and around a change of the offset."""
    some = slots[np.unique(np.linspace(0, len(slots) - 1, 4).astype(int))] if len(slots) else slots
    beside = {int(slot) + step for slot in some for step in (-1, 0, 1)}
    end = start + 3 * _DAY
    passed = bisect_left(changes, start * 60)
    if passed < len(changes):
        beside |= {changes[passed] // 60 + step for step in (-20, -1, 0, 1, 20, 40)}
    return sorted(minute for minute in {start, *beside} if start <= minute < end)


def agrees(found: Timetable, slots: np.ndarray, start: int, moment: int) -> None:
    """Both directions from one moment, in seconds since the epoch."""
    passed = int(np.searchsorted(slots, moment // 60, side="right"))
    following, latest = found.next_after(at(moment)), found.latest_until(at(moment))
    if passed < len(slots):
        assert following == at(int(slots[passed]) * 60)
    else:
        assert following is None or following > at((start + 3 * _DAY) * 60)
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
