"""Tests that a decision depends only on its arguments, is fast without work, and never causes a busy loop."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clustercontract.check import CheckResult
from clustertrigger.core.decide import decide
from tests.core.builders import EXECUTION, HOURLY, World, at, observed, spec, trigger
from tests.core.drift.test_drift_rule import measured

CRON = st.sampled_from(["* * * * *", "*/7 * * * *", "0 2 * * *", "30 2 * * sun", "0 0 29 2 *", "@hourly"])
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia"])
SCHEDULES = st.one_of(
    st.builds(
        lambda cron, zone: {"trigger_type": "cron", "schedule_config": {"cron_expression": cron, "timezone": zone}},
        CRON,
        ZONES,
    ),
    st.builds(
        lambda seconds, now: {
            "trigger_type": "interval",
            "schedule_config": {"interval_seconds": seconds, "start_immediately": now},
        },
        st.integers(1, 100_000),
        st.booleans(),
    ),
    st.builds(
        lambda seconds: {
            "trigger_type": "conditional",
            "schedule_config": {
                "condition_type": "drift",
                "metric": "cosine_drift",
                "threshold": 0.3,
                "check_interval_seconds": seconds,
            },
        },
        st.integers(1, 100_000),
    ),
)
INSTANTS = st.lists(st.integers(0, 400 * 86_400_000), min_size=1, max_size=6)
"""Milliseconds after creation, in any order: the clock can step back."""
OUTCOMES = st.sampled_from(["completed", "failed", "pending", None])
BASELINE = {
    "uri": "/results/b.npz",
    "sha256": "0" * 64,
    "run": "first",
    "documents": 6000,
    "dimensions": 384,
    "captured_at": "2026-03-02T12:00:00Z",
}


def test_no_writes_while_idle() -> None:
    world = World()
    world.step(at(1))
    assert world.writes == 1
    for minute in range(1, 59):
        world.step(at(minutes=minute))
    assert world.writes == 1


def test_decide_is_a_function_of_its_arguments() -> None:
    known, seen = trigger(HOURLY), observed()
    assert decide(known, seen, at(hours=1)) == decide(known, seen, at(hours=1))


@given(SCHEDULES, INSTANTS, OUTCOMES, st.sampled_from([0.1, 0.5, None]), st.booleans(), st.booleans())
def test_the_next_decision_is_in_the_future(
    schedule: dict[str, Any],
    instants: list[int],
    outcome: str | None,
    drift: float | None,
    refuse: bool,
    has_baseline: bool,
) -> None:
    """The wake-up is in the future; kubernetes #118706: a requeue in the past made a controller loop."""
    status = {"baseline_snapshot": BASELINE} if has_baseline else {}
    world = World(spec({**schedule, "execution_config": EXECUTION}), status=status)
    result = None if drift is None else CheckResult(status="completed", measurement=measured(drift))
    world.refuse = refuse
    for milliseconds in instants:
        now = at() + timedelta(milliseconds=milliseconds)
        decision = world.step(now)
        assert decision.wake_at is None or decision.wake_at > now
        upcoming = decision.status.next_scheduled_at
        assert upcoming is None or upcoming > now
        writes, created = world.writes, list(world.created)
        world.step(now)
        assert (world.writes, world.created) == (writes, created)
        if world.runs and outcome is not None:
            world.end(outcome, check=result)
