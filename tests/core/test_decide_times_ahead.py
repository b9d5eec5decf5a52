"""Tests of triggers whose status contains times of a clock that was far ahead, as after a fault of the API server."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustertrigger.api.conditions import Reason
from clustertrigger.api.status import RunRequest
from clustertrigger.core.jobs.slot import CheckSlot
from clustertrigger.core.jobs.workload import Remains
from clustertrigger.core.resources.catalog import Unresolved
from tests.core.builders import EVENTS, HOURLY, MINUTELY, World, at, spec
from tests.core.checked import found, world

MISSING = Unresolved(Reason.COLLECTION_NOT_FOUND, "collection col_a is in no Collection")
CLOCK_AHEAD = at(days=365)
KINDS: dict[str, Callable[[dict[str, Any]], World]] = {
    "interval": lambda run: World(spec(HOURLY, run=run)),
    "cron": lambda run: World(spec(MINUTELY, run=run)),
    "events": lambda run: World(spec(EVENTS, run=run)),
    "checks": lambda run: world(run=run),
}


def complete(it: World, now: datetime, **fields: Any) -> None:
    """Completes the active run or check."""
    (active,) = [run.job for run in it.runs.values() if run.phase == "pending"]
    it.runs[active] = replace(it.runs[active], phase="completed", **fields)
    it.step(now)


def a_run_ahead(it: World) -> None:
    """Fires one slot a year ahead, and completes its run."""
    it.step(at(1))
    it.step(CLOCK_AHEAD)
    complete(it, CLOCK_AHEAD)
    assert len(it.created) == 1


@pytest.mark.parametrize(
    ("raw_spec", "minutes", "slots"),
    [
        (HOURLY, [5, 61, 121], ["2026-03-02T13:00:00Z", "2026-03-02T14:00:00Z"]),
        (MINUTELY, [5, 6, 7], ["2026-03-02T12:06:00Z", "2026-03-02T12:07:00Z"]),
    ],
)
def test_slots_fire_again_when_the_clock_is_right(
    raw_spec: dict[str, Any], minutes: list[int], slots: list[str]
) -> None:
    it = World(raw_spec)
    a_run_ahead(it)
    for minute in minutes:
        it.step(at(minutes=minute))
        if any(run.phase == "pending" for run in it.runs.values()):
            complete(it, at(minutes=minute, seconds=1))
    assert it.created[1:] == slots
    status = it.trigger.status
    assert status.last_triggered_at is not None
    assert status.last_triggered_at < at(minutes=127)
    assert status.execution_count == len(it.created)
    assert status.history[0].slot == slots[-1]


def test_an_edit_while_the_clock_was_ahead_does_not_stop_an_interval() -> None:
    it = World(HOURLY)
    it.step(at(1))
    it.edit(spec(schedule_config={"interval_seconds": 600}), CLOCK_AHEAD)
    it.step(CLOCK_AHEAD)
    it.step(at(minutes=5))
    it.step(at(minutes=15))
    assert it.created == ["2026-03-02T12:15:00Z"]


def test_a_trigger_that_was_created_while_the_clock_was_ahead_starts_immediately() -> None:
    it = World(spec(schedule_config={"interval_seconds": 600, "start_immediately": True}))
    it.trigger = replace(it.trigger, created_at=CLOCK_AHEAD, edited_at=CLOCK_AHEAD)
    it.step(at(1.5))
    it.step(at(1.5))
    assert it.created == ["2026-03-02T12:00:01Z"]


def test_the_history_keeps_its_limit() -> None:
    it = World(spec(run={"history_limit": 2}))
    it.step(at(1))
    for hour in range(3):
        it.step(at(days=365, hours=hour))
        complete(it, at(days=365, hours=hour, seconds=1))
    it.step(at(minutes=1))
    it.step(at(hours=2))
    complete(it, at(hours=2, seconds=1))
    assert it.trigger.status.execution_count == 4, "none is counted twice while its Job exists"
    it.runs = {name: run for name, run in it.runs.items() if run.created_at < CLOCK_AHEAD}
    it.step(at(hours=2, seconds=2))
    it.step(at(hours=4))
    complete(it, at(hours=4, seconds=1))
    status = it.trigger.status
    assert (len(status.history), status.execution_count) == (2, 5)


def test_checks_go_on() -> None:
    it = world()
    it.step(at(1))
    it.step(CLOCK_AHEAD)
    complete(it, CLOCK_AHEAD, check=found(0.1))
    it.step(at(minutes=5))
    for hour in (2, 4):
        it.step(at(hours=hour))
        complete(it, at(hours=hour, seconds=1), check=found(0.1))
    assert len(it.created) == 3
    assert [entry.status for entry in it.trigger.status.checks] == ["completed"] * 3
    assert [event.partition(":")[0] for event in it.events] == ["NoDrift"] * 3


def test_an_earlier_check_is_not_settled_again() -> None:
    it = world(run={"history_limit": 1})
    it.step(at(hours=1))
    complete(it, at(hours=1, seconds=1), check=found(0.1))
    for hour in range(2):
        it.step(at(days=365, hours=hour))
        complete(it, at(days=365, hours=hour, seconds=1), check=found(0.1))
    events = len(it.events)
    it.step(at(hours=1, minutes=5))
    assert len(it.events) == events
    it.step(at(hours=3))
    assert it.created[-1] == "check/2026-03-02T15:00:00Z"
    assert len([entry for entry in it.trigger.status.checks if entry.status == "pending"]) == 1


@pytest.mark.parametrize("is_checked", [True, False])
def test_slots_that_come_again_create_nothing_twice(is_checked: bool) -> None:
    """The clock was ahead for two hours, and the Jobs of that time still exist when it comes."""
    it = world(run={"history_limit": 1}) if is_checked else World(spec(run={"history_limit": 1}))
    it.step(at(1))
    for hour in (6, 7, 1, 2, 3, 4, 5, 6, 7, 8):
        it.step(at(hours=hour))
        if any(job.phase == "pending" for job in it.runs.values()):
            complete(it, at(hours=hour, seconds=1), **({"check": found(0.1)} if is_checked else {}))
    assert [slot[-9:-7] for slot in it.created] == ["18", "19", "14", "15", "16", "17", "20"]


REQUESTED = spec(HOURLY, schedule_config={"interval_seconds": 86_400 * 365})


@pytest.mark.parametrize("limit", [1, 2, 10])
@pytest.mark.parametrize(("kind", "created"), [("interval", 7), ("checks", 7), ("requests", 4), ("events", 4)], ids=str)
def test_what_was_dropped_is_not_counted_again_when_its_time_comes(kind: str, created: int, limit: int) -> None:
    """The Jobs of the time ahead still exist then, but the history limit has dropped some from the status."""
    run = {"history_limit": limit}
    it = World({**REQUESTED, "run": run}) if kind == "requests" else KINDS[kind](run)
    it.step(at(1))
    for number, hours in enumerate((6, 7, 8, 1, 2, 5, 6, 7, 7.5, 8, 9, 10)):
        now = at(hours=hours)
        if number in (0, 1, 2, 4):
            if kind == "events":
                it.send(now, f"event {number}", count=100)
            elif kind == "requests":
                it.request(run=f"token {number}")
        it.step(now)
        if any(job.phase == "pending" for job in it.runs.values()):
            complete(it, now + timedelta(seconds=1), **({"check": found(0.1)} if kind == "checks" else {}))
        it.step(now + timedelta(minutes=20))
    assert len(it.created) == created
    assert len([event for event in it.events if event.startswith(("RunCompleted", "NoDrift"))]) == created
    assert it.trigger.status.execution_count == (0 if kind == "checks" else created)


@pytest.mark.parametrize("kind", ["interval", "cron", "checks"])
def test_an_unrecorded_job_after_a_time_ahead_is_recorded(kind: str) -> None:
    """The leader that created it ended before it wrote the status, and the Job ended before the next one started."""
    it = KINDS[kind]({})
    result = found(0.9) if kind == "checks" else None
    it.step(at(1))
    it.step(CLOCK_AHEAD)
    complete(it, CLOCK_AHEAD + timedelta(seconds=1), **({"check": found(0.1)} if kind == "checks" else {}))
    it.step(at(minutes=5))
    before, known = it.trigger, set(it.runs)
    it.step(at(hours=1))
    (name,) = set(it.runs) - known
    it.trigger, it.events = before, []
    it.runs[name] = replace(it.runs[name], phase="completed", check=result)
    it.step(at(hours=1, seconds=30))
    status = it.trigger.status
    if kind == "checks":
        assert status.checks[0].job_id == name
        assert any(event.startswith("DriftDetected") for event in it.events), it.events
    else:
        assert (status.history[0].job_id, status.execution_count) == (name, 2)
        assert any(event.startswith("RunCompleted") for event in it.events), it.events


@pytest.mark.parametrize("recorded", [0, 1, 2], ids=["none", "one", "two"])
@pytest.mark.parametrize("limit", [1, 10])
@pytest.mark.parametrize("kind", ["interval", "cron"])
def test_a_run_of_the_time_ahead_that_ended_unrecorded_counts_once(kind: str, limit: int, recorded: int) -> None:
    """The leader that created it ended before it wrote the status, and the clock was right when the next one began."""
    it = KINDS[kind]({"history_limit": limit})
    it.step(at(1))
    for hour in range(recorded):
        it.step(CLOCK_AHEAD + timedelta(hours=hour))
        complete(it, CLOCK_AHEAD + timedelta(hours=hour, seconds=1))
    before, known = it.trigger, set(it.runs)
    it.step(CLOCK_AHEAD + timedelta(hours=5))
    (name,) = set(it.runs) - known
    it.trigger, it.events = before, []
    it.runs[name] = replace(it.runs[name], phase="completed")
    it.step(at(minutes=5))
    assert [event for event in it.events if event.startswith("RunCompleted")] == [f"RunCompleted: Run {name} completed"]
    for hour in range(1, 4):
        it.step(at(hours=hour))
        complete(it, at(hours=hour, seconds=1))
    assert it.trigger.status.execution_count == recorded + 4
    for hour in range(7):
        it.step(CLOCK_AHEAD + timedelta(hours=hour))
        for job in [job for job in it.runs.values() if job.phase == "pending"]:
            it.runs[job.job] = replace(job, phase="completed")
        it.step(CLOCK_AHEAD + timedelta(hours=hour, seconds=30))
    assert it.trigger.status.execution_count == len(it.created)


@pytest.mark.parametrize(
    ("ahead", "gone", "expected"),
    [
        ([(365, 0), (365, 2)], 0, (at(days=365), at(days=365, hours=2))),
        ([(365, 0), (700, 0)], 0, (at(days=365), at(days=700))),
        ([(365, 0), (700, 0)], 1, (at(days=700), at(days=700))),
        ([(700, 0), (365, 0)], 0, (at(days=365), at(days=700))),
        ([(365, 0)], 1, (at(days=365), at(days=365))),
    ],
    ids=["one range", "two", "of the first, no Job is left", "the later one first", "no Job is left at all"],
)
def test_the_range_begins_with_the_first_job_that_could_be_counted_twice(
    ahead: list[tuple[int, int]], gone: int, expected: tuple[datetime, datetime]
) -> None:
    it = World(HOURLY)
    it.step(at(1))
    for number, (days, hours) in enumerate(ahead):
        it.step(at(days=days, hours=hours))
        complete(it, at(days=days, hours=hours))
        if number < gone:
            it.runs.clear()
        if len({day for day, _ in ahead}) > 1:
            it.step(at(minutes=5 + number))
    it.step(at(minutes=10))
    state = it.trigger.status.schedule_state
    assert state is not None
    assert (state.ahead_from, state.ahead_until) == expected


def test_a_manual_request_expires() -> None:
    it = World(spec(run={"starting_deadline_seconds": 120}))
    it.step(at(1))
    it.work = MISSING
    it.request(run="one")
    it.step(CLOCK_AHEAD)
    assert it.trigger.status.waiting_request == RunRequest(token="one", since=CLOCK_AHEAD)
    it.step(at(2))
    it.step(at(122))
    assert it.events[-1].startswith("RequestIgnored: The run requested by 'one' was abandoned")


def test_a_run_of_the_time_ahead_that_does_not_start_is_ended() -> None:
    it = World()
    it.step(at(1))
    it.step(CLOCK_AHEAD)
    (name,) = it.runs
    it.runs[name] = replace(it.runs[name], pending_since=CLOCK_AHEAD, obstacle="ImagePullBackOff")
    it.step(CLOCK_AHEAD)
    it.step(at(minutes=5))
    assert it.step(at(minutes=14)).wake_at == at(minutes=15)
    assert it.ended == {}
    it.step(at(minutes=15))
    assert it.ended == {name: "did not start within 600 s (run.pending_timeout_seconds): ImagePullBackOff"}


def test_a_check_of_the_time_ahead_that_does_not_start_is_ended() -> None:
    it = world()
    it.step(CLOCK_AHEAD)
    (name,) = it.runs
    it.runs[name] = replace(it.runs[name], pending_since=CLOCK_AHEAD, obstacle="ImagePullBackOff")
    it.step(at(minutes=5))
    assert list(it.ended) == [name]


def test_a_run_whose_last_attempt_ended_by_a_clock_ahead_is_retried() -> None:
    """The clock of the node dates the end of an attempt."""
    it = World()
    it.step(at(1))
    it.step(at(hours=1))
    (name,) = it.runs
    it.runs[name] = replace(it.runs[name], pending_since=CLOCK_AHEAD, retry_pause=timedelta(seconds=10))
    it.step(at(hours=1, minutes=30))
    assert it.ended == {}


def test_an_unrecorded_run_of_the_time_ahead_misses_no_slots() -> None:
    """The leader that created it ended before it wrote the status."""
    it = World()
    it.step(at(1))
    before = it.trigger
    it.step(CLOCK_AHEAD)
    it.trigger, it.events = before, []
    wake_at = it.step(at(minutes=5)).wake_at
    assert not any("Missed" in event for event in it.events), it.events
    assert wake_at is not None
    assert wake_at <= at(hours=1)


def test_the_clock_of_a_node_can_be_ahead() -> None:
    """It dates the start and the end of the worker."""
    it = World()
    it.step(at(hours=1))
    (name,) = it.runs
    it.runs[name] = replace(it.runs[name], phase="running", running_since=at(hours=5))
    it.step(at(hours=1, seconds=2))
    assert it.trigger.status.last_execution_status == "running"
    remains = Remains(at(hours=5), ("istio-proxy",))
    it.runs[name] = replace(it.runs[name], phase="completed", remains=remains)
    it.step(at(hours=1, seconds=3))
    it.step(at(hours=1, seconds=4))
    assert it.ended == {name: "container istio-proxy was still running after the worker had completed"}


def test_a_refused_request_is_tried_again() -> None:
    it = World()
    it.step(at(1))
    it.request(run="one")
    it.refuse = True
    it.step(CLOCK_AHEAD)
    it.refuse = False
    it.step(at(2))
    assert it.created[-1] == "manual/one"


def test_the_events_of_a_run_that_does_not_start_are_read() -> None:
    it = World()
    it.step(at(1))
    it.request(run="one")
    it.step(at(2))
    (name,) = it.runs
    it.runs[name] = replace(it.runs[name], pending_since=at(2), is_vague=True)
    it.asked_at[name] = CLOCK_AHEAD
    it.step(at(minutes=2))
    assert it.looked_up == [name]
    it.step(at(minutes=2, seconds=1))
    assert it.looked_up == [name], "and not at each look"


def test_a_threshold_that_was_reached_expires() -> None:
    it = World(spec(EVENTS, run={"starting_deadline_seconds": 120}))
    it.step(at(1))
    it.work = MISSING
    it.send(CLOCK_AHEAD, "a", count=150)
    it.step(at(2))
    it.step(at(122))
    assert it.events[-1].startswith("SlotsMissed: Missed event 100")


def test_a_finding_expires() -> None:
    it = world(run={"starting_deadline_seconds": 120})
    it.step(at(hours=1))
    it.end("completed", check=found(0.42))
    it.work = MISSING
    it.step(at(hours=1, minutes=1))
    state = it.trigger.status.check_state
    assert state is not None
    assert state.due is not None
    status = replace(it.trigger.status, check_state=replace(state, due_since=CLOCK_AHEAD))
    it.trigger = replace(it.trigger, status=status)
    it.step(at(hours=1, minutes=2))
    it.step(at(hours=1, minutes=4))
    assert it.events[-1].startswith("SlotsMissed: Missed the run for the drift")


def test_a_clock_that_is_slightly_ahead_moves_no_grid() -> None:
    """The clocks of API servers and replicas differ slightly. A Job guards its slot for longer than that."""
    it = World(HOURLY)
    it.trigger = replace(it.trigger, created_at=at(minutes=2))
    it.step(at(1))
    it.step(at(hours=1, minutes=3))
    assert it.created == ["2026-03-02T13:02:00Z"]


JUMPS = [timedelta(days=days) for days in (-4000, -365, -1, 1, 365, 4000)] + [timedelta(minutes=-50)]
STEPS = [timedelta(seconds=seconds) for seconds in (1, 30, 60, 600, 3600, 7200)]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32))
def test_a_clock_that_jumps_around(kind: str, seed: int) -> None:
    """The world asserts that no Job is created twice, and that decisions end. They also come to rest."""
    chance = random.Random(seed)
    it = KINDS[kind]({"history_limit": chance.choice([1, 3, 10]), "starting_deadline_seconds": 600})
    now = at(1)
    for _ in range(30):
        now = max(now + chance.choice(JUMPS if chance.random() < 0.2 else STEPS), at(1))
        if chance.random() < 0.15:
            it.request(run=f"token-{chance.randint(0, 3)}")
        if kind == "events" and chance.random() < 0.5:
            it.send(now, f"event-{chance.randint(0, 30)}", count=chance.choice([1, 60, 150]))
        for _ in range(5):
            it.step(now)
        writes = it.writes
        it.step(now)
        assert it.writes == writes
        for name, run in list(it.runs.items()):
            if run.phase == "pending" and chance.random() < 0.5:
                check = found(chance.choice([0.1, 0.6])) if isinstance(run.slot, CheckSlot) else None
                it.runs[name] = replace(run, phase="completed", check=check)
            elif run.phase == "completed" and chance.random() < 0.1:
                del it.runs[name]
