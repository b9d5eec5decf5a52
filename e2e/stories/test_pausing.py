"""Story of pausing: a paused trigger does not fire, and does not catch up on slots afterwards."""

from datetime import datetime, timedelta

from e2e.stories.scene import Object, Scene


def test_paused_then_resumed(scene: Scene) -> None:
    created = datetime.fromisoformat(scene.trigger("paused")["metadata"]["creationTimestamp"])
    ready = scene.eventually(lambda: scene.condition("paused", "Ready"), "paused: a Ready condition", "paused")
    assert (ready["status"], ready["reason"]) == ("True", "Paused")
    scene.shows("paused", "STATUS", "paused")
    scene.request_run("paused", "while-paused")
    scene.wait_for_event("paused", "RequestIgnored: ", "active")
    assert scene.jobs("paused") == [], "slots have passed every 5 s since it was applied"

    scene.patch("paused", {"status": "active"})
    resumed = scene.eventually(lambda: _written(scene.trigger("paused")), "paused: the edit is recorded", "paused")
    run = scene.run_ended("paused")
    first = datetime.fromisoformat(run["slot"])
    assert resumed < first <= resumed + timedelta(seconds=5), "no slot of the past fires"
    assert (first - created) % timedelta(seconds=5) == timedelta(0), "the grid is what it was"
    scene.kubectl("delete", "clustertrigger", "paused")


def _written(trigger: Object) -> datetime | None:
    """Return when the spec was last changed according to the status; None until the status is current."""
    if trigger["status"].get("observedGeneration") != trigger["metadata"]["generation"]:
        return None
    return datetime.fromisoformat(trigger["status"]["updated_at"])
