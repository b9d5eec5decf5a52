"""Story of concurrency_policy Forbid: a slot during an active run is skipped and reported."""

from e2e.stories.scene import Scene


def test_slot_is_skipped(scene: Scene) -> None:
    event = scene.wait_for_event("forbid", "SlotSkipped: ")
    job = scene.jobs("forbid")[0]["metadata"]["name"]
    assert f"run {job} is still active (run.concurrency_policy: Forbid)" in event
    assert sum("active" in job["status"] for job in scene.jobs("forbid")) <= 1
    scene.kubectl("delete", "clustertrigger", "forbid")
