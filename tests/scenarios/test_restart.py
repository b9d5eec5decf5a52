"""Tests of a restart: missed slots are handled, and unchanged triggers are not written."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from clustertrigger.core.instants import format_instant, parse_instant
from harness.control_plane.earlier_operator import left_by_earlier_operator
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.manifests import cron, interval
from harness.control_plane.proxy import Proxy
from harness.control_plane.sandbox import Sandbox

_HOUR = timedelta(hours=1)


def test_the_latest_missed_slot_fires_once_and_the_others_are_named(operator: StartOperator, sandbox: Sandbox) -> None:
    first = operator()
    sandbox.trigger("busy", interval(2, concurrency_policy="Allow"))
    eventually(lambda: sandbox.slots("busy"))
    assert first.terminate() == 0
    fired = sandbox.slots("busy")
    time.sleep(7)

    operator()
    (event,) = eventually(lambda: sandbox.events("busy", "SlotsMissed"))
    slots = sandbox.slots("busy")
    latest, step = slots[len(fired)], timedelta(seconds=2)
    count = (latest - fired[-1]) // step - 1
    assert count >= 2
    first_missed, last_missed = format_instant(fired[-1] + step), format_instant(latest - step)
    assert event["message"] == (
        f"Missed {count} slots from {first_missed} to {last_missed}: only the latest one may still fire"
    )
    assert event["type"] == "Warning"
    assert event["count"] == 1


def test_slots_older_than_the_deadline_are_named_and_do_not_fire(operator: StartOperator, sandbox: Sandbox) -> None:
    half_an_hour_ago = {"away": 6 * _HOUR, "anchor": 100 * _HOUR + _HOUR / 2}
    left_by_earlier_operator(sandbox, "too-old", interval(3600, starting_deadline_seconds=60), **half_an_hour_ago)
    left_by_earlier_operator(sandbox, "young", interval(3600, starting_deadline_seconds=3600), **half_an_hour_ago)
    operator()
    (event,) = eventually(lambda: sandbox.events("too-old", "SlotsMissed"))
    assert event["message"].startswith("Missed 6 slots from ")
    assert "older than run.starting_deadline_seconds (60 s)" in event["message"]
    (event,) = eventually(lambda: sandbox.events("young", "SlotsMissed"))
    assert event["message"].startswith("Missed 5 slots from ")
    assert sandbox.jobs("too-old") == []
    assert len(sandbox.jobs("young")) == 1
    status = sandbox.status("too-old")
    assert status["failure_count"] == 0
    assert parse_instant(status["next_scheduled_at"]) > datetime.now(UTC)


@pytest.mark.parametrize("kind", ["interval", "cron"])
def test_catching_up_costs_the_same_after_ten_slots_and_after_ten_thousand(
    operator: StartOperator, sandbox: Sandbox, proxy: Proxy, kind: str
) -> None:
    # Half an hour from the cron schedule's slots, at any minute at which the test runs.
    minute = (datetime.now(UTC).minute + 30) % 60
    spec = interval(3600) if kind == "interval" else cron(f"{minute} * * * *", "Europe/Berlin")
    cost: dict[int, tuple[int, float, float]] = {}
    for outage in (10, 10_000):
        names = [f"away-{outage}-{n}" for n in range(10)]
        for name in names:
            left_by_earlier_operator(sandbox, name, spec, away=outage * _HOUR, anchor=20_000 * _HOUR + _HOUR / 2)
        before = len(proxy.settled_writes())
        process = operator(through=proxy)
        for name in names:
            (event,) = eventually(lambda: sandbox.events(name, "SlotsMissed"))
            assert event["message"].startswith(f"Missed {'more than 100' if outage > 100 else 9} slots from ")
            assert len(sandbox.jobs(name)) == 1
        written = len(proxy.settled_writes()) - before
        reconciled = process.metric("clustertrigger_reconcile_duration_seconds_count")
        elapsed = process.metric("clustertrigger_reconcile_duration_seconds_sum")
        cost[outage] = written, reconciled, elapsed
        process.kill()
        for name in names:
            sandbox.delete(name)
    assert cost[10_000][0] == cost[10][0], cost
    assert cost[10_000][1] < 2 * cost[10][1] + 10, cost
    assert cost[10_000][2] < 5 * cost[10][2] + 1, cost


def test_a_restart_with_nothing_changed_writes_nothing(
    operator: StartOperator, sandbox: Sandbox, proxy: Proxy, busy_kubelet: None
) -> None:
    first = operator()
    sandbox.trigger("fired", interval(3600, start_immediately=True))
    sandbox.trigger("waiting", cron("0 0 1 1 *", "Europe/Berlin"))
    sandbox.trigger("paused", interval(1, status="paused"))
    sandbox.trigger("wrong", cron("61 * * * *"))
    sandbox.trigger("event", EVENT)
    sandbox.trigger("nothing-there", interval(3600, collection_id="col_unknown"))
    eventually(lambda: sandbox.status("fired").get("execution_count"))
    names = ("waiting", "paused", "wrong", "event", "nothing-there")
    for name in names:
        eventually(lambda: sandbox.status(name))
    assert first.terminate() == 0
    before = {name: sandbox.get(name)["metadata"]["resourceVersion"] for name in ("fired", *names)}
    second = operator(through=proxy)
    eventually(lambda: second.metric("clustertrigger_reconcile_duration_seconds_count") >= len(before))
    assert proxy.settled_writes() == []
    assert {name: sandbox.get(name)["metadata"]["resourceVersion"] for name in before} == before


EVENT = {
    "trigger_type": "event",
    "schedule_config": {"event_type": "documents_added", "event_threshold": 100, "collection_id": "col_products"},
    "execution_config": {"collection_ids": ["col_products"], "config": {"algorithm": "kmeans", "n_clusters": 3}},
}
