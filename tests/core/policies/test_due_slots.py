"""Tests of when a trigger fires: exactly once per slot, and never for a past slot after a change of the trigger."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from clustertrigger.api.conditions import Reason
from clustertrigger.core.resources.catalog import Unresolved
from tests.core.builders import HOURLY, MINUTELY, World, at, run, spec

IMMEDIATE = spec(schedule_config={"interval_seconds": 3600, "start_immediately": True})


def slots(world: World) -> list[str]:
    return [slot.removeprefix("2026-03-02T").removesuffix("Z") for slot in world.created]


@pytest.mark.parametrize(
    ("case", "raw_spec", "instants", "fired"),
    [
        ("before the first slot", HOURLY, [at(1), at(minutes=59)], []),
        ("at the slot, to the second", HOURLY, [at(1), at(hours=1)], ["13:00:00"]),
        ("once per slot, however often it is looked at", HOURLY, [at(1), at(3600.2), at(3601), at(3700)], ["13:00:00"]),
        ("start_immediately: the slot at the anchor", IMMEDIATE, [at(0.5)], ["12:00:00"]),
        ("start_immediately is seen late", IMMEDIATE, [at(minutes=5)], ["12:00:00"]),
        ("cron: the slot of the minute of creation is past", MINUTELY, [at(0.5), at(59.9)], []),
        ("cron: the next minute", MINUTELY, [at(0.5), at(60)], ["12:01:00"]),
        ("first seen after an outage, within the deadline", HOURLY, [at(hours=1, minutes=30)], ["13:00:00"]),
        ("the latest of many missed slots, once", MINUTELY, [at(1), at(minutes=100.5)], ["13:40:00"]),
        ("paused", spec(status="paused"), [at(1), at(hours=1)], []),
        ("disabled", spec(status="disabled"), [at(1), at(hours=1)], []),
        ("marked failed", spec(status="failed"), [at(1), at(hours=1)], []),
    ],
)
def test_fires(case: str, raw_spec: dict[str, Any], instants: list[datetime], fired: list[str]) -> None:
    world = World(raw_spec)
    for now in instants:
        world.step(now)
    assert slots(world) == fired, case


def test_grid_does_not_drift_with_late_wake_ups() -> None:
    world = World()
    for hour in range(1, 6):
        world.step(at(hours=hour, seconds=17 * hour))
        world.end()
        world.step(at(hours=hour, seconds=17 * hour + 20))
    assert slots(world) == ["13:00:00", "14:00:00", "15:00:00", "16:00:00", "17:00:00"]


def test_older_missed_slots_are_named_in_one_warning() -> None:
    world = World(MINUTELY)
    world.step(at(1))
    world.step(at(minutes=5.5))
    assert slots(world) == ["12:05:00"]
    assert [event for event in world.events if event.startswith("SlotsMissed")] == [
        "SlotsMissed: Missed 4 slots from 2026-03-02T12:01:00Z to 2026-03-02T12:04:00Z: "
        "only the latest one may still fire"
    ]


def test_a_slot_older_than_the_deadline_is_missed_not_fired() -> None:
    world = World(spec(run={"starting_deadline_seconds": 60}))
    world.step(at(1))
    world.step(at(hours=1, seconds=60))
    assert world.created == []
    assert world.events[-1] == (
        "SlotsMissed: Missed the slot 2026-03-02T13:00:00Z: older than run.starting_deadline_seconds (60 s)"
    )
    world.step(at(hours=1, seconds=90))
    assert len(world.events) == 1


def test_a_hundred_missed_starts_do_not_end_the_trigger() -> None:
    """kubernetes #42649: after 100 missed starts, a CronJob was never started again."""
    world = World(MINUTELY)
    world.step(at(1))
    world.step(at(days=30, seconds=1))
    world.end()
    world.step(at(days=30, seconds=60))
    assert len(world.created) == 2
    assert any("more than 100 slots" in event for event in world.events)


