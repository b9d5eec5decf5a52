"""Story of chains: a completed run fires the next trigger, and a loop of triggers ends by itself."""

from __future__ import annotations

from clustertrigger.api import API_VERSION
from e2e.stories.conftest import CLAIMS
from e2e.stories.scene import Object, Scene
from e2e.stories.triggers import KMEANS, SMALL
from harness.control_plane.manifests import trigger

EMBEDDINGS, _ = CLAIMS


def collection(name: str) -> Object:
    spec = {"collection_id": f"col_{name}", "volume": EMBEDDINGS, "source": {"uri": "packages.parquet"}}
    return {"apiVersion": API_VERSION, "kind": "Collection", "metadata": {"name": name}, "spec": spec}


def after(name: str, waits_for: str, reads: str) -> Object:
    spec = {
        "trigger_type": "event",
        "schedule_config": {"event_type": "run_completed", "event_threshold": 1, "collection_id": f"col_{waits_for}"},
        "execution_config": {"collection_ids": [f"col_{reads}"], "config": KMEANS},
        "run": {"retries": 0, "resources": SMALL},
    }
    return trigger(name, spec)


def test_two_triggers_that_fire_each_other_run_once_each(scene: Scene) -> None:
    scene.kubectl.apply(collection("texts"), collection("topics"))
    scene.kubectl.apply(after("cluster-texts", "topics", "texts"), after("cluster-topics", "texts", "topics"))
    for name in ("cluster-texts", "cluster-topics"):
        scene.eventually(lambda name=name: scene.condition(name, "Ready").get("status") == "True", "ready", name)  # type: ignore[misc]
    scene.request_run("cluster-texts", "begin")
    assert scene.run_ended("cluster-texts")["status"] == "completed"
    followed = scene.run_ended("cluster-topics")
    assert (followed["slot"], followed["status"]) == ("event/1", "completed")

    def stopped() -> bool:
        stalled = scene.condition("cluster-texts", "Stalled")
        return (stalled.get("status"), stalled.get("reason")) == ("True", "ChainLoop")

    scene.eventually(stopped, "the loop is reported", "cluster-texts")
    message = scene.condition("cluster-texts", "Stalled")["message"]
    assert "in a loop (cluster-texts → cluster-topics → cluster-texts)" in message
    assert len(scene.jobs("cluster-texts")) == 1
    scene.kubectl("delete", "clustertrigger", "cluster-texts", "cluster-topics")
