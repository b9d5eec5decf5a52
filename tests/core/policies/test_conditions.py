"""Tests of the conditions Ready, Stalled and Running."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from clustertrigger.core.decide import decide
from clustertrigger.core.jobs.workload import LeavingPod
from tests.core.builders import (
    HOURLY,
    MINUTELY,
    World,
    at,
    condition,
    fire,
    message,
    observed,
    spec,
    started,
    trigger,
)


def test_an_invalid_spec_needs_intervention() -> None:
    world = World({**HOURLY, "trigger_type": "cron", "schedule_config": {"cron_expression": "61 * * * *"}})
    decision = world.step(at(1))
    assert condition(world, "Ready") == ("False", "InvalidSpec")
    assert condition(world, "Stalled") == ("True", "InvalidSpec")
    assert decision.wake_at is None
    assert sum(event.startswith("InvalidSpec") for event in world.events) == 1
    world.step(at(2))
    assert len(world.events) == 1
    world.edit(HOURLY, at(minutes=90))
    world.step(at(minutes=90))
    assert condition(world, "Ready") == ("True", "Scheduled")
    assert world.created == [], "13:00 was past when the spec was mended"


@pytest.mark.parametrize(
    ("raw_spec", "ready", "stalled"),
    [
        (HOURLY, ("True", "Scheduled"), "False"),
        (spec(status="paused"), ("True", "Paused"), "False"),
        (spec(status="disabled"), ("True", "Disabled"), "False"),
        (spec(status="failed"), ("False", "MarkedFailed"), "True"),
        (
            spec(
                trigger_type="conditional",
                schedule_config={
                    "condition_type": "drift",
                    "threshold": 0.3,
                    "metric": "cosine_drift",
                    "check_interval_seconds": 60,
                },
            ),
            ("True", "Scheduled"),
            "False",
        ),
    ],
)
def test_conditions(raw_spec: dict[str, Any], ready: tuple[str, str], stalled: str) -> None:
    world = World(raw_spec)
    world.step(at(1))
    assert condition(world, "Ready") == ready
    assert condition(world, "Stalled")[0] == stalled


def test_conditions_keep_the_time_of_their_last_change() -> None:
    world = World()
    world.step(at(1))
    fire(world, 1)
    times = {c.type: c.lastTransitionTime for c in world.trigger.status.conditions}
    assert times["Ready"] == at(1)
    assert times["Running"] == at(hours=1)


def test_queueing_and_preemption_are_reported() -> None:
    world = World(spec(run={"queue_name": "team"}))
    name = started(world, "pending", suspended=True, queue="team")
    world.step(at(hours=1, seconds=1))
    assert message(world, "Running") == f"Active: {name} (queued in LocalQueue team)"
    world.end("running", suspended=False, running_since=at(hours=1, seconds=5))
    assert world.step(at(hours=1, seconds=10)).status.last_execution_status == "running"
    assert message(world, "Running") == f"Active: {name}"
    leaving = LeavingPod("products-x", "node-7", at(hours=1, seconds=50))
    world.end("pending", suspended=True, queue_position=2, leaving=leaving)
    assert world.step(at(hours=1, seconds=20)).status.last_execution_status == "pending"
    assert message(world, "Running") == (
        f"Active: {name} (queued in LocalQueue team (position 2): it was preempted, and Pod products-x ends by "
        "2026-03-02T13:00:50Z)"
    )
    world.end("pending", suspended=True, leaving=None, queue_position=None)
    world.step(at(hours=1, seconds=50))
    assert message(world, "Running") == f"Active: {name} (queued in LocalQueue team)"


def test_a_suspended_run_is_not_reported_as_preempted() -> None:
    world = World()
    leaving = LeavingPod("products-x", "node-7", at(hours=1, seconds=50))
    name = started(world, "pending", suspended=True, leaving=leaving)
    world.step(at(hours=1, seconds=20))
    assert message(world, "Running") == f"Active: {name} (suspended: Pod products-x ends by 2026-03-02T13:00:50Z)"


@pytest.mark.parametrize(
    ("obstacle", "is_vague", "warning", "said"),
    [
        ("Unschedulable: Insufficient cpu", False, None, "Unschedulable: Insufficient cpu"),
        ("ContainerCreating", True, 'Multi-Attach error for volume "pvc-1"', 'Multi-Attach error for volume "pvc-1"'),
        ("ContainerCreating", True, None, "ContainerCreating"),
    ],
)
def test_the_reason_of_a_pending_run_is_reported_after_half_a_minute(
    obstacle: str, is_vague: bool, warning: str | None, said: str
) -> None:
    world = World(spec())
    begin = at(hours=1, seconds=1)
    name = started(world, "pending", pending_since=begin, obstacle=obstacle, is_vague=is_vague)
    assert world.step(at(hours=1, seconds=5)).wake_at == begin + timedelta(seconds=30)
    assert message(world, "Running") == f"Active: {name}"
    if warning:
        world.warnings[name] = warning
    looked_up_before = len(world.looked_up)
    world.step(begin + timedelta(seconds=30))
    assert message(world, "Running") == f"Active: {name} (does not start: {said})"
    assert len(world.looked_up) - looked_up_before == (1 if is_vague else 0)
    world.step(begin + timedelta(seconds=31))
    assert len(world.looked_up) - looked_up_before == (1 if is_vague else 0), "it has just been asked"
    world.end("running", running_since=begin + timedelta(seconds=40))
    world.step(begin + timedelta(seconds=41))
    assert message(world, "Running") == f"Active: {name}"


def test_ready_warns_of_a_step_that_is_larger_than_its_field() -> None:
    schedule = {"cron_expression": "*/90 * * * *"}
    ready = decide(trigger(spec(MINUTELY, schedule_config=schedule)), observed(), at(1)).status.conditions[0]
    assert ready.status == "True"
    assert ready.message == (
        "The schedule is live: */90 * * * * UTC. Warning: spec.schedule_config.cron_expression: '*/90 * * * *': minute "
        "'*/90' matches only 0 in each hour, because the step is larger than the range 0-59: for every 90 minutes, use "
        "trigger_type interval with interval_seconds: 5400; for the same times as now, write */60"
    )


def test_ready_warns_of_a_zone_without_daylight_saving_time() -> None:
    schedule = {"cron_expression": "0 2 * * *", "timezone": "MST"}
    ready = decide(trigger(spec(MINUTELY, schedule_config=schedule)), observed(), at(1)).status.conditions[0]
    assert ready.status == "True"
    assert ready.message == (
        "The schedule is live: 0 2 * * * MST. Warning: spec.schedule_config.timezone: 'MST': is UTC-7 all year, "
        "without daylight saving time: write America/Denver; for UTC-7 all year, write America/Phoenix"
    )


def test_ready_warns_of_a_schedule_that_is_often_meant_otherwise() -> None:
    schedule = {"cron_expression": "0 9 1-7 * 1"}
    ready = decide(trigger(spec(MINUTELY, schedule_config=schedule)), observed(), at(1)).status.conditions[0]
    assert ready.status == "True"
    assert ready.message == (
        "The schedule is live: 0 9 1-7 * 1 UTC. Warning: spec.schedule_config.cron_expression: '0 9 1-7 * 1': cron "
        "combines day of month and day of week with OR, so the trigger is due on 10 to 11 days of a month: for days "
        "that match both "
        "write 0 9 */31,2-7 * 1"
    )