@pytest.mark.parametrize(
    ("case", "edited", "when"),
    [
        ("edit of the schedule", spec(schedule_config={"interval_seconds": 600}), at(hours=2.5)),
        ("edit of what is clustered", spec(description="now with words"), at(hours=2.5)),
        ("edit of the deadline", spec(run={"starting_deadline_seconds": 86400}), at(hours=2.5)),
    ],
)
def test_an_edit_never_fires_a_past_slot(case: str, edited: dict[str, Any], when: datetime) -> None:
    """kubernetes #63371."""
    world = World(spec(status="paused"))
    world.step(at(1))
    world.edit({**edited, "status": "active"}, when)
    world.step(when)
    assert world.created == [], case


def test_resuming_fires_no_slot_of_the_pause_and_keeps_the_grid() -> None:
    world = World()
    world.step(at(1))
    world.edit(spec(status="paused"), at(minutes=30))
    world.step(at(minutes=30))
    world.edit(HOURLY, at(hours=2, minutes=10))
    world.step(at(hours=2, minutes=10))
    assert world.created == []
    world.step(at(hours=3))
    assert slots(world) == ["15:00:00"]


def test_reapplying_the_same_spec_changes_nothing() -> None:
    world = World(IMMEDIATE)
    world.step(at(1))
    world.end()
    world.step(at(10))
    world.edit(IMMEDIATE, at(60))
    world.step(at(61))
    assert slots(world) == ["12:00:00"]


def test_an_edit_during_an_outage_keeps_the_slot_that_came_after_it() -> None:
    world = World()
    world.step(at(1))
    world.edit(spec(schedule_config={"interval_seconds": 600}), at(minutes=30))
    world.step(at(minutes=42))
    assert slots(world) == ["12:40:00"]


def test_an_edit_of_unknown_time_counts_from_now() -> None:
    world = World()
    world.step(at(1))
    world.edit(spec(schedule_config={"interval_seconds": 600}), None)
    world.step(at(minutes=42))
    assert world.created == []
    world.step(at(minutes=52))
    assert slots(world) == ["12:52:00"]


def test_a_job_that_was_created_before_a_crash_is_recorded_not_created_again() -> None:
    world = World()
    world.step(at(1))
    slot = at(hours=1)
    world.runs[run(slot).job] = run(slot)
    decision = world.step(at(hours=1, seconds=30))
    assert world.created == []
    assert decision.status.last_execution_job_id == run(slot).job
    assert decision.status.last_triggered_at == slot
    assert decision.status.next_scheduled_at == at(hours=2)


def test_a_job_deleted_after_it_was_recorded_does_not_fire_again() -> None:
    """argo-workflows #14719."""
    world = World()
    world.step(at(hours=1))
    world.runs.clear()
    world.step(at(hours=1, seconds=5))
    world.step(at(hours=1, seconds=10))
    assert slots(world) == ["13:00:00"]


def test_a_clock_that_steps_back_fires_no_slot_twice() -> None:
    world = World()
    world.step(at(hours=1))
    world.end()
    world.step(at(hours=1, seconds=5))
    decision = world.step(at(minutes=30))
    assert slots(world) == ["13:00:00"]
    assert decision.wake_at == at(hours=2)


def test_a_missing_collection_holds_the_slot_until_it_appears() -> None:
    world = World()
    world.work = Unresolved(Reason.COLLECTION_NOT_FOUND, "no Collection 'col_a'")
    world.step(at(1))
    decision = world.step(at(hours=1))
    assert world.created == []
    assert decision.wake_at is not None
    world.work = None
    world.step(at(hours=1, minutes=10))
    assert slots(world) == ["13:00:00"]


def test_a_collection_that_stays_missing_is_named_when_the_slot_is_missed() -> None:
    world = World(spec(run={"starting_deadline_seconds": 60}))
    world.work = Unresolved(Reason.COLLECTION_NOT_FOUND, "no Collection 'col_a'")
    world.step(at(1))
    world.step(at(hours=1))
    world.step(at(hours=1, seconds=61))
    assert world.created == []
    assert world.events == [
        "SlotsMissed: Missed the slot 2026-03-02T13:00:00Z: older than run.starting_deadline_seconds (60 s), "
        "and until then: no Collection 'col_a'"
    ]


def test_the_wake_up_is_the_next_slot() -> None:
    assert World().step(at(1)).wake_at == at(hours=1)
    assert World(MINUTELY).step(at(1)).wake_at == at(60)
    assert World(spec(status="paused")).step(at(1)).wake_at is None
