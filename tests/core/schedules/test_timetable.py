"""What a trigger's schedule is called, which zones there are, and how fast slots are found."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clustertrigger.api.schedule import CronSchedule
from clustertrigger.core.resources.validation import parse_trigger
from clustertrigger.core.schedules import zone_advice
from clustertrigger.core.schedules.timetable import ScheduleError, describe_schedule, timetable
from clustertrigger.core.schedules.wallclock import EPOCH, wall_clock, zone_names

NOW = datetime(2026, 11, 21, 21, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("trigger_type", "config", "text"),
    [
        ("cron", {"cron_expression": "0 2 * * *", "timezone": "Europe/Berlin"}, "0 2 * * * Europe/Berlin"),
        ("cron", {"cron_expression": " 0  2 * * * "}, "0 2 * * * UTC"),
        ("cron", {"cron_expression": "@daily"}, "@daily UTC"),
        ("interval", {"interval_seconds": 21600}, "every 6h"),
        ("interval", {"interval_seconds": 90}, "every 90s"),
        ("event", {"event_type": "documents_added", "event_threshold": 100, "collection_id": "c"},
         "100 documents_added"),
        ("event", {"event_type": "documents_added", "event_threshold": 100, "collection_id": "c",
                   "cooldown_seconds": 300}, "100 documents_added, cooldown 5m"),
        ("conditional", {"condition_type": "drift", "threshold": 0.3, "metric": "cosine_drift",
                         "check_interval_seconds": 3600}, "cosine_drift > 0.3 every 1h"),
    ],
)  # fmt: skip
def test_describe_schedule(trigger_type: str, config: dict[str, Any], text: str) -> None:
    spec, problems = parse_trigger({"trigger_type": trigger_type, "schedule_config": config, "cluster_id": "c"})
    assert problems == []
    assert spec is not None
    assert describe_schedule(spec) == text


@pytest.mark.parametrize(
    ("zone", "way_out"),
    [
        ("europe/berlin", "did you mean Europe/Berlin?"),
        ("Berlin", "did you mean Europe/Berlin?"),
        ("America/New York", "did you mean America/New_York?"),
        ("Asia/Kolkatta", "did you mean Asia/Kolkata?"),
        ("Mars/Olympus_Mons", "write an IANA name, such as Europe/Berlin or UTC"),
        ("../../etc/passwd", "write an IANA name, such as Europe/Berlin or UTC"),
        ("right/Europe/Berlin", "did you mean Europe/Berlin?"),
        ("localtime", "write an IANA name, such as Europe/Berlin or UTC"),
        ("", "write an IANA name, such as Europe/Berlin or UTC"),
    ],
)
def test_unknown_zones(zone: str, way_out: str) -> None:
    with pytest.raises(ScheduleError) as refused:
        wall_clock(zone)
    assert str(refused.value) == f"schedule_config.timezone: {zone!r}: no such time zone: {way_out}"


@pytest.mark.parametrize(
    ("zone", "cities"),
    [
        ("CEST", "Europe/Berlin"),
        ("cest", "Europe/Berlin"),
        ("MEZ", "Europe/Berlin"),
        ("MESZ", "Europe/Berlin"),
        ("Europe/CEST", "Europe/Berlin"),
        ("WEST", "Europe/Lisbon"),
        ("BST", "Europe/London or Asia/Dhaka"),
        ("IST", "Asia/Kolkata, Europe/Dublin or Asia/Jerusalem"),
        ("CST", "America/Chicago, Asia/Shanghai or America/Havana"),
        ("EDT", "America/New_York"),
        ("est", "America/New_York"),
        ("US/EST", "America/New_York"),
        ("PST", "America/Los_Angeles"),
        ("PDT", "America/Los_Angeles"),
        ("JST", "Asia/Tokyo"),
        ("XYZ", "Europe/Berlin or America/New_York"),
    ],
)
def test_abbreviations_get_a_city_and_never_a_nearest_spelling(zone: str, cities: str) -> None:
    with pytest.raises(ScheduleError) as refused:
        wall_clock(zone)
    assert refused.value.reason == (f"no such time zone: it is an abbreviation: write a city's zone, such as {cities}")


@pytest.mark.parametrize(
    ("zone", "city", "fixed"),
    [
        ("GMT+1", "Europe/Berlin", ("Etc/GMT-1", "UTC+1")),
        ("UTC+2", "Europe/Athens", ("Etc/GMT-2", "UTC+2")),
        ("+01:00", "Europe/Berlin", ("Etc/GMT-1", "UTC+1")),
        ("+0200", "Europe/Athens", ("Etc/GMT-2", "UTC+2")),
        ("utc-05:00", "America/New_York", ("Etc/GMT+5", "UTC-5")),
        ("UTC\N{MINUS SIGN}5", "America/New_York", ("Etc/GMT+5", "UTC-5")),
        ("Etc/UTC+1", "Europe/Berlin", ("Etc/GMT-1", "UTC+1")),
        ("GMT1", "Europe/Berlin", ("Etc/GMT-1", "UTC+1")),
        ("UTC +14", "Pacific/Kiritimati", ("Etc/GMT-14", "UTC+14")),
        ("+05:30", "Asia/Kolkata", None),
        ("UTC-3:30", "America/St_Johns", None),
    ],
)
def test_offsets_get_a_city_and_the_zone_whose_sign_is_reversed(
    zone: str, city: str, fixed: tuple[str, str] | None
) -> None:
    with pytest.raises(ScheduleError) as refused:
        wall_clock(zone)
    advice = f"no such time zone: it is an offset, which daylight saving changes: write a city's zone, such as {city}"
    if fixed is not None:
        advice += f"; {fixed[0]} is {fixed[1]} all year (its sign is reversed)"
        assert NOW.astimezone(wall_clock(fixed[0]).zone).utcoffset() == timedelta(
            hours=int(fixed[1].removeprefix("UTC"))
        )
    assert refused.value.reason == advice


@pytest.mark.parametrize(
    ("zone", "way_out"),
    [
        ("UTC+0", "did you mean UTC?"),
        ("+00:00", "did you mean UTC?"),
        ("Z", "did you mean UTC?"),
        ("utc", "did you mean UTC?"),
        ("etc/gmt-1", "did you mean Etc/GMT-1, which is UTC+1?"),
        ("Etc/GMT+13", "the zones of fixed offsets are Etc/GMT-14 to Etc/GMT+12, in whole hours, and their sign is "
         "reversed: Etc/GMT-1 is UTC+1"),
        ("UTC+15", "offsets end at UTC-12 and UTC+14: write a city's zone, such as Europe/Berlin"),
        ("CET-1CEST", "it is a rule of POSIX: write a city's zone, such as Europe/Berlin"),
        ("EST+5EDT", "it is a rule of POSIX: write a city's zone, such as America/New_York"),
        ("UTC+5.5", "it is an offset, which daylight saving changes: write a city's zone, such as Europe/Berlin"),
        ("UTC+08:00 (Beijing)", "it is an offset, which daylight saving changes: write a city's zone, such as "
         "Europe/Berlin"),
        ("Rome", "did you mean Europe/Rome?"),
        ("Eastern Standard Time", "write an IANA name, such as Europe/Berlin or UTC"),
    ],
)  # fmt: skip
def test_neighbours_of_offsets_and_abbreviations(zone: str, way_out: str) -> None:
    with pytest.raises(ScheduleError) as refused:
        wall_clock(zone)
    assert refused.value.reason == f"no such time zone: {way_out}"


def test_advice_on_zones_names_zones_that_exist() -> None:
    cities = {city for cities in zone_advice._CITIES.values() for city in cities}
    assert cities | set(zone_advice._CITY_OF_OFFSET.values()) <= zone_names()
    winter, summer = datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 7, 15, tzinfo=UTC)
    for minutes, city in zone_advice._CITY_OF_OFFSET.items():
        offsets = {when.astimezone(wall_clock(city).zone).utcoffset() for when in (winter, summer)}
        assert timedelta(minutes=minutes) in offsets


@pytest.mark.parametrize("word", ["EST", "MST", "HST", "CET", "EET", "WET", "GMT", "GMT+0", "GMT0", "UCT", "Etc/GMT-1"])
def test_abbreviations_and_offsets_of_the_database_are_zones(word: str) -> None:
    assert wall_clock(word).at(0) is not None


def test_every_zone_of_the_database_is_known() -> None:
    assert len(zone_names()) > 550
    assert all(wall_clock(name).at(0) is not None for name in zone_names())


def test_instants_of_any_zone_and_with_microseconds() -> None:
    daily = timetable(CronSchedule(cron_expression="0 2 * * *"), EPOCH)
    due = datetime(2026, 11, 22, 2, tzinfo=UTC)
    tokyo = datetime(2026, 11, 22, 10, 59, 59, 999_999, tzinfo=wall_clock("Asia/Tokyo").zone)
    assert daily.next_after(tokyo) == due
    assert daily.latest_until(tokyo) == datetime(2026, 11, 21, 2, tzinfo=UTC)
    assert daily.next_after(due.replace(microsecond=1)) == datetime(2026, 11, 23, 2, tzinfo=UTC)
    assert daily.latest_until(due.replace(microsecond=1)) == due


def test_the_calendar_ends() -> None:
    daily = timetable(CronSchedule(cron_expression="0 2 * * *"), EPOCH)
    assert daily.next_after(datetime(9998, 12, 31, 12, tzinfo=UTC)) is None
    assert daily.latest_until(datetime(2, 1, 1, 1, tzinfo=UTC)) is None


def test_a_century_of_missed_slots_costs_no_more_than_the_limit() -> None:
    """kubernetes #42649: the work to find missed starts grew with the outage, until it was given up."""
    every_minute = timetable(CronSchedule(cron_expression="* * * * *", timezone="Europe/Berlin"), EPOCH)
    began = time.process_time()
    assert every_minute.count_between(datetime(1980, 1, 1, tzinfo=UTC), NOW, 100) == 100
    assert every_minute.latest_until(NOW) == NOW
    assert time.process_time() - began < 0.1


def test_ten_thousand_triggers_are_scheduled_within_a_second_of_cpu() -> None:
    zones = sorted(zone_names())[::12]
    began = time.process_time()
    for number in range(10_000):
        expression = f"{number % 60} {number // 60 % 24} * * {number % 7}"
        schedule = CronSchedule(cron_expression=expression, timezone=zones[number % len(zones)])
        assert timetable(schedule, NOW).next_after(NOW) is not None
    assert time.process_time() - began < 2.0
