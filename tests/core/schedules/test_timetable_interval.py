"""Tests of intervals, whose slots do not move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustertrigger.api.schedule import IntervalSchedule
from clustertrigger.core.resources.validation import parse_trigger
from clustertrigger.core.schedules.timetable import Timetable, describe_schedule, timetable

ANCHOR = datetime(2026, 3, 1, 10, 0, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
NAIVE_1990, NAIVE_2090 = (datetime(year, 1, 1) for year in (1990, 2090))  # noqa: DTZ001 - as hypothesis wants them


def every(seconds: int, *, start_immediately: bool = False, anchor: datetime = ANCHOR) -> Timetable:
    return timetable(IntervalSchedule(interval_seconds=seconds, start_immediately=start_immediately), anchor)


@pytest.mark.parametrize(
    ("start_immediately", "after", "expected"),
    [
        (False, -HOUR, ANCHOR + HOUR),
        (False, timedelta(0), ANCHOR + HOUR),
        (False, HOUR - SECOND, ANCHOR + HOUR),
        (False, HOUR - SECOND / 2, ANCHOR + HOUR),
        (False, HOUR, ANCHOR + 2 * HOUR),
        (False, HOUR + SECOND / 2, ANCHOR + 2 * HOUR),
        (True, -HOUR, ANCHOR),
        (True, -SECOND / 2, ANCHOR),
        (True, timedelta(0), ANCHOR + HOUR),
    ],
)
def test_next_after(start_immediately: bool, after: timedelta, expected: datetime) -> None:
    assert every(3600, start_immediately=start_immediately).next_after(ANCHOR + after) == expected


@pytest.mark.parametrize(
    ("start_immediately", "until", "expected"),
    [
        (False, -HOUR, None),
        (False, timedelta(0), None),
        (False, HOUR - SECOND, None),
        (False, HOUR, ANCHOR + HOUR),
        (False, 2.5 * HOUR, ANCHOR + 2 * HOUR),
        (True, -SECOND, None),
        (True, timedelta(0), ANCHOR),
        (True, HOUR - SECOND, ANCHOR),
    ],
)
def test_latest_until(start_immediately: bool, until: timedelta, expected: datetime | None) -> None:
    assert every(3600, start_immediately=start_immediately).latest_until(ANCHOR + until) == expected


@pytest.mark.parametrize(
    ("start_immediately", "start", "end", "limit", "count"),
    [
        (False, timedelta(0), HOUR, 10, 1),
        (False, HOUR, 3 * HOUR, 10, 2),
        (False, -HOUR, timedelta(0), 10, 0),
        (True, -HOUR, timedelta(0), 10, 1),
        (True, -HOUR, HOUR, 10, 2),
        (False, timedelta(0), timedelta(days=36_500), 100, 100),
        (False, HOUR, timedelta(0), 10, 0),
        (False, timedelta(0), 5 * HOUR, 0, 0),
    ],
)
def test_count_between(start_immediately: bool, start: timedelta, end: timedelta, limit: int, count: int) -> None:
    grid = every(3600, start_immediately=start_immediately)
    assert grid.count_between(ANCHOR + start, ANCHOR + end, limit) == count


def test_slots_are_whole_seconds_of_utc_whatever_the_anchor() -> None:
    anchor = datetime(2026, 3, 1, 12, 0, 7, 654_321, tzinfo=timezone(2 * HOUR))
    slot = every(60, anchor=anchor).next_after(anchor)
    assert slot == ANCHOR + timedelta(minutes=1)
    assert slot is not None
    assert slot.tzinfo is UTC


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "every 1s"), (90, "every 90s"), (60, "every 1m"), (300, "every 5m"), (150, "every 2m30s"),
        (3600, "every 1h"), (5400, "every 1h30m"), (21_600, "every 6h"), (86_400, "every 1d"),
        (90_061, "every 1d1h1m1s"),
    ],
)  # fmt: skip
def test_describe(seconds: int, text: str) -> None:
    spec, problems = parse_trigger(
        {"trigger_type": "interval", "schedule_config": {"interval_seconds": seconds}, "cluster_id": "c"}
    )
    assert problems == []
    assert spec is not None
    assert describe_schedule(spec) == text


@given(
    st.integers(1, 31_622_400),
    st.booleans(),
    st.datetimes(timezones=st.just(UTC), min_value=NAIVE_1990, max_value=NAIVE_2090),
    st.datetimes(timezones=st.just(UTC), min_value=NAIVE_1990, max_value=NAIVE_2090),
)
def test_the_grid_is_the_same_from_any_starting_point(
    seconds: int, immediately: bool, anchor: datetime, now: datetime
) -> None:
    grid = every(seconds, start_immediately=immediately, anchor=anchor)
    following, latest = grid.next_after(now), grid.latest_until(now)
    assert following is not None
    assert following > now
    steps, rest = divmod(following - anchor.replace(microsecond=0), timedelta(seconds=seconds))
    assert not rest
    assert steps >= (0 if immediately else 1)
    assert grid.latest_until(following) == following
    assert grid.latest_until(following - SECOND) == latest
    if latest is None:
        assert steps == (0 if immediately else 1)
    else:
        assert latest <= now
        assert following - latest == timedelta(seconds=seconds)
        assert grid.next_after(latest) == following
        assert grid.count_between(latest, following, 10) == 1
