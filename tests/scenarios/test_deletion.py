"""Tests of the deletion of a trigger."""

from __future__ import annotations

import time

from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import interval
from harness.control_plane.sandbox import Sandbox

COLLECTED = 90
"""Seconds: the garbage collector discovers kinds every 30 s, and then lists the objects of a new CRD."""


def test_a_deleted_trigger_takes_its_jobs_along(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> None:
    process = operator()
    for name in ("done", "running", "kept"):
        sandbox.trigger(name, interval(3600, start_immediately=True))
    job = {name: eventually(lambda: sandbox.history(name))[0]["job_id"] for name in ("done", "running", "kept")}
    kubelet.complete(job["done"])
    kubelet.start(job["running"])
    eventually(lambda: sandbox.status("done").get("execution_count", 0))

    assert sandbox.kubectl("delete", "clustertrigger", "done", "running", "--wait=true").returncode == 0
    left = eventually(sandbox.jobs, COLLECTED, until=lambda jobs: len(jobs) == 1)
    assert left[0]["metadata"]["name"] == job["kept"]
    pods = f"/api/v1/namespaces/{sandbox.namespace}/pods"
    eventually(
        lambda: [pod["metadata"]["labels"]["job-name"] for pod in sandbox.kube.items(pods)] == [job["kept"]], COLLECTED
    )
    eventually(lambda: process.metric("clustertrigger_triggers") == 1)

    # One of the same name is another trigger.
    sandbox.trigger("done", interval(3600, start_immediately=True))
    (entry,) = eventually(lambda: sandbox.history("done"))
    assert entry["job_id"] != job["done"]
    assert sandbox.status("done")["execution_count"] == 0


def test_triggers_deleted_while_due_leave_nothing(operator: StartOperator, sandbox: Sandbox) -> None:
    process = operator()
    names = [f"busy-{n}" for n in range(10)]
    for name in names:
        sandbox.trigger(name, interval(1, concurrency_policy="Allow"))
    eventually(lambda: len(sandbox.jobs()) >= len(names))
    for name in names:
        sandbox.delete(name)
        time.sleep(0.1)
    eventually(lambda: process.metric("clustertrigger_triggers") == 0)
    eventually(lambda: sandbox.jobs() == [], COLLECTED)
    time.sleep(1.5)
    assert sandbox.jobs() == []


def test_a_trigger_on_its_way_out_fires_nothing(operator: StartOperator, sandbox: Sandbox) -> None:
    """Another finalizer, or foreground deletion, delays the deletion."""
    operator()
    sandbox.trigger("held", interval(1, concurrency_policy="Allow"), finalizers=["example.com/audit"])
    eventually(lambda: sandbox.jobs("held"))
    sandbox.delete("held")
    time.sleep(1)
    jobs = len(sandbox.jobs("held"))
    time.sleep(2.5)
    assert len(sandbox.jobs("held")) <= jobs
    sandbox.edit("held", finalizers=None)
    eventually(lambda: sandbox.jobs("held") == [], COLLECTED)
