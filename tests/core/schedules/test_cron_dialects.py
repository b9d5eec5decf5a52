"""Tests of the five fields that are offered for six and seven: they are due when the expression of the source is.

The schedulers are simulated here: a field is a set of values, and Spring's and NCrontab's days must match both fields.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustertrigger.core.schedules.cron_dialects import FIVE
from clustertrigger.core.schedules.cron_reading import NEVER
from tests.core.schedules.offered_expressions import CALENDAR, advice, due, offered, sunday_first

NUMBER = "has {} fields, but cron has neither seconds nor years: "
SIX, SEVEN = NUMBER.format(6), NUMBER.format(7)
BOTH = "write {} for days that match both, as in Spring and NCrontab, or {} for days that match either"
NONE = (
    "cron cannot express only the days that match both, as in Spring and NCrontab; {} is due on days that match either"
)
NO_DAY = "no day ever matches both; {} is due on days that match either"
LAST_WEEKDAY = (
    "day of week {} is Quartz syntax: cron cannot express the last weekday of a month: write {}, which matches "
)
ONCE = "(once a minute, the finest step of cron)"


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("0 0 9 * * Monday", f"{SIX}write 0 9 * * mon"),
        ("0 0 9 * * FRIL", f"{SIX}{LAST_WEEKDAY.format(repr('FRIL'), 'fri')}every week"),
        ("0 0 9 * * SUNL", f"{SIX}{LAST_WEEKDAY.format(repr('SUNL'), 'sun')}every week"),
        ("0 0 9 * * weekdays", f"{SIX}write 0 9 * * 1-5"),
        ("0 0 9 * * Tues", f"{SIX}write 0 9 * * tue"),
        ("0 0 9 * * mon-friday", f"{SIX}write 0 9 * * mon-fri"),
        ("0 0 9 * * Mon,Tuesday", f"{SIX}write 0 9 * * Mon,tue"),
        ("0 0 9 * * fri-mon", f"{SIX}write 0 9 * * fri-sat,sun-mon"),
        ("0 15 10 * * Monday", f"{SIX}write 15 10 * * mon"),
        ("0 0 12 1 * Sunday", f"{SIX}{BOTH.format('0 12 1 * */7', '0 12 1 * sun')}"),
        ("0 0 9 1 January *", f"{SIX}write 0 9 1 jan *"),
        ("0 0 9 ? * Monday 2027", f"{SEVEN}write 0 9 * * mon (in every year)"),
        ("0 0 9 * * Monday mornings", f"{SEVEN}{FIVE}"),
        ("0 0 9 * * MondayL", f"{SIX}{FIVE}"),
        # What can be a day in another language as well as a command.
        ("0 0 9 * * Montag",
         f"{SIX}if 'Montag' is a command, write 0 0 9 * *; if it is a day of the week, write one of sun-sat"),
        ("0 9 * * 1 backup.sh", f"{SIX}a command or a comment does not belong in it: write 0 9 * * 1"),
        ("0 9 30 2 * /bin/true", f"{SEVEN.replace('7', '6')}a command or a comment does not belong in it: 0 9 30 2 * "
                                 f"{NEVER}"),
        # Both days.
        ("0 0 9 1-7 * MON", f"{SIX}{BOTH.format('0 9 */31,2-7 * MON', '0 9 1-7 * MON')}"),
        ("0 0 9 1 * 1", f"{SIX}{BOTH.format('0 9 */31 * 1', '0 9 1 * 1')}"),
        ("0 30 9 1,15 * FRI", f"{SIX}{BOTH.format('30 9 */31,15 * FRI', '30 9 1,15 * FRI')}"),
        ("0 0 9 13 * FRI", f"{SIX}{NONE.format('0 9 13 * FRI')}"),
        ("0 0 9 31 4 MON", f"{SIX}{NO_DAY.format('0 9 31 4 MON')}"),
        ("0 0 9 30 2 ?", f"{SIX}0 9 30 2 * {NEVER}"),
        # Days that are counted in a month.
        ("0 0 9 L 4 ?", f"{SIX}day of month 'L' is Quartz syntax for the last day: write 0 9 30 4 *"),
        ("0 0 9 ? * MON-FRI/2", f"{SIX}write 0 9 * * MON-FRI/2"),
        ("0 0 9 ? * MON#1", f"{SIX}day of week 'MON#1' is Quartz syntax: write day of month */31,2-7 and day of week "
                            "mon, which must then both match"),
        ("0 0 9 15 * MON#1", f"{SIX}day of week 'MON#1' is Quartz syntax that needs the field day of month: write * as "
                             "day of month"),
        ("0 0 9 ? * MON#1,FRI", f"{SIX}day of week 'MON#1' is Quartz syntax that needs the field day of month: make a "
                                "trigger for each item of the list"),
        # Several seconds.
        ("*/10 * * * * MON-FRI", f"{SIX}write * * * * MON-FRI {ONCE}"),
        ("* 0 9 * * MON", f"{SIX}write 0 9 * * MON {ONCE}"),
        ("0,30 0 9 1 * ? 2027", f"{SEVEN}write 0 9 1 * * {ONCE[:-1]}; in every year)"),
        ("*/10 9 * * * *", f"{SIX}write 9 * * * * {ONCE} if the first is seconds, */10 9 * * * if the last is years"),
        ("0,30 * * * * ?", f"{SIX}a cron expression cannot express an interval: use trigger_type interval with "
                           "interval_seconds: 30"),
        ("*/7 * * * * ?", f"{SIX}write * * * * * {ONCE}"),
        ("0/30 * * * * ? 2027", f"{SEVEN}write * * * * * {ONCE[:-1]}; in every year)"),
        ("Monday 0 9 * * MON", f"{SIX}{FIVE}"),
        # Spring counts 1/2 to 7, which is Sunday, NCrontab to 6.
        ("0 0 9 * * 1/2", f"{SIX}{FIVE}"),
    ],
)  # fmt: skip
def test_six_and_seven_fields(expression: str, reason: str) -> None:
    assert advice(expression) == reason


def field(low: int, high: int) -> st.SearchStrategy[tuple[str, set[int]]]:
    """A field of one of the forms that all schedulers have in common, and its values."""
    number = st.integers(low, high)
    span = st.tuples(number, number, st.integers(1, 9)).map(lambda three: (min(three[:2]), max(three[:2]), three[2]))
    item = st.one_of(
        number.map(lambda one: (str(one), {one})),
        span.map(lambda three: (f"{three[0]}-{three[1]}", set(range(three[0], three[1] + 1)))),
        span.map(lambda three: (f"{three[0]}-{three[1]}/{three[2]}", set(range(three[0], three[1] + 1, three[2])))),
    )
    listed = st.lists(item, min_size=1, max_size=3).map(
        lambda items: (",".join(text for text, _ in items), set().union(*(values for _, values in items)))
    )
    step = st.integers(1, high).map(lambda step: (f"*/{step}", set(range(low, high + 1, step))))
    start = st.tuples(number, st.integers(1, 9)).map(
        lambda two: (f"{two[0]}/{two[1]}", set(range(two[0], high + 1, two[1])))
    )
    every = st.just(("*", set(range(low, high + 1))))
    return st.one_of(every, listed, step) if high == 6 else st.one_of(every, listed, step, start)


WEEKDAYS = st.one_of(
    field(0, 6),
    st.sampled_from([
        ("Monday", {1}), ("weekdays", {1, 2, 3, 4, 5}), ("SAT-SUN", {6, 0}), ("Tues,fri", {2, 5}), ("weekend", {6, 0}),
        ("thurs-monday", {4, 5, 6, 0, 1}), ("sunday", {0}), ("?", set(range(7))), ("MON-FRI", {1, 2, 3, 4, 5}),
    ]),
)  # fmt: skip


@given(field(0, 59), field(0, 59), field(0, 23), field(1, 31), field(1, 12), WEEKDAYS)
def test_what_is_offered_is_due_at_the_same_times(
    second: tuple[str, set[int]],
    minute: tuple[str, set[int]],
    hour: tuple[str, set[int]],
    day: tuple[str, set[int]],
    month: tuple[str, set[int]],
    weekday: tuple[str, set[int]],
) -> None:
    written = " ".join(text for text, _ in (second, minute, hour, day, month, weekday))
    said = advice(written).removeprefix(SIX)
    times = set(product(hour[1], minute[1]))
    both = days(month[1], day[1], weekday[1], all)
    if said.endswith(NEVER) or "interval_seconds" in said:
        assert not both or written.endswith("* * * * *")
    elif "both" in said:
        *exact, either = offered(said)
        assert due(either) == (times, days(month[1], day[1], weekday[1], any)), said
        assert [due(each) for each in exact] == [(times, both) for _ in exact], said
        assert exact or not both or not (1 in day[1] or 0 in weekday[1]), said
    else:
        assert due(offered(said)[0]) == (times, both), said
    assert (ONCE in said) == (len(second[1]) > 1 and not said.endswith(NEVER) and "interval_seconds" not in said)


def days(
    months: set[int], of_month: set[int], of_week: set[int], matches: Callable[[tuple[bool, bool]], bool]
) -> set[date]:
    return {
        day for day in CALENDAR if day.month in months and matches((day.day in of_month, sunday_first(day) in of_week))
    }
