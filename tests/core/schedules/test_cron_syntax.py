"""Tests of the syntax of cron expressions."""

from __future__ import annotations

from itertools import product

import pytest

from clustertrigger.core.schedules.cron_syntax import parse
from clustertrigger.core.schedules.schedule_error import ScheduleError
from tests.core.schedules import debian_cron


@pytest.mark.parametrize(
    ("expression", "minutes", "hours", "days", "months", "weekdays"),
    [
        ("5 2 * * *", {5}, {2}, None, None, None),
        ("05 02 01 01 *", {5}, {2}, {1}, {1}, None),
        ("*/20 0-23/8 * * *", {0, 20, 40}, {0, 8, 16}, None, None, None),
        ("1,3-5,50-59/4 0 * * *", {1, 3, 4, 5, 50, 54, 58}, {0}, None, None, None),
        ("0 0 1,15 JAN,jul-Sep mon-FRI", {0}, {0}, {1, 15}, {1, 7, 8, 9}, {1, 2, 3, 4, 5}),
        ("0 0 * * 7", {0}, {0}, None, None, {0}),
        ("0 0 * * 7-7", {0}, {0}, None, None, {0}),
        ("0 0 * * 5-7", {0}, {0}, None, None, {0, 5, 6}),
        ("0 0 * * 1-7/2", {0}, {0}, None, None, {0, 1, 3, 5}),
        ("0 0 * * sun", {0}, {0}, None, None, {0}),
        ("0 0 * * sat,sun", {0}, {0}, None, None, {0, 6}),
        ("*/90 0 * * *", {0}, {0}, None, None, None),
        ("  0\t0  *  *  * ", {0}, {0}, None, None, None),
        ("@hourly", {0}, set(range(24)), None, None, None),
        ("@daily", {0}, {0}, None, None, None),
        ("@midnight", {0}, {0}, None, None, None),
        ("@weekly", {0}, {0}, None, None, {0}),
        ("@monthly", {0}, {0}, {1}, None, None),
        ("@yearly", {0}, {0}, {1}, {1}, None),
        ("@Annually", {0}, {0}, {1}, {1}, None),
    ],
)
def test_expressions(
    expression: str,
    minutes: set[int],
    hours: set[int],
    days: set[int] | None,
    months: set[int] | None,
    weekdays: set[int] | None,
) -> None:
    parsed = parse(expression)
    assert set(parsed.minutes) == minutes
    assert set(parsed.hours) == hours
    assert set(parsed.days) == (days or set(range(1, 32)))
    assert set(parsed.months) == (months or set(range(1, 13)))
    assert {weekday % 7 for weekday in parsed.weekdays} == (weekdays or set(range(7)))


def test_every_range_and_step_is_read_as_vixie_reads_it() -> None:
    """Compares croniter, which expands the fields, with Vixie's own loop, for all ranges of short fields."""
    shapes = {0: (0, 59, 7), 1: (0, 23, 3), 2: (1, 31, 3), 3: (1, 12, 1), 4: (0, 7, 1)}
    for position, (low, high, stride) in shapes.items():
        bounds = [*range(low, high + 1, stride), high]
        for first, last, step in product(bounds, bounds, (1, 2, 3, 4, 7, 11, 61)):
            if first > last:
                continue
            fields = ["*"] * 5
            fields[position] = f"{first}-{last}/{step}"
            bits = debian_cron._bits(fields[position], low, high)
            expected = {int(value) % (7 if position == 4 else 100) for value in bits.nonzero()[0]}
            parsed = parse(" ".join(fields))
            found = (parsed.minutes, parsed.hours, parsed.days, parsed.months, parsed.weekdays)[position]
            assert {value % (7 if position == 4 else 100) for value in found} == expected, fields[position]


