"""Tests of a slot that is due while a run is active."""

from __future__ import annotations

from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import interval
from harness.control_plane.sandbox import Sandbox


def test_forbid_allow_and_replace(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    operator()
    for policy in ("Forbid", "Allow", "Replace"):
        sandbox.trigger(policy.lower(), interval(2, concurrency_policy=policy))

    first = eventually(lambda: sandbox.jobs("forbid"))[0]["metadata"]
    skipped = eventually(lambda: sandbox.events("forbid", "SlotSkipped"))[0]
    assert f"run {first['name']} is still active" in skipped["message"]
    assert "run.concurrency_policy: Forbid" in skipped["message"]
    assert skipped["type"] == "Normal"
    assert [job["metadata"]["uid"] for job in sandbox.jobs("forbid")] == [first["uid"]]
    kubelet.complete(first["name"])
    eventually(lambda: len(sandbox.jobs("forbid")) == 2, what="the slot after the run's end")
    assert len(sandbox.events("forbid", "SlotsMissed")) == 0, "a skipped slot is not a missed one"

    eventually(lambda: len(sandbox.jobs("allow")) >= 3)
    active = [entry for entry in sandbox.history("allow") if entry["status"] == "pending"]
    assert len(active) >= 2

    history = eventually(lambda: sandbox.history("replace"), until=lambda history: len(history) >= 3)
    assert len(sandbox.jobs("replace")) <= 2, "one active, one on its way out"
    for older, newer in zip(history[1:], history, strict=False):
        assert older["status"] == "failed"
        assert older["error"] == f"replaced by {newer['job_id']} (run.concurrency_policy: Replace)"
    assert sandbox.status("replace")["consecutive_failures"] == 0
