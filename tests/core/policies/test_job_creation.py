"""Tests of what all fires share: concurrency, refusals, and the Job itself."""

from __future__ import annotations

import pytest

from clustertrigger.core.decide import decide
from clustertrigger.core.decision import CreateJob
from tests.core.builders import EVENTS, World, at, condition, fire, observed, spec, trigger
from tests.core.checked import found, world


def test_the_job_carries_slot_owner_and_contract() -> None:
    decision = decide(trigger(), observed(), at(hours=1))
    (action,) = decision.actions
    assert isinstance(action, CreateJob)
    job = action.manifest
    assert action.name == job["metadata"]["name"] == "products-" + action.name.split("-")[1] + "-20260302130000"
    assert job["metadata"]["annotations"]["clustertrigger.dev/slot"] == "2026-03-02T13:00:00Z"
    assert job["metadata"]["ownerReferences"][0]["uid"] == trigger().uid
    pod = job["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize(
    ("policy", "created", "active", "event"),
    [
        ("Forbid", 1, 1, "SlotSkipped: Skipped the slot 2026-03-02T14:00:00Z: run products-"),
        ("Allow", 2, 2, "RunCreated: Created Job products-"),
        ("Replace", 2, 1, "RunCreated: Created Job products-"),
    ],
)
def test_concurrency(policy: str, created: int, active: int, event: str) -> None:
    world = World(spec(run={"concurrency_policy": policy}))
    fire(world, 1)
    world.step(at(hours=2))
    world.step(at(hours=2, seconds=5))
    assert len(world.created) == created
    assert sum(entry.status == "pending" for entry in world.trigger.status.history) == active
    assert any(said.startswith(event) for said in world.events)


def test_a_replaced_run_is_not_a_failure_in_a_row() -> None:
    world = World(spec(run={"concurrency_policy": "Replace"}))
    fire(world, 1)
    fire(world, 2)
    world.step(at(hours=2, seconds=5))
    status = world.trigger.status
    assert (status.failure_count, status.consecutive_failures) == (1, 0)
    assert status.history[1].error == f"replaced by {status.history[0].job_id} (run.concurrency_policy: Replace)"


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("kind", ["a request", "a finding", "events"])
def test_two_fires_at_once_replace_each_other_once(kind: str, late: bool) -> None:
    """The run is recorded before it is deleted. Otherwise, each run would delete the other one, again and again."""
    run = {"concurrency_policy": "Replace"}
    if kind == "events":
        it = World(spec(EVENTS, run=run))
        it.step(at(1))
        it.send(at(hours=1), "a", count=100)
    elif kind == "a finding":
        it = world(run=run)
        it.step(at(hours=1))
        it.end(check=found(0.9))
    else:
        it = World(spec(run=run))
        it.step(at(minutes=1))
    it.request(run="now")
    now = at(hours=1, minutes=50 if late else 0)
    for _ in range(4):
        it.step(now)
    slots = [entry.slot for entry in it.trigger.status.history]
    assert (len(slots), len(set(slots))) == (2, 2)
    assert len(it.runs) == 1 + (kind == "a finding")
    assert it.trigger.status.last_run_requested == "now"
    assert sum(event.startswith("RunCreated") for event in it.events) == 2


def test_a_run_held_in_a_queue_counts_as_active_and_may_wait() -> None:
    world = World(spec(run={"queue_name": "team", "pending_timeout_seconds": 60}))
    fire(world, 1)
    world.end("pending", suspended=True, pending_since=at(hours=1))
    fire(world, 2)
    assert len(world.created) == 1
    assert world.runs[next(iter(world.runs))].phase == "pending"


def test_a_refused_create_is_retried_until_the_deadline() -> None:
    world = World(spec(run={"starting_deadline_seconds": 120}))
    world.step(at(1))
    world.refuse = True
    decision = world.step(at(hours=1))
    assert condition(world, "Running") == ("False", "CreateRefused")
    assert decision.wake_at == at(hours=1, seconds=30)
    assert sum(event.startswith("CreateRefused") for event in world.events) == 1
    writes = world.writes
    world.step(at(hours=1, seconds=30))
    world.step(at(hours=1, seconds=60))
    assert world.writes == writes, "a repeated refusal is no news"
    world.refuse = False
    world.step(at(hours=1, seconds=90))
    assert world.created == ["2026-03-02T13:00:00Z"]
    assert world.trigger.status.failure_count == 0


def test_a_create_refused_until_the_deadline_is_a_missed_slot() -> None:
    world = World(spec(run={"starting_deadline_seconds": 60}))
    world.step(at(1))
    world.refuse = True
    world.step(at(hours=1))
    world.step(at(hours=1, seconds=30))
    world.step(at(hours=1, seconds=60))
    assert world.events[-1] == (
        "SlotsMissed: Missed the slot 2026-03-02T13:00:00Z: older than run.starting_deadline_seconds (60 s), "
        "and until then: quota exceeded"
    )
    assert condition(world, "Running") == ("False", "NoActiveRun")
    assert (world.trigger.status.failure_count, world.trigger.status.history) == (0, [])
