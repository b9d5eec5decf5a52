"""Tests of manual runs: one run per request, according to the concurrency policy, until the deadline."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from clustertrigger.api.conditions import Reason
from clustertrigger.api.status import RunRequest
from clustertrigger.core.resources.catalog import Unresolved
from tests.core.builders import HOURLY, World, at, fire, spec

MISSING = Unresolved(Reason.COLLECTION_NOT_FOUND, "collection col_a is in no Collection")


def test_a_manual_request_with_a_missing_reference_expires_like_a_slot() -> None:
    world = World(spec(run={"starting_deadline_seconds": 120}))
    world.step(at(1))
    world.work = MISSING
    world.request(run="one")
    assert world.step(at(2)).wake_at == at(122)
    assert world.step(at(60)).wake_at == at(122), "its deadline is computed once"
    world.step(at(122))
    assert world.events[-1] == (
        "RequestIgnored: The run requested by 'one' was abandoned: older than run.starting_deadline_seconds (120 s), "
        "and until then: collection col_a is in no Collection"
    )
    world.work = None
    world.step(at(130))
    status = world.trigger.status
    assert (world.created, status.last_run_requested, status.waiting_request) == ([], "one", None)


def test_a_manual_request_whose_reference_appears_in_time_fires() -> None:
    world = World(spec(run={"starting_deadline_seconds": 120}))
    world.step(at(1))
    world.work = MISSING
    world.request(run="one")
    world.step(at(2))
    assert world.trigger.status.waiting_request == RunRequest(token="one", since=at(2))
    world.request(run="two")
    world.step(at(100))
    world.work = None
    world.step(at(150))
    status = world.trigger.status
    assert (world.created, status.last_run_requested, status.waiting_request) == (["manual/two"], "two", None)


def test_a_removed_manual_request_is_forgotten() -> None:
    world = World()
    world.step(at(1))
    world.work = MISSING
    world.request(run="one")
    world.step(at(2))
    world.trigger = replace(world.trigger, run_requested=None)
    assert world.step(at(3)).status.waiting_request is None


def test_a_refused_manual_request_expires_after_a_restart_too() -> None:
    world = World(spec(run={"starting_deadline_seconds": 120}))
    world.step(at(1))
    world.refuse = True
    world.request(run="one")
    world.step(at(2))
    world.refusals.clear()
    world.step(at(100))
    world.step(at(122))
    assert world.events[-1].startswith("RequestIgnored: The run requested by 'one' was abandoned: older than run.")
    assert "quota exceeded" in world.events[-1]


@pytest.mark.parametrize(
    ("case", "raw_spec", "fired", "event"),
    [
        ("active", HOURLY, ["manual/one"], "RunCreated: Created Job products-"),
        (
            "paused",
            spec(status="paused"),
            [],
            "RequestIgnored: The run requested by 'one' was not started: the trigger",
        ),
        (
            "disabled",
            spec(status="disabled"),
            [],
            "RequestIgnored: The run requested by 'one' was not started: the trigger",
        ),
    ],
)
def test_a_manual_request_acts_once(case: str, raw_spec: dict[str, Any], fired: list[str], event: str) -> None:
    world = World(raw_spec)
    world.step(at(1))
    world.request(run="one")
    world.step(at(2))
    world.step(at(3))
    assert world.created == fired, case
    assert world.trigger.status.last_run_requested == "one"
    assert sum(said.startswith(event) for said in world.events) == 1


def test_a_manual_request_does_not_move_the_schedule() -> None:
    world = World()
    before = world.step(at(1)).status.next_scheduled_at
    world.request(run="one")
    assert world.step(at(2)).status.next_scheduled_at == before
    world.end("completed")
    world.step(at(10))
    fire(world, 1)
    assert world.created == ["manual/one", "2026-03-02T13:00:00Z"]


def test_a_manual_request_obeys_the_concurrency_policy() -> None:
    world = World()
    fire(world, 1)
    world.request(run="one")
    world.step(at(hours=1, seconds=5))
    assert len(world.created) == 1
    assert "is still active" in world.events[-1]


def test_a_request_at_the_same_instant_as_a_slot_obeys_the_policy() -> None:
    world = World()
    world.step(at(1))
    world.request(run="one")
    fire(world, 1)
    assert world.created == ["2026-03-02T13:00:00Z"]
    assert world.trigger.status.last_run_requested == "one"
