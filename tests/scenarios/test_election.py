"""Tests of two replicas: one leads, and the other takes over."""

from __future__ import annotations

import time
from itertools import pairwise

from harness.control_plane.cluster import LEASE
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Object, eventually
from harness.control_plane.manifests import interval
from harness.control_plane.operator_process import OperatorProcess
from harness.control_plane.sandbox import Sandbox

DURATION, RENEW, RETRY = 4, 3, 1
PERIOD = 15
"""Seconds between two slots."""
SHORT: Object = {
    "leader_election": True,
    "lease_duration_seconds": DURATION,
    "lease_renew_seconds": RENEW,
    "lease_retry_seconds": RETRY,
}


def leads(process: OperatorProcess) -> bool:
    return process.metric("clustertrigger_leader") == 1


def holder(sandbox: Sandbox) -> str:
    lease = sandbox.kube.find(LEASE)
    return str(lease["spec"].get("holderIdentity", "")) if lease else ""


def start_two(operator: StartOperator, **settings: int) -> tuple[OperatorProcess, OperatorProcess]:
    """Two replicas, the leader first."""
    replicas = [operator(wait=False, **{**SHORT, **settings}) for _ in range(2)]
    for replica in replicas:
        replica.wait_until_ready()
    eventually(lambda: any(leads(replica) for replica in replicas))
    leader, follower = sorted(replicas, key=leads, reverse=True)
    assert not leads(follower), "one leads at a time"
    return leader, follower


def test_sigkill_of_the_leader_neither_loses_nor_doubles_a_slot(
    operator: StartOperator, sandbox: Sandbox, busy_kubelet: None
) -> None:
    leader, follower = start_two(operator)
    # Intervals are much longer than the gap, so that no slot is missed; some slots are due in the gap.
    names = [f"staggered-{n}" for n in range(8)]
    for name in names:
        sandbox.trigger(name, interval(PERIOD))
        time.sleep(1.2)
    time.sleep(4)
    leader.kill()
    killed = time.monotonic()
    eventually(lambda: leads(follower))
    assert time.monotonic() - killed < PERIOD
    for name in names:
        eventually(lambda: sandbox.status(name).get("execution_count", 0) >= 2)
        slots = sandbox.slots(name)
        assert {(after - before).total_seconds() for before, after in pairwise(slots)} == {float(PERIOD)}
        assert sandbox.events(name, "SlotsMissed") == []
        assert len({entry["slot"] for entry in sandbox.history(name)}) == len(sandbox.history(name))


def test_sigterm_hands_over_at_once(operator: StartOperator, sandbox: Sandbox) -> None:
    # Were the Lease not given up, the other would wait for it to run out; did it look as rarely as the leader renews
    # it, for thirty seconds.
    leader, follower = start_two(operator, lease_duration_seconds=60, lease_renew_seconds=40, lease_retry_seconds=30)
    told = time.monotonic()
    leader.ask_to_end()
    eventually(lambda: leads(follower))
    assert time.monotonic() - told < 20
    assert leader.exit_code() == 0
    assert holder(sandbox) in ("operator-0", "operator-1")
    assert follower.terminate() == 0
    assert holder(sandbox) == ""


def test_a_follower_fires_nothing_and_shows_so(operator: StartOperator, sandbox: Sandbox) -> None:
    leader, follower = start_two(operator)
    sandbox.trigger("once", interval(3600, start_immediately=True))
    eventually(lambda: sandbox.history("once"))
    assert leader.metric("clustertrigger_fires_total") == 1
    assert follower.metric("clustertrigger_fires_total") == 0
    assert follower.fetch("/readyz")[0] == 200, "a follower is ready to take over"
    lease = sandbox.kube.get(LEASE)["spec"]
    assert (lease["leaseDurationSeconds"], lease["holderIdentity"]) == (DURATION, holder(sandbox))
