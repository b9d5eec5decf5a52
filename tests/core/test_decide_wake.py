"""Whatever the schedule and the instant: the next look lies ahead, and a second look at the same instant finds nothing.

kubernetes #118706: a requeue in the past made a controller spin.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.core.builders import EXECUTION, World, at, spec

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
)
INSTANTS = st.lists(st.integers(0, 400 * 86_400_000), min_size=1, max_size=6)
"""Milliseconds after creation, in any order: the clock may step back."""


@given(SCHEDULES, INSTANTS, st.sampled_from(["completed", "failed", "pending", None]), st.booleans())
def test_the_next_look_lies_ahead(
    schedule: dict[str, Any], instants: list[int], outcome: str | None, refuse: bool
) -> None:
    world = World(spec({**schedule, "execution_config": EXECUTION}))
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
            world.end(outcome)