@pytest.mark.parametrize(
    ("expression", "follows_wall"),
    [
        ("0 2 * * *", False),
        ("0-59 0-23 * * *", False),
        ("0,* 2 * * *", False),
        ("* 2 * * *", True),
        ("*/5 2 * * *", True),
        ("*,0 2 * * *", True),
        ("0 * * * *", True),
        ("0 */6 * * *", True),
        ("@hourly", True),
        ("@daily", False),
    ],
)
def test_a_star_in_minute_or_hour_follows_local_time(expression: str, follows_wall: bool) -> None:
    assert parse(expression).follows_wall is follows_wall


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        # August 2026 began on a Saturday.
        ("0 0 13 8 5", {7, 13, 14, 21, 28}),
        ("0 0 13 8 *", {13}),
        ("0 0 * 8 5", {7, 14, 21, 28}),
        ("0 0 */2 8 5", {7, 21}),
        ("0 0 1-31/2 8 5", {*range(1, 32, 2), 14, 28}),
        ("0 0 13 8 */5", set()),
        ("0 0 14 8 */5", {14}),
        ("0 0 1,* 8 5", set(range(1, 32))),
    ],
)
def test_days_of_month_and_of_week(expression: str, days: set[int]) -> None:
    """If both day fields are restricted, one match is enough. If one of them begins with `*`, both must match."""
    august = 20_666 * 1440
    parsed = parse(expression)
    found, minute = set(), parsed.next_after(august - 1)
    while minute is not None and minute < august + 31 * 1440:
        found.add(minute // 1440 - 20_666 + 1)
        minute = parsed.next_after(minute)
    assert found == days


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("61 * * * *", "minute 61 is out of range 0-59: write a number from 0 to 59"),
        ("* 24 * * *", "hour 24 is out of range 0-23: write a number from 0 to 23"),
        ("* * 0 * *", "day of month 0 is out of range 1-31: write a number from 1 to 31"),
        ("* * 32 * *", "day of month 32 is out of range 1-31: write a number from 1 to 31"),
        ("* * * 13 *", "month 13 is out of range 1-12: write a number from 1 to 12"),
        ("* * * * 8", "day of week 8 is out of range 0-7: write a number from 0 to 7"),
        ("* * * * 0-8", "day of week 8 is out of range 0-7: write a number from 0 to 7"),
        ("foo * * * *", "minute 'foo' is not a number: write 0-59"),
        ("* * * march *", "month 'march' is not a name that crontab knows: write mar"),
        ("* * * * x", "day of week 'x' is not a number: write 0-7 or sun-sat"),
        ("jan * * * *", "minute 'jan' is not a number: write 0-59"),
        ("* 22-2 * * *", "hour range '22-2' is reversed: write 22-23,0-2"),
        ("* * * * fri-sun", "day of week range 'fri-sun' is reversed: write 5-7"),
        ("5/15 * * * *", "minute '5/15' has a step without a range: write 5-59/15"),
        ("*/0 * * * *", "minute '*/0' has step 0: write a step of at least 1"),
        ("0-10/0 * * * *", "minute '0-10/0' has step 0: write a step of at least 1"),
        ("1,,2 * * * *", "minute '1,,2' has an empty item: write 1,2"),
        ("-5 * * * *", "minute '-5' is invalid: write a number, a range 1-5, a list 1,3 or a step */2"),
        ("1-2-3 * * * *", "minute '1-2-3' is invalid: write a number, a range 1-5, a list 1,3 or a step */2"),
        ("*5 * * * *", "minute '*5' is invalid: write a number, a range 1-5, a list 1,3 or a step */2"),
        ("٣ * * * *", "minute '٣' is invalid: write a number, a range 1-5, a list 1,3 or a step */2"),
        ("", "has 0 fields: write five: minute, hour, day of month, month, day of week"),
        ("@", "unknown shortcut: use one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually"),
        ("* * *", "has 3 fields: write five: minute, hour, day of month, month, day of week"),
        ("TZ=UTC 0 2 * * *", "a time zone does not belong in the expression: remove it and set "
         "schedule_config.timezone: UTC"),
        ("CRON_TZ=Asia/Tokyo 0 2 * * *", "a time zone does not belong in the expression: remove it and set "
         "schedule_config.timezone: Asia/Tokyo"),
        ("@reboot", "@reboot has no meaning in a cluster: use trigger_type interval with start_immediately"),
        # days that never come
        ("0 0 31 2 *", "never fires, because no such day exists: change day of month or month"),
        ("0 0 30 2 *", "never fires, because no such day exists: change day of month or month"),
        ("0 0 31 4,6,9,11 *", "never fires, because no such day exists: change day of month or month"),
        ("0 0 31 2 */2", "never fires, because no such day exists: change day of month or month"),
    ],
)  # fmt: skip
def test_refused(expression: str, reason: str) -> None:
    with pytest.raises(ScheduleError) as refused:
        parse(expression)
    assert refused.value.field == "schedule_config.cron_expression"
    assert refused.value.value == expression
    assert refused.value.reason == reason
    assert str(refused.value) == f"schedule_config.cron_expression: {expression!r}: {reason}"


@pytest.mark.parametrize("expression", ["0 0 29 2 *", "0 0 31 2 1", "0 0 30,31 2,3 *", "0 0 29 2 */7"])
def test_rare_days_are_found(expression: str) -> None:
    assert parse(expression).next_after(0) is not None


def test_29_february_is_found_over_the_longest_wait() -> None:
    """After Sunday 29 February 2088, the next one on a Sunday is 40 years later, because 2100 is not a leap year."""
    parsed = parse("0 0 29 2 */7")
    of_2088, of_2128 = 43_158 * 1440, 57_767 * 1440
    assert parsed.next_after(of_2088) == of_2128
    assert parsed.latest_until(of_2128 - 1) == of_2088
