"""Tests of what is offered for days that Quartz and Spring count from the end of a month."""

from __future__ import annotations

from calendar import isleap, monthrange
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.schedules.offered_expressions import CALENDAR, advice, due, offered

DAY = "day of month {!r} is Quartz syntax for {}"
LAST = DAY.format("L", "the last day")
WORKING = DAY.format("LW", "the last working day, which cron cannot express") + ": for the last day, "
EARLY = "one day early in leap years"
NUMBER = "write a number from 1 to 31"
NEEDS_DAY = "day of week {!r} is Quartz syntax that needs the field day of month: "


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("0 9 L 4 *", f"{LAST}: write 0 9 30 4 *"),
        ("0 9 L 2 *", f"{LAST}: write 0 9 1 3 *, the day after, or 0 9 28 2 *, {EARLY}"),
        ("0 9 L 12,2 ?", f"{LAST}: write 0 9 1 1,3 *, the day after, or make a trigger for each: 0 9 31 12 *; "
                         f"0 9 28 2 *, {EARLY}"),
        ("0 9 L jan,mar *", f"{LAST}: write 0 9 31 jan,mar *"),
        ("0 9 L 4,5 *", f"{LAST}: make a trigger for each: 0 9 31 5 *; 0 9 30 4 *"),
        ("0 9 15,L 4 *", f"{LAST}: write 0 9 15,30 4 *"),
        ("0 9 15,L 2 *", f"{LAST}: write 0 9 15,28 2 *, {EARLY}"),
        ("0 9 L-2 2 *", f"{DAY.format('L-2', '2 days before the last day')}: write 0 9 26 2 *, {EARLY}"),
        ("0 9 L-30 1 *", f"{DAY.format('L-30', '30 days before the last day')}: write 0 9 1 1 *"),
        ("0 9 L-30 * *", f"{DAY.format('L-30', '30 days before the last day')}: {NUMBER}"),
        ("0 9 LW 4 *", f"{WORKING}write 0 9 30 4 *"),
        ("0 9 LW 2 *", f"{WORKING}write 0 9 1 3 *, the day after, or 0 9 28 2 *, {EARLY}"),
        # AND or OR with a day of the week, and another field that is wrong.
        ("0 9 L * 1", f"{LAST}: {NUMBER}"),
        ("0 9 L 13 *", f"{LAST}: {NUMBER}"),
        ("0 9 L,15W * *", f"{LAST}: {NUMBER}"),
        ("0 9 30W 2 *", f"{DAY.format('30W', 'the working day nearest to the 30th')}: write a day that the month has"),
        ("0 9 30W 4 *", f"{DAY.format('30W', 'the working day nearest to the 30th')}: write 30, the day itself"),
        ("0 9 15 * mon#1", f"{NEEDS_DAY.format('mon#1')}write * as day of month"),
        ("0 9 * * mon#1,fri", f"{NEEDS_DAY.format('mon#1')}make a trigger for each item of the list"),
    ],
)  # fmt: skip
def test_days_that_depend_on_the_month(expression: str, reason: str) -> None:
    assert advice(expression) == reason


@given(st.sets(st.integers(1, 12), min_size=1), st.integers(0, 27), st.sets(st.integers(1, 25), max_size=2))
def test_a_trigger_for_each_length_is_due_on_the_days_of_the_source(
    months: set[int], before: int, others: set[int]
) -> None:
    item = f"L-{before}" if before else "L"
    days = ",".join([*map(str, sorted(others)), item])
    said = advice(f"30 9 {days} {','.join(map(str, sorted(months)))} *")
    last = {day for day in CALENDAR if day.month in months and day.day + before == monthrange(day.year, day.month)[1]}
    listed = {day for day in CALENDAR if day.month in months and day.day in others}
    early = {day - timedelta(days=1) if day.month == 2 and isleap(day.year) else day for day in last}
    after, triggers = offered(said)[: "the day after" in said], offered(said)["the day after" in said :]
    next_days = {day + timedelta(days=1) for day in last if day < CALENDAR[-1]}
    next_days |= {CALENDAR[0]} if 12 in months else set()
    assert [due(each) for each in after] == [({(9, 30)}, next_days) for _ in after]
    assert set().union(*(due(trigger)[1] for trigger in triggers)) == early | listed
    assert {time for trigger in triggers for time in due(trigger)[0]} == {(9, 30)}
    assert (EARLY in said) == (2 in months)
