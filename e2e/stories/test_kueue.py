"""Kueue, the real one: runs wait in a queue, lose their place to more urgent ones, and are no failures for that."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.stories.conftest import Stage
from e2e.stories.scene import Object, Scene
from harness.cluster.clusters import existing, kubernetes_version
from harness.cluster.versions import parse_version
from harness.kueue import install, why_not

TRIGGERS = ("queued-first", "queued-second", "queued-urgent")
PATIENCE = 420.0
"""Seconds in which a run of a twentieth of a core has ended."""


@pytest.fixture(scope="module", autouse=True)
def _kueue(request: pytest.FixtureRequest, stage_set: Stage) -> Iterator[None]:
    """Kueue and the manifests, for the stories of this file; gone before the next."""
    cluster, scene = stage_set.cluster, stage_set.scene
    running = existing(cluster.name, cluster.directory)
    assert running is not None
    reason = why_not(parse_version(kubernetes_version(running), "the cluster's version"))
    if reason is not None:
        pytest.skip(reason)
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled(), install(cluster):
        scene.apply_file("queue.yaml")
        yield
        scene.kubectl("delete", "clustertriggers", *TRIGGERS, "--ignore-not-found")
        scene.kubectl("delete", "localqueues,jobs", "--all")
        scene.kubectl("delete", "clusterqueues,resourceflavors,workloadpriorityclasses", "--all")


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
    # Longer than its pending timeout, which does not run in a queue.
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


def _queued(scene: Scene, name: str) -> str | None:
    running = scene.condition(name, "Running")
    message = str(running.get("message", ""))
    return message if running.get("status") == "True" and "queued" in message else None


def _workloads(scene: Scene) -> list[Object]:
    """Those that have not ended."""

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
