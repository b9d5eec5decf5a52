"""Tests that failures in a row stop a trigger, and that an edit, a reset or a success restarts it."""

from __future__ import annotations

from dataclasses import replace

from clustertrigger.core.decide import decide
from clustertrigger.core.status_patch import status_patch
from tests.core.builders import World, at, condition, fail, fire, observed, spec, trigger


def effective(world: World) -> str | None:
    return world.trigger.status.status


def test_failures_in_a_row_stop_the_trigger_and_an_edit_restarts_it() -> None:
    world = World(spec(run={"max_consecutive_failures": 2}))
    fail(world, 1)
    assert condition(world, "Ready") == ("True", "Scheduled")
    fail(world, 2)
    assert effective(world) == "failed"
    assert condition(world, "Ready") == ("False", "TooManyFailures")
    assert condition(world, "Stalled") == ("True", "TooManyFailures")
    assert sum(event.startswith("TooManyFailures") for event in world.events) == 1
    fire(world, 3)
    assert len(world.created) == 2
    world.edit(spec(run={"max_consecutive_failures": 2}, description="mended"), at(hours=3, minutes=30))
    world.step(at(hours=3, minutes=30))
    assert effective(world) == "active"
    assert len(world.created) == 2, "the slot at 15:00 is past"
    fire(world, 4)
    assert len(world.created) == 3


def test_a_reset_restarts_a_failed_trigger_once() -> None:
    world = World(spec(run={"max_consecutive_failures": 1}))
    fail(world, 1)
    assert effective(world) == "failed"
    world.request(reset="now")
    world.step(at(hours=2, minutes=1))
    status = world.trigger.status
    assert (status.status, status.consecutive_failures, status.last_reset_requested) == ("active", 0, "now")
    assert len(world.created) == 1, "the slot at 14:00 is past"
    fail(world, 3)
    assert effective(world) == "failed", "the same token acts once"


def test_a_success_resets_the_number_of_failures() -> None:
    world = World(spec(run={"max_consecutive_failures": 2}))
    fail(world, 1)
    fire(world, 2)
    world.end("completed")
    world.step(at(hours=2, seconds=9))
    fail(world, 3)
    status = world.trigger.status
    assert (status.status, status.consecutive_failures, status.failure_count) == ("active", 1, 2)


def test_an_unknown_cluster_id_is_absent_not_empty() -> None:
    known = trigger()
    decision = decide(known, replace(observed(), cluster_id=""), at(1))
    assert "internal_id" not in status_patch(known.raw_status, decision.status)
