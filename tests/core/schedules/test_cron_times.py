"""Tests of times of day in words, with the days that belong to them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.schedules.offered_expressions import advice, offered

EACH = "names {} times of day: make a trigger for each: {}"
ONE = "is a time of day: write {}"
NEVER = "is a time of day: {} never fires, because no such day exists: change day of month or month"
FIVE = "write five: minute, hour, day of month, month, day of week"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("mon 9:00, fri 17:00", EACH.format(2, "0 9 * * mon; 0 17 * * fri")),
        ("weekdays 9:00, sat 10:00", EACH.format(2, "0 9 * * 1-5; 0 10 * * sat")),
        ("Mon-Fri 09:00 Sat 10:00", EACH.format(2, "0 9 * * mon-fri; 0 10 * * sat")),
        ("mon at 9 and tue at 10", EACH.format(2, "0 9 * * mon; 0 10 * * tue")),
        ("9am mon and 5pm tue", EACH.format(2, "0 9 * * mon; 0 17 * * tue")),
        ("daily 9:00, fri 17:00", EACH.format(2, "0 9 * * *; 0 17 * * fri")),
        ("mon 9:00, 17:00, fri 10:00", EACH.format(3, "0 9 * * mon; 0 17 * * mon; 0 10 * * fri")),
        ("mon, tue 9:00 and 17:00", EACH.format(2, "0 9 * * mon,tue; 0 17 * * mon,tue")),
        ("*-01-01 9:00, *-07-01 10:00", EACH.format(2, "0 9 1 1 *; 0 10 1 7 *")),
        ("Mon,Fri *-*-* 09:00", ONE.format("0 9 * * mon,fri")),
        ("every day at 9:00 on weekdays", ONE.format("0 9 * * 1-5")),
        ("*-02-30 9:00", NEVER.format("0 9 30 2 *")),
        ("*-6-31 9:00", NEVER.format("0 9 31 6 *")),
        # Which time is on which day is not certain.
        ("mon 9:00, 17:00 fri, sat 10:00", f"has 6 fields, but cron has neither seconds nor years: {FIVE}"),
        ("9:00 mon, tue 10:00", f"has 4 fields: {FIVE}"),
        ("9:00, mon 17:00", f"has 3 fields: {FIVE}"),
        ("daily, fri 17:00", f"has 3 fields: {FIVE}"),
        ("*-01-01, *-07-01 9:00", f"has 3 fields: {FIVE}"),
    ],
)
def test_each_time_has_its_own_days(words: str, reason: str) -> None:
    assert advice(words) == reason


DAYS = st.sampled_from(["mon", "weekdays", "Tue-Thu", "sat,sun", "Friday", "daily", "mon wed"])
TIMES = st.lists(st.integers(1, 23), min_size=1, max_size=2, unique=True)


@given(st.lists(st.tuples(DAYS, TIMES), min_size=1, max_size=3), st.sampled_from([", ", " and ", " "]), st.booleans())
def test_several_times_with_days(pairs: list[tuple[str, list[int]]], separator: str, days_first: bool) -> None:
    parts = [(day, " ".join(f"{hour}:00" for hour in hours)) for day, hours in pairs]
    said = advice(separator.join(" ".join(part if days_first else part[::-1]) for part in parts))
    names = {"weekdays": "1-5", "Tue-Thu": "tue-thu", "Friday": "fri", "daily": "*", "mon wed": "mon,wed"}
    expected = [f"0 {hour} * * {names.get(day, day)}" for day, hours in pairs for hour in hours]
    assert offered(said) in ([], expected)
    assert offered(said) or separator == " " or "," in " ".join(day for day, _ in pairs)
