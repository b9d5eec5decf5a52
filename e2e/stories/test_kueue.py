"""Story of Kueue: runs wait in a queue, and more urgent runs preempt them, which does not count as a failure."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.stories.conftest import Stage
from e2e.stories.kueue import kueue
from e2e.stories.scene import Object, Scene

TRIGGERS = ("queued-first", "queued-second", "queued-urgent", "queued-check")
PATIENCE = 420.0
"""Maximum number of seconds until a run with a twentieth of a core has ended."""


@pytest.fixture(scope="module", autouse=True)
def _kueue(request: pytest.FixtureRequest, stage_set: Stage) -> Iterator[None]:
    """Installs Kueue and the manifests for the stories of this file, and removes both afterwards."""
    with kueue(request, stage_set, stage_set.scene, "queue.yaml", TRIGGERS):
        yield


def test_the_second_run_waits_for_the_first_and_says_so(scene: Scene) -> None:
    scene.request_run("queued-first", "one")
    scene.running("queued-first")
    scene.request_run("queued-second", "one")
    message = scene.eventually(
        lambda: _queued(scene, "queued-second"), "the second run says that it is queued", "queued-second"
    )
    assert "queued in LocalQueue line" in message
    scene.eventually(
        lambda: (_queued(scene, "queued-second") or "").endswith("(queued in LocalQueue line (position 1))"),
        "Kueue tells its position",
        "queued-second",
    )
    (second,) = scene.jobs("queued-second")
    assert second["spec"]["suspend"] is True
    assert _workload_of(scene, second)["spec"]["queueName"] == "line"

    scene.run_ended("queued-first", patience=PATIENCE)
    entry = scene.run_ended("queued-second", patience=PATIENCE)
    assert entry["status"] == "completed", entry
    assert entry["job_id"] == second["metadata"]["name"]
    # The run was queued longer than its pending timeout, which does not apply in a queue.
    assert entry["queue_time_ms"] > 20_000, entry
    assert scene.status("queued-second").get("failure_count", 0) == 0


def test_a_more_urgent_run_takes_the_place_of_one_that_starts_again(scene: Scene) -> None:
    scene.request_run("queued-first", "two")
    scene.running("queued-first")
    scene.request_run("queued-urgent", "one")
    scene.eventually(lambda: _queued(scene, "queued-first"), "the running one is preempted and queued", "queued-first")
    urgent = scene.run_ended("queued-urgent", patience=PATIENCE)
    assert urgent["status"] == "completed", urgent
    entry = scene.run_ended("queued-first", slot="manual/two", patience=PATIENCE)
    assert entry["status"] == "completed", entry
    status = scene.status("queued-first")
    assert status.get("failure_count", 0) == 0
    assert status.get("consecutive_failures", 0) == 0
    assert status["execution_count"] == 2


def test_checks_pass_the_queue_by_or_wait_in_it(scene: Scene) -> None:
    scene.apply_file("queue-check.yaml")
    scene.run_ended("queued-check", patience=PATIENCE)
    scene.request_run("queued-first", "check")
    scene.running("queued-first")

    def checks(status: str) -> list[Object]:
        return [check for check in scene.status("queued-check").get("checks", []) if check["status"] == status]

    before = len(checks("completed"))
    scene.eventually(
        lambda: len(checks("completed")) > before, "a check passes the full queue by", "queued-check", PATIENCE
    )

    scene.patch("queued-check", {"run": {"check": {"queue_name": None}}})
    scene.request_run("queued-first", "check again")
    job = scene.eventually(
        lambda: next((job for job in scene.jobs("queued-check") if job["spec"].get("suspend")), None),
        "a check waits in the queue of the runs",
        "queued-check",
        PATIENCE,
    )
    assert _workload_of(scene, job)["spec"]["queueName"] == "line"
    scene.kubectl("delete", "clustertrigger", "queued-check")
    _begin_anew(scene)


def test_a_run_that_replaces_another_takes_its_place(scene: Scene) -> None:
    scene.patch("queued-first", {"run": {"concurrency_policy": "Replace"}})
    scene.request_run("queued-first", "replaced")
    before = scene.running("queued-first")
    scene.request_run("queued-first", "replacing")

    def replacing() -> Object | None:
        pods = scene.pods("queued-first")
        later = [pod for pod in pods if pod["metadata"]["uid"] != before["metadata"]["uid"]]
        return next((pod for pod in later if pod["status"].get("phase") == "Running"), None)

    scene.eventually(replacing, "the run that replaces it runs", "queued-first")
    assert len(_workloads(scene)) == 1
    after, earlier = scene.status("queued-first")["history"][:2]
    assert (after["slot"], earlier["slot"]) == ("manual/replacing", "manual/replaced")
    assert earlier["error"] == f"replaced by {after['job_id']} (run.concurrency_policy: Replace)"
    _begin_anew(scene)


def test_a_deleted_trigger_leaves_the_queue(scene: Scene) -> None:
    scene.request_run("queued-first", "three")
    scene.running("queued-first")
    scene.request_run("queued-second", "two")
    scene.eventually(lambda: _queued(scene, "queued-second"), "the second run is queued", "queued-second")
    scene.kubectl("delete", "clustertrigger", "queued-second")
    scene.eventually(lambda: not scene.jobs("queued-second"), "its Jobs are gone")
    scene.eventually(lambda: len(_workloads(scene)) == 1, "only the first run is in the queue")
    scene.kubectl("delete", "clustertrigger", "queued-first")
    scene.eventually(lambda: not _workloads(scene), "the queue is empty")


def _begin_anew(scene: Scene) -> None:
    """Delete the trigger with long runs, and apply it again."""
    scene.kubectl("delete", "clustertrigger", "queued-first")
    scene.eventually(lambda: not scene.jobs("queued-first"), "its Jobs are gone")
    scene.apply_file("queue.yaml")


def _queued(scene: Scene, name: str) -> str | None:
    running = scene.condition(name, "Running")
    message = str(running.get("message", ""))
    return message if running.get("status") == "True" and "queued" in message else None


def _workloads(scene: Scene) -> list[Object]:
    """Return the workloads that have not ended."""

    def ended(workload: Object) -> bool:
        conditions = workload.get("status", {}).get("conditions", [])
        return any(condition["type"] == "Finished" and condition["status"] == "True" for condition in conditions)

    return [workload for workload in scene.kubectl.items("workloads.kueue.x-k8s.io") if not ended(workload)]


def _workload_of(scene: Scene, job: Object) -> Object:
    uid = job["metadata"]["uid"]

    def found() -> Object | None:
        for workload in scene.kubectl.items("workloads.kueue.x-k8s.io"):
            if any(owner["uid"] == uid for owner in workload["metadata"].get("ownerReferences", [])):
                return workload
        return None

    return scene.eventually(found, "Kueue's Workload of the Job")
