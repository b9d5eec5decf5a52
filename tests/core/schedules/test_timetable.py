"""Tests of a schedule's description, of the known zones, and of the time to find slots."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from clustertrigger.api.schedule import CronSchedule
from clustertrigger.core.resources.validation import parse_trigger
from clustertrigger.core.schedules.timetable import describe_schedule, timetable
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
        ("conditional", {"condition_type": "volume", "threshold": 0.125, "metric": "document_count",
                         "check_interval_seconds": 600}, "document_count ±12.5% every 10m"),
    ],
)  # fmt: skip
def test_describe_schedule(trigger_type: str, config: dict[str, Any], text: str) -> None:
    spec, problems = parse_trigger({"trigger_type": trigger_type, "schedule_config": config, "cluster_id": "c"})
    assert problems == []
    assert spec is not None
    assert describe_schedule(spec) == text


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
    """kubernetes #42649: the work to find missed starts grew with the outage, until it failed."""
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
