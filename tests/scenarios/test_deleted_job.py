"""Tests of Jobs that a user deletes."""

from __future__ import annotations

import time

from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import interval
from harness.control_plane.sandbox import Sandbox

GONE = "the Job was deleted before it ended"


def test_a_deleted_job_is_recorded_and_not_fired_again(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet
) -> None:
    first = operator()
    names = ("before-its-end", "after-its-end", "while-nobody-looks")
    job = {}
    for name in names:
        sandbox.trigger(name, interval(3600, start_immediately=True))
    for name in names:
        job[name] = eventually(lambda: sandbox.history(name))[0]["job_id"]
    kubelet.complete(job["after-its-end"])
    eventually(lambda: sandbox.status("after-its-end").get("execution_count", 0))

    deleted = sandbox.kubectl("delete", "job", job["before-its-end"], job["after-its-end"], "--wait=true")
    assert deleted.returncode == 0, deleted.stderr
    status = eventually(lambda: sandbox.status("before-its-end"), until=lambda status: status["failure_count"] == 1)
    assert (status["last_execution_status"], status["last_execution_error"]) == ("failed", GONE)
    assert status["consecutive_failures"] == 0, "somebody's wish is no sign that the next run would fail"
    (event,) = eventually(lambda: sandbox.events("before-its-end", "RunDeleted"))
    assert event["type"] == "Normal"
    assert sandbox.status("after-its-end")["history"][0]["status"] == "completed"

    first.kill()
    sandbox.delete_job(job["while-nobody-looks"])
    eventually(lambda: not sandbox.jobs(), what="no Job left")
    operator()
    status = eventually(lambda: sandbox.status("while-nobody-looks"), until=lambda status: status["failure_count"] == 1)
    assert status["last_execution_error"] == GONE
    time.sleep(1)
    assert sandbox.jobs() == []
    for name in names:
        assert len(sandbox.history(name)) == 1


def test_a_job_deleted_as_soon_as_it_is_created_has_fired_all_the_same(
    operator: StartOperator, sandbox: Sandbox
) -> None:
    operator()
    names = [f"swept-{n}" for n in range(5)]
    for name in names:
        sandbox.trigger(name, interval(3600, start_immediately=True))
    swept: set[str] = set()
    deadline = time.monotonic() + 20
    while len(swept) < len(names):
        assert time.monotonic() < deadline, swept
        for job in sandbox.jobs():
            swept.add(job["metadata"]["uid"])
            sandbox.delete_job(job["metadata"]["name"])
    for name in names:
        status = eventually(lambda: sandbox.status(name), until=lambda status: status.get("failure_count") == 1)
        assert status["last_execution_error"] == GONE
        assert len(status["history"]) == 1
        assert len(eventually(lambda: sandbox.events(name, "RunCreated"))) == 1
    assert sandbox.jobs() == []
