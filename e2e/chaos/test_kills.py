"""Tests SIGKILL at random instants, also during the start, while triggers are due: each slot has one Job."""

from __future__ import annotations

import os
import random
import time
from datetime import timedelta

import pytest

from clustertrigger.core.instants import parse_instant
from clustertrigger.core.kube import paths
from harness.control_plane.consistency import pause_and_settle
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.manifests import interval
from harness.control_plane.sandbox import Sandbox

SEED = int(os.environ.get("CHAOS_SEED", "20261122"))
KILLS = int(os.environ.get("CHAOS_KILLS", "1000"))
TRIGGERS = 30
PERIOD = 20
"""Seconds between the slots of a trigger: more than a series of kills takes, so that no slot is missed."""
KEPT = 4 * 3600
"""Starting deadline in seconds: a thousand kills take more than an hour."""


@pytest.mark.timeout(3 * 3600)
def test_sigkill_at_random_instants(operator: StartOperator, sandbox: Sandbox, busy_kubelet: None, full: bool) -> None:
    kills = KILLS if full else 12
    chance = random.Random(SEED)
    names = [f"steady-{n:02}" for n in range(TRIGGERS)]
    for name in names:
        spec = interval(PERIOD, concurrency_policy="Allow", history_limit=100, starting_deadline_seconds=KEPT)
        sandbox.trigger(name, spec)
    while_starting = False
    for _ in range(kills):
        # Two consecutive kills before the operator is ready could take longer than a period.
        while_starting = not while_starting and chance.random() < 0.2
        process = operator(wait=not while_starting)
        time.sleep(chance.random() * (1.5 if while_starting else 3.0))
        process.kill()
    operator()
    for name in names:
        pause_and_settle(sandbox, name, 2 * PERIOD)
    fired = sum(_assert_each_slot_has_its_job(sandbox, name) for name in names)
    _assert_no_orphans(sandbox, names)
    assert fired >= TRIGGERS, "too little was due"
    print(f"kills: {kills} times, {fired} slots of {TRIGGERS} triggers, one Job each")


def _assert_each_slot_has_its_job(sandbox: Sandbox, name: str) -> int:
    """Verifies that each slot has one Job, and returns the number of slots."""
    status, jobs = sandbox.status(name), sandbox.jobs(name)
    state = status["schedule_state"]
    step = timedelta(seconds=PERIOD)
    anchor, until = parse_instant(state["anchor"]), parse_instant(state["accounted_until"])
    due = [anchor + n * step for n in range(1, (until - anchor) // step + 1)]
    assert sandbox.slots(name) == due, name
    assert (status["execution_count"], status["failure_count"]) == (len(jobs), 0), name
    recorded = {entry["job_id"] for entry in status["history"]}
    assert recorded <= {job["metadata"]["name"] for job in jobs}, name
    assert len(recorded) == min(len(jobs), 100), name
    assert sandbox.events(name, "SlotsMissed") == [], name
    return len(due)


def _assert_no_orphans(sandbox: Sandbox, names: list[str]) -> None:
    triggers = {sandbox.get(name)["metadata"]["uid"] for name in names}
    jobs = sandbox.jobs()
    assert {job["metadata"]["ownerReferences"][0]["uid"] for job in jobs} <= triggers
    pods = sandbox.kube.items(paths.pods(sandbox.namespace))
    owners = {pod["metadata"]["ownerReferences"][0]["uid"] for pod in pods}
    assert owners == {job["metadata"]["uid"] for job in jobs}
