"""Tests of known days on which the clocks changed, as Debian's cron treats them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from clustertrigger.api.schedule import CronSchedule
from clustertrigger.core.schedules.timetable import timetable
from clustertrigger.core.schedules.wallclock import EPOCH, wall_clock

SECOND = timedelta(seconds=1)


def slots_on(expression: str, zone: str, day: str) -> list[str]:
    """The slots of one local day, as `HH:MM` in UTC, with the date if it is another one."""
    local = date.fromisoformat(day)
    slots = timetable(CronSchedule(cron_expression=expression, timezone=zone), EPOCH)
    start, end = (midnight(local + timedelta(days=days), zone) for days in (0, 1))
    found = []
    slot = slots.next_after(start - SECOND)
    while slot is not None and slot < end:
        found.append(slot)
        slot = slots.next_after(slot)
    assert slots.count_between(start - SECOND, end - SECOND, 10_000) == len(found)
    return [f"{slot:%H:%M}" if slot.date() == local else f"{slot:%m-%d %H:%M}" for slot in found]


def midnight(day: date, zone: str) -> datetime:
    local = datetime(day.year, day.month, day.day, tzinfo=wall_clock(zone).zone)
    return local.astimezone(UTC)


@pytest.mark.parametrize(
    ("expression", "zone", "day", "expected"),
    [
        # Spring in Berlin: 02:00 to 03:00 does not exist; 01:00 UTC is the first instant after it.
        ("0 2 * * *", "Europe/Berlin", "2026-03-29", ["01:00"]),
        ("30 2 * * *", "Europe/Berlin", "2026-03-29", ["01:00"]),
        ("59 1 * * *", "Europe/Berlin", "2026-03-29", ["00:59"]),
        ("0 3 * * *", "Europe/Berlin", "2026-03-29", ["01:00"]),
        ("15,45 2 * * *", "Europe/Berlin", "2026-03-29", ["01:00"]),
        ("0 2,3 * * *", "Europe/Berlin", "2026-03-29", ["01:00"]),
        ("30 1-3 * * *", "Europe/Berlin", "2026-03-29", ["00:30", "01:00", "01:30"]),
        ("30 */2 * * *", "Europe/Berlin", "2026-03-29",
         ["03-28 23:30", *(f"{hour:02}:30" for hour in range(2, 22, 2))]),
        # The day must still be one that the expression names.
        ("30 2 * * 1", "Europe/Berlin", "2026-03-29", []),
        ("30 2 29 3 *", "Europe/Berlin", "2026-03-29", ["01:00"]),
        # Autumn: 02:00 to 03:00 comes twice; first from 00:00 UTC, again from 01:00 UTC.
        ("0 2 * * *", "Europe/Berlin", "2026-10-25", ["00:00"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25", ["00:30"]),
        ("0 3 * * *", "Europe/Berlin", "2026-10-25", ["02:00"]),
        ("15,45 2 * * *", "Europe/Berlin", "2026-10-25", ["00:15", "00:45"]),
        ("0 2,3 * * *", "Europe/Berlin", "2026-10-25", ["00:00", "02:00"]),
        ("0-59/20 2 * * *", "Europe/Berlin", "2026-10-25", ["00:00", "00:20", "00:40"]),
        ("*/30 2 * * *", "Europe/Berlin", "2026-10-25", ["00:00", "00:30", "01:00", "01:30"]),
        # New York; kubernetes #121594 is about the second of two 01:30.
        ("30 2 * * *", "America/New_York", "2026-03-08", ["07:00"]),
        ("30 1 * * *", "America/New_York", "2026-11-01", ["05:30"]),
        # The clocks go forward at midnight: the day begins at 01:00.
        ("0 0 * * *", "Africa/Cairo", "2026-04-24", ["04-23 22:00"]),
        ("30 0 * * *", "Africa/Cairo", "2026-04-24", ["04-23 22:00"]),
        ("@daily", "America/Havana", "2026-03-08", ["05:00"]),
        # They go back at midnight, so 23:00 to 24:00 comes twice.
        ("30 23 * * *", "Africa/Cairo", "2026-10-29", ["20:30"]),
        ("0 0 * * *", "Africa/Cairo", "2026-10-30", ["10-29 22:00"]),
        ("*/30 23 * * *", "Africa/Cairo", "2026-10-29", ["20:00", "20:30", "21:00", "21:30"]),
        # Lord Howe moves by half an hour: 02:00 to 02:30 does not exist; 01:30 to 02:00 comes twice.
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-04", ["10-03 15:30"]),
        ("15,45 2 * * *", "Australia/Lord_Howe", "2026-10-04", ["10-03 15:30", "10-03 15:45"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-05", ["04-04 14:45"]),
        ("*/15 1 * * *", "Australia/Lord_Howe", "2026-04-05", [f"04-04 {time}" for time in
         ("14:00", "14:15", "14:30", "14:45", "15:00", "15:15")]),
        # Troll moves by two hours: 01:00 to 03:00 does not exist.
        ("0 1,2,3 * * *", "Antarctica/Troll", "2026-03-29", ["01:00"]),
        # Casey moved by three hours, one minute after midnight.
        ("0 2 * * *", "Antarctica/Casey", "2020-10-04", ["10-03 16:01"]),
        # Apia left 2011-12-30 out; no slot is due on a day that did not exist.
        ("0 1 * * *", "Pacific/Apia", "2011-12-29", ["11:00"]),
        ("0 1 * * *", "Pacific/Apia", "2011-12-31", ["12-30 11:00"]),
        ("0 1 30 12 *", "Pacific/Apia", "2011-12-31", []),
        ("0 0 * * *", "Pacific/Apia", "2011-12-31", ["12-30 10:00"]),
        # Fakaofo left the same day out, two days before the year ended in UTC.
        ("0 1 * * *", "Pacific/Fakaofo", "2011-12-31", ["12-30 12:00"]),
        ("0 */2 29 12 *", "Pacific/Fakaofo", "2011-12-31", []),
        # Zones that are not whole hours from UTC, and one that never changes.
        ("0 2 * * *", "Asia/Kathmandu", "2026-03-29", ["03-28 20:15"]),
        ("0 2 * * *", "UTC", "2026-03-29", ["02:00"]),
    ],
)  # fmt: skip
def test_slots_of_a_day(expression: str, zone: str, day: str, expected: list[str]) -> None:
    assert slots_on(expression, zone, day) == expected


@pytest.mark.parametrize(
    ("expression", "zone", "day", "count"),
    [
        ("*/30 * * * *", "Europe/Berlin", "2026-03-29", 46),
        ("*/30 * * * *", "Europe/Berlin", "2026-10-25", 50),
        ("* * * * *", "Europe/Berlin", "2026-03-29", 23 * 60),
        ("* * * * *", "Europe/Berlin", "2026-10-25", 25 * 60),
        ("@hourly", "Europe/Berlin", "2026-03-29", 23),
        ("@hourly", "Europe/Berlin", "2026-10-25", 25),
        ("0 * * * *", "Australia/Lord_Howe", "2026-10-04", 23),
        ("*/10 * * * *", "Australia/Lord_Howe", "2026-10-04", 141),
        ("*/10 * * * *", "Australia/Lord_Howe", "2026-04-05", 147),
        # 0-23 is not *, so these are 24 fixed times a day, of which two share the gap's end.
        ("0 0-23 * * *", "Europe/Berlin", "2026-03-29", 23),
        ("0 0-23 * * *", "Europe/Berlin", "2026-10-25", 24),
    ],
)
def test_number_of_slots_of_a_day(expression: str, zone: str, day: str, count: int) -> None:
    assert len(slots_on(expression, zone, day)) == count


def test_a_day_left_out_is_passed_in_both_directions() -> None:
    slots = timetable(CronSchedule(cron_expression="0 1 30 12 *", timezone="Pacific/Apia"), EPOCH)
    resumed = datetime(2011, 12, 30, 12, tzinfo=UTC)
    assert slots.next_after(datetime(2011, 1, 1, tzinfo=UTC)) == datetime(2012, 12, 29, 11, tzinfo=UTC)
    assert slots.latest_until(resumed) == datetime(2010, 12, 30, 11, tzinfo=UTC)
