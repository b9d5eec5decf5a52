"""Tests of notifications: which receivers get which ones, and how long delivery is tried."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from clustercontract.brief import Changes
from clustercontract.run import RunResult
from clustertrigger.api.status import Notification
from clustertrigger.core.decide import decide
from clustertrigger.core.decision import Decision, Observed
from clustertrigger.core.draft import Draft
from clustertrigger.core.notifications.cloud_event import receiver_id
from clustertrigger.core.notifications.permissions import Permissions
from clustertrigger.core.policies.notifications import MOST_WAITING, tell_what_ended
from tests.core.builders import World, at, message, observed, spec, trigger

A, B = "https://a.example.com/hook", "https://b.example.com/hook"


def telling(*receivers: Any, **changes: Any) -> dict[str, Any]:
    return spec(run={"notify": [{"uri": one} if isinstance(one, str) else one for one in receivers]}, **changes)


def begun(raw_spec: dict[str, Any]) -> World:
    world = World(raw_spec)
    world.step(at(1))
    return world


def ended(world: World, request: str = "1", phase: str = "completed", **fields: Any) -> list[Notification]:
    """Ends a manual run, and returns the notifications that then wait."""
    now = at(10 * len(world.trigger.status.history) + 2)
    world.request(run=request)
    world.step(now)
    world.end(phase, **fields)
    world.step(now + timedelta(seconds=3))
    return world.trigger.status.notifications


def result(**changes: Any) -> RunResult:
    known = Changes(since="products-0", summary="x", kept=2, **changes)
    return RunResult(status="completed", num_clusters=3, num_documents=10, changes=known)


@pytest.mark.parametrize(
    ("events", "phase", "fields", "told"),
    [
        (None, "completed", {}, ["completed"]),
        (None, "failed", {"error": "no such file"}, ["failed"]),
        (["failed"], "completed", {}, []),
        (["completed"], "failed", {}, []),
        (["drifted"], "completed", {}, []),
        (["changed"], "completed", {"result": result(new=[7])}, ["changed"]),
        (["changed"], "completed", {"result": result(gone=[7])}, ["changed"]),
        (["changed"], "completed", {"result": result(moved=3)}, []),
        (["changed"], "completed", {}, []),
        (["completed", "changed"], "completed", {"result": result(new=[7])}, ["completed", "changed"]),
    ],
)
def test_the_notification_of_a_run(
    events: list[str] | None, phase: str, fields: dict[str, Any], told: list[str]
) -> None:
    world = begun(telling({"uri": A, **({"events": events} if events else {})}))
    waiting = ended(world, phase=phase, **fields)
    (job,) = world.runs
    assert [(one.id, one.to) for one in waiting] == [(f"{job}-{occasion}", [receiver_id(A)]) for occasion in told]
    for one in waiting:
        assert (one.data["job_id"], one.data["status"], one.data["trigger"]) == (job, phase, "products")


def test_without_receivers_nothing_is_kept() -> None:
    assert ended(begun(spec())) == []


def test_no_notification_of_an_active_run() -> None:
    world = begun(telling(A))
    world.request(run="1")
    world.step(at(2))
    assert world.trigger.status.notifications == []


def test_each_run_is_notified_once() -> None:
    world = begun(telling(A, B))
    (first,) = ended(world)
    assert first.to == [receiver_id(A), receiver_id(B)]
    for second in range(6, 9):
        world.step(at(second))
    assert world.trigger.status.notifications == [first]
    assert [one.id for one in ended(world, "2")] == [f"{job}-completed" for job in world.runs]


def test_with_notifications_disabled_nothing_is_kept() -> None:
    world = begun(telling(A))
    world.request(run="1")
    world.step(at(2))
    (seen,) = world.runs.values()
    off = replace(observed([replace(seen, phase="completed")]), permissions=Permissions(enabled=False))
    decision = decide(world.trigger, off, at(5))
    assert (decision.status.execution_count, decision.status.notifications) == (1, [])
    assert "notifications are disabled" in decision.status.conditions[0].message


@pytest.mark.parametrize(
    ("before", "now", "told"), [(None, True, True), (False, True, True), (True, True, False), (None, False, False)]
)
def test_the_notification_of_a_check_contains_its_measurement(before: bool | None, now: bool, told: bool) -> None:
    entry = {"job_id": "products-c1", "slot": "2026-03-02T13:00:00Z", "status": "completed", "value": 0.5}
    stored = {"checks": [entry if before is None else {**entry, "fires": before}], "observedGeneration": 1}
    draft = Draft(trigger(telling({"uri": A, "events": ["drifted"]}), stored), observed(), at(10))
    draft.status.checks = [replace(draft.status.checks[0], fires=now)]
    draft.status.last_drift_measurement = {"check": "products-c1", "value": 0.5, "metric": "cosine_drift"}
    tell_what_ended(draft)
    assert [one.id for one in draft.status.notifications] == (["products-c1-drifted"] if told else [])
    for one in draft.status.notifications:
        assert (one.type, one.data["measurement"]["value"]) == ("dev.clustertrigger.check.drifted", 0.5)


def waiting_since(world: World) -> datetime:
    return world.trigger.status.notifications[0].time


def seen(world: World, *delivered: tuple[str, str]) -> Observed:
    return replace(observed(world.runs.values()), delivered=frozenset(delivered))


def told_again(world: World, decision: Decision) -> list[list[str]]:
    return [one.to for one in decision.status.notifications]


def test_confirmed_notifications_are_removed() -> None:
    world = begun(telling(A, B))
    (one,) = ended(world)
    first, second = one.to
    assert told_again(world, decide(world.trigger, seen(world), at(20))) == [[first, second]]
    assert told_again(world, decide(world.trigger, seen(world, (one.id, first)), at(20))) == [[second]]
    assert told_again(world, decide(world.trigger, seen(world, (one.id, second), ("other", first)), at(20))) == [
        [first]
    ]
    assert told_again(world, decide(world.trigger, seen(world, (one.id, first), (one.id, second)), at(20))) == []


def test_a_removed_receiver_gets_nothing() -> None:
    world = begun(telling(A, B))
    ended(world)
    world.edit(telling(B), at(15))
    world.step(at(16))
    assert [one.to for one in world.trigger.status.notifications] == [[receiver_id(B)]]
    world.edit(spec(), at(17))
    world.step(at(18))
    assert world.trigger.status.notifications == []


def test_an_invalid_spec_keeps_waiting_notifications() -> None:
    world = begun(telling(A))
    kept = ended(world)
    world.edit({"trigger_type": "cron"}, at(15))
    world.step(at(16))
    assert world.trigger.status.notifications == kept != []


def test_a_notification_is_given_up_with_an_event() -> None:
    world = begun(telling({"uri": A, "retry_seconds": 60}, B))
    ended(world)
    since = waiting_since(world)
    wake = world.step(since + timedelta(seconds=30)).wake_at
    assert wake == since + timedelta(seconds=60)
    decision = world.step(wake)
    assert told_again(world, decision) == [[receiver_id(B)]]
    (job,) = world.runs
    why = "the receiver did not confirm it within 1m"
    said = f"NotificationFailed: Gave up notifying a.example.com of {job}-completed: {why}"
    assert sum(event.startswith(said) for event in world.events) == 1
    world.step(wake + timedelta(seconds=1))
    assert sum(event.startswith("NotificationFailed") for event in world.events) == 1


def test_a_clock_that_was_ahead_does_not_extend_the_retries() -> None:
    world = begun(telling({"uri": A, "retry_seconds": 60}))
    ended(world)
    wake = world.step(at(-3600)).wake_at
    assert wake == at(-3600) + timedelta(seconds=60)


def test_the_oldest_notifications_are_dropped_with_an_event() -> None:
    world = begun(telling(A))
    (one,) = ended(world)
    many = [replace(one, id=f"r{number}") for number in range(MOST_WAITING + 2)]
    status = world.trigger.status.copy()
    status.notifications = many
    world.trigger = replace(world.trigger, status=status)
    decision = decide(world.trigger, seen(world), at(20))
    assert [each.id for each in decision.status.notifications] == [each.id for each in many[2:]]
    said = [event.message for event in decision.events if event.reason == "NotificationFailed"]
    assert said == [
        f"Gave up notifying a.example.com of r{number}: more than 100 notifications of this trigger were waiting"
        for number in (0, 1)
    ]


def test_invalid_receivers_are_reported_in_a_live_condition() -> None:
    world = begun(telling("http://a.example.com/", {"uri": B, "credentials": "ci"}))
    ready = message(world, "Ready")
    assert "Warning: spec.run.notify[0].uri: 'http://a.example.com/': must begin with https://" in ready
    assert "Warning: spec.run.notify[1].credentials: 'ci': " in ready
