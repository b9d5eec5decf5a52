"""Tests of an outage of the API server while slots are due."""

from __future__ import annotations

import time
from datetime import timedelta
from itertools import pairwise

from harness.control_plane.cluster import Cluster
from harness.control_plane.consistency import assert_consistent, pause_and_settle
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.manifests import interval
from harness.control_plane.sandbox import Sandbox


def test_an_outage_of_the_api_server(
    cluster: Cluster, operator: StartOperator, sandbox: Sandbox, busy_kubelet: None
) -> None:
    process = operator()
    names = [f"steady-{n}" for n in range(5)]
    for name in names:
        sandbox.trigger(name, interval(2, concurrency_policy="Allow", history_limit=100))
    for name in names:
        eventually(lambda: sandbox.slots(name))
    lines, spent = len(process.log_lines()), process.cpu_seconds()
    cluster.plane.kill_api_server()
    time.sleep(8)
    during = process.log_lines()[lines:]
    spent = process.cpu_seconds() - spent
    cluster.plane.start_api_server()
    back = sandbox.kube.now()

    assert process.running()
    assert process.fetch("/livez")[0] == 200
    assert spent < 2.5, f"{spent} s of processor time in 8 s: it turns in circles"
    # Delays double, so that each trigger and each watch makes only a few attempts.
    assert len(during) < 20 * (len(names) + 5), during[-5:]
    for name in names:
        eventually(lambda: sandbox.slots(name)[-1] >= back)
    for name in names:
        pause_and_settle(sandbox, name)
        assert_consistent(sandbox, name)
        slots = sandbox.slots(name)
        gaps = [later - earlier for earlier, later in pairwise(slots)]
        assert max(gaps) > timedelta(seconds=4), "no slot was missed: the outage was none"
        missed = sandbox.events(name, "SlotsMissed")
        assert len(missed) <= 2, "the missed slots are told together"
        assert {event["count"] for event in missed} == {1}
