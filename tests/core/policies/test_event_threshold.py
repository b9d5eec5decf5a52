"""Tests of event triggers: which events count, when the triggers fire, and how many events remain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from clustertrigger.core.events.seen_events import MOST_SEEN, REMEMBERED_FOR
from tests.core.builders import EVENTS, HOURLY, World, at, spec


def events(*, threshold: int = 100, cooldown: int = 0, event_type: str = "documents_added", **rest: Any) -> Any:
    config = {
        "event_type": event_type,
        "event_threshold": threshold,
        "collection_id": "col_a",
        "cooldown_seconds": cooldown,
    }
    return spec(EVENTS, schedule_config=config, **rest)


def started(raw_spec: Mapping[str, Any]) -> World:
    world = World(raw_spec)
    world.step(at(1))
    return world


def counter(world: World) -> int:
    return world.trigger.status.event_counter


def told(world: World, reason: str) -> list[str]:
    return [event for event in world.events if event.startswith(f"{reason}:")]


ALLOW = {"concurrency_policy": "Allow"}


@pytest.mark.parametrize(
    ("case", "raw_spec", "arrivals", "fired", "left"),
    [
        ("one event too few", events(), [(10, 99)], [], 99),
        ("the threshold, to the event", events(), [(10, 99), (11, 1)], ["event/100"], 0),
        ("more than the threshold at once: the rest carries over", events(), [(10, 137)], ["event/100"], 37),
        ("carry-over counts", events(run=ALLOW), [(10, 137), (11, 63)], ["event/100", "event/200"], 0),
        ("many thresholds at once", events(run=ALLOW), [(10, 350)], ["event/100", "event/200", "event/300"], 50),
        ("one event is enough", events(threshold=1, run=ALLOW), [(10, 1), (11, 1)], ["event/1", "event/2"], 0),
        ("cooldown holds the second", events(cooldown=60, run=ALLOW), [(10, 100), (20, 100)], ["event/100"], 100),
        ("reached in a cooldown: fires at its end", events(cooldown=60, run=ALLOW), [(10, 100), (20, 100), (71, 0)],
         ["event/100", "event/200"], 0),
        ("what is left over fires at the cooldown's end, without another event", events(cooldown=60, run=ALLOW),
         [(10, 250), (71, 0), (140, 0)], ["event/100", "event/200"], 50),
        ("no cooldown before the first", events(cooldown=3600), [(10, 100)], ["event/100"], 0),
        ("paused: counts, fires nothing", events(status="paused"), [(10, 150), (11, 1)], [], 151),
        ("disabled: does neither", events(status="disabled"), [(10, 150)], [], 0),
        ("marked failed: does neither", events(status="failed"), [(10, 150)], [], 0),
        ("a trigger of another type counts nothing", HOURLY, [(10, 150)], [], 0),
    ],
)  # fmt: skip
def test_fires(case: str, raw_spec: Any, arrivals: list[tuple[int, int]], fired: list[str], left: int) -> None:
    world = started(raw_spec)
    for number, (second, count) in enumerate(arrivals):
        if count:
            world.send(at(second), f"event-{number}", count=count)
        for moment in range(4):
            world.step(at(second + moment / 10))
    assert (world.created, counter(world)) == (fired, left), case


def test_each_fire_is_recorded_before_the_next() -> None:
    world = started(events(threshold=1, run=ALLOW))
    world.send(at(10), "a", count=1000)
    for number in range(1, 4):
        assert world.step(at(10)).wake_at == at(10)
        assert len(world.trigger.status.history) == len(world.created) == number


def test_a_repeated_event_counts_once() -> None:
    world = started(events())
    assert world.send(at(10), "a", "b", "a") == (True, True, False)
    assert world.send(at(11), "b", "c") == (False, True)
    assert counter(world) == 3


def test_a_repeated_event_counts_once_within_ten_minutes_and_the_memory_does_not_grow() -> None:
    world = started(events(threshold=10**6))
    for second in range(0, 1200, 30):
        world.send(at(second), f"e{second}")
    assert world.send(at(1170) + timedelta(seconds=1), *(f"e{second}" for second in range(570, 1200, 30))) == (
        (False,) * 21
    )
    state = world.trigger.status.event_state
    assert state is not None
    assert len(state.seen) <= 11
    assert world.send(at(1171), "e0") == (True,)


def test_the_memory_is_bounded_and_the_oldest_entries_are_removed_first() -> None:
    world = started(events(threshold=10**6))
    world.send(at(1), *(f"old-{n}" for n in range(100)))
    world.send(at(2), *(f"new-{n}" for n in range(MOST_SEEN - 50)))
    assert world.send(at(3), "new-0", "old-99", "old-50", "old-49") == (False, False, False, True)
    state = world.trigger.status.event_state
    assert state is not None
    assert sum(len(group.ids) for group in state.seen) < 180_000


def test_old_entries_are_removed_from_the_memory() -> None:
    world = started(events())
    world.send(at(10), "a")
    wake = world.step(at(11)).wake_at
    assert wake is not None
    assert at(10) + REMEMBERED_FOR <= wake <= at(10) + REMEMBERED_FOR + timedelta(minutes=1)
    writes = world.writes
    assert world.step(wake).wake_at is None
    state = world.trigger.status.event_state
    assert state is not None
    assert (state.seen, counter(world), world.writes) == ([], 1, writes + 1)


def test_without_events_nothing_is_written() -> None:
    world = started(events(cooldown=60))
    world.send(at(10), "a", count=100)
    for _ in range(3):
        world.step(at(11))
    world.end()
    world.step(at(20))
    writes = world.writes
    for minute in range(1, 9):
        world.step(at(20, minutes=minute))
    assert world.writes == writes


def test_each_delay_is_reported_once() -> None:
    world = started(events(cooldown=300, run=ALLOW))
    world.send(at(10), "a", count=100)
    world.step(at(10))
    world.send(at(20), "b", count=120)
    for second in range(20, 40):
        world.send(at(second), f"c{second}")
        world.step(at(second))
    assert told(world, "ThresholdReached") == [
        "ThresholdReached: 100/100 documents_added for col_a: event 100 reached the threshold",
        "ThresholdReached: 121/100 documents_added for col_a: event 200 reached the threshold",
    ]
    assert told(world, "CoolingDown") == [
        "CoolingDown: Fires in 4m50s, at 2026-03-02T12:05:10Z: cooldown_seconds is 300"
    ]
    assert world.trigger.status.next_scheduled_at == at(310)
    world.step(at(310))
    assert world.created == ["event/100", "event/200"]
    assert len(told(world, "ThresholdReached")) == 2
    assert world.trigger.status.next_scheduled_at is None


def test_an_active_run_defers_the_fire_and_no_event_is_lost() -> None:
    world = started(events(threshold=10))
    world.send(at(10), "a", count=10)
    world.step(at(10))
    world.send(at(20), "b", count=10)
    for second in (20, 21, 4000):  # longer than the starting deadline
        world.step(at(second))
    assert world.created == ["event/10"]
    assert told(world, "SlotDeferred") == [
        f"SlotDeferred: Fires when the run has ended: run {next(iter(world.runs))} is still active "
        "(run.concurrency_policy: Forbid)"
    ]
    world.end()
    world.step(at(4001))
    assert world.created == ["event/10", "event/20"]
    assert counter(world) == 0


def test_replace_deletes_the_active_run() -> None:
    world = started(events(threshold=10, run={"concurrency_policy": "Replace"}))
    for second in (10, 20):
        world.send(at(second), f"e{second}", count=10)
        world.step(at(second))
    assert world.created == ["event/10", "event/20"]
    assert len(world.runs) == 1


@pytest.mark.parametrize(
    ("case", "before", "after"),
    [
        ("resumed", events(status="paused"), events()),
        ("threshold lowered below the count", events(threshold=1000), events(threshold=100)),
        ("enabled again, with a count from before", events(status="paused"), events(cooldown=5)),
    ],
)
def test_an_edit_never_fires_but_the_next_event_does(case: str, before: Any, after: Any) -> None:
    world = started(before)
    world.send(at(10), "a", count=150)
    world.step(at(11))
    world.edit(after, at(20))
    world.step(at(20))
    world.step(at(21))
    assert (world.created, counter(world)) == ([], 150), case
    world.send(at(30), "b")
    world.step(at(30))
    assert (world.created, counter(world)) == (["event/100"], 51), case


def test_a_raised_threshold_cancels_a_due_fire() -> None:
    world = started(events(cooldown=60, run=ALLOW))
    world.send(at(10), "a", count=100)
    world.step(at(10))
    world.send(at(20), "b", count=100)
    world.step(at(20))
    world.edit(events(threshold=150, cooldown=60, run=ALLOW), at(30))
    world.step(at(30))
    world.step(at(100))
    assert (world.created, counter(world)) == (["event/100"], 100)
    world.send(at(110), "c", count=50)
    world.step(at(110))
    assert (world.created, counter(world)) == (["event/100", "event/250"], 0)


@pytest.mark.parametrize(("cooldown", "fires_at"), [(600, 610), (0, 30)])
def test_an_edited_cooldown_counts_from_when_it_began(cooldown: int, fires_at: int) -> None:
    world = started(events(cooldown=60, run=ALLOW))
    for second in (10, 20):
        world.send(at(second), f"e{second}", count=100)
        world.step(at(second))
    world.edit(events(cooldown=cooldown, run=ALLOW), at(30))
    world.step(at(30))
    assert len(world.created) == (2 if fires_at <= 30 else 1)
    world.step(at(fires_at - 0.1))
    world.step(at(fires_at))
    assert world.created == ["event/100", "event/200"]


def test_other_events_count_from_zero_with_new_numbers() -> None:
    world = started(events())
    world.send(at(10), "a", count=130)
    world.step(at(10))
    world.edit(events(event_type="documents_deleted"), at(20))
    world.step(at(20))
    assert counter(world) == 0
    world.end()
    world.send(at(30), "b", count=100)
    world.step(at(30))
    assert (world.created, counter(world)) == (["event/100", "event/230"], 0)


def test_an_event_for_the_new_spec_may_be_counted_before_the_edit_is_seen() -> None:
    world = started(events())
    world.send(at(10), "a", count=30)
    world.edit(events(event_type="documents_deleted"), at(20))
    world.send(at(20), "b", count=7)
    world.step(at(21))
    assert counter(world) == 7


def test_a_job_whose_status_was_never_written_is_found_and_not_fired_again() -> None:
    world = started(events(cooldown=60))
    world.send(at(10), "a", count=130)
    job = _create_and_crash(world, at(10))
    world.send(at(15), "b", count=5)
    world.step(at(16))
    assert world.created == ["event/100"]
    assert (counter(world), world.trigger.status.history[0].job_id) == (35, job)
    assert world.trigger.status.last_cooldown_at == at(11)


def test_a_long_outage_loses_the_slot_but_not_the_events() -> None:
    world = started(events(run={"starting_deadline_seconds": 60}))
    world.send(at(10), "a", count=130)
    world.step(at(100))
    assert (world.created, counter(world)) == ([], 130)
    assert told(world, "SlotsMissed") == [
        "SlotsMissed: Missed event 100 (130/100 documents_added for col_a: event 100 reached the threshold): older "
        "than run.starting_deadline_seconds (60 s). Its events still count: the next event fires the trigger"
    ]
    world.send(at(101), "b")
    world.step(at(101))
    assert (world.created, counter(world)) == (["event/100"], 31)


def test_failures_stop_firing_and_a_reset_waits_for_the_next_event() -> None:
    world = started(events(threshold=1, run={"max_consecutive_failures": 1}))
    world.send(at(10), "a")
    world.step(at(10))
    world.send(at(11), "b")
    world.end("failed", error="broken")
    world.step(at(12))
    world.send(at(13), "c")
    world.step(at(13))
    assert (world.created, counter(world), world.trigger.status.status) == (["event/1"], 2, "failed")
    world.request(reset="1")
    world.step(at(14))
    assert world.created == ["event/1"]
    world.send(at(15), "d")
    world.step(at(15))
    assert (world.created, counter(world)) == (["event/1", "event/2"], 2)


def test_a_manual_run_does_not_change_the_counter() -> None:
    world = started(events())
    world.send(at(10), "a", count=50)
    world.request(run="now")
    world.step(at(11))
    assert (world.created, counter(world)) == (["manual/now"], 50)
    assert world.trigger.status.last_cooldown_at is None


def test_the_table_shows_the_count() -> None:
    world = started(events(cooldown=300))
    assert world.trigger.status.schedule == "0/100 documents_added, cooldown 5m"
    world.send(at(10), "a", count=37)
    assert world.trigger.status.schedule == "37/100 documents_added, cooldown 5m"
    ready = next(c for c in world.trigger.status.conditions if c.type == "Ready")
    assert (ready.status, ready.message) == ("True", "The schedule is live: 100 documents_added, cooldown 5m")


def test_an_event_before_the_first_decision_counts() -> None:
    world = World(events())
    world.send(at(0.1), "a", count=100)
    world.step(at(0.2))
    assert (world.created, counter(world)) == (["event/100"], 0)


def _create_and_crash(world: World, now: datetime) -> str:
    """The Job is created, and the operator is killed before it writes the status."""
    kept = world.trigger
    world.step(now)
    world.trigger = kept
    return next(iter(world.runs))


@pytest.mark.parametrize("field", ["last_cooldown_at", "due_since"])
def test_times_of_a_clock_that_was_ahead_delay_nothing(field: str) -> None:
    world = started(events(cooldown=60, run=ALLOW))
    world.send(at(10), "a", count=150)
    status = world.trigger.status
    assert status.event_state is not None
    ahead = at(days=365)
    if field == "due_since":
        state = replace(status.event_state, due_since=ahead)
        status = replace(status, event_state=state)
    else:
        status = replace(status, last_cooldown_at=ahead)
    world.trigger = replace(world.trigger, status=status)
    world.step(at(11))
    assert world.created == ["event/100"]


def test_a_cooldown_that_begins_slightly_in_the_future_applies() -> None:
    """The clocks of two replicas always differ slightly."""
    world = started(events(cooldown=60, run=ALLOW))
    world.send(at(10), "a", count=150)
    world.trigger = replace(world.trigger, status=replace(world.trigger.status, last_cooldown_at=at(13)))
    world.step(at(11))
    assert world.created == []
    world.step(at(73))
    assert world.created == ["event/100"]
