"""Story of references: ids that no object or several objects have."""

from e2e.stories.scene import Scene


def test_two_collections_claim_one_id(scene: Scene) -> None:
    ready = scene.eventually(lambda: scene.condition("ambiguous", "Ready"), "ambiguous: a Ready condition", "ambiguous")
    assert (ready["status"], ready["reason"]) == ("False", "AmbiguousReference")
    assert "twin-one" in ready["message"]
    assert "twin-two" in ready["message"]
    assert scene.jobs("ambiguous") == []

    scene.kubectl("delete", "collection", "twin-two")
    run = scene.run_ended("ambiguous")  # the slot is within its starting deadline
    assert run["status"] == "completed"
    assert scene.condition("ambiguous", "Ready")["status"] == "True"


def test_collection_that_comes_later(scene: Scene) -> None:
    ready = scene.eventually(lambda: scene.condition("too-early", "Ready"), "too-early: a Ready condition", "too-early")
    assert (ready["status"], ready["reason"]) == ("False", "CollectionNotFound")
    assert "'col_later'" in ready["message"]

    packages = scene.kubectl.json("get", "collection", "packages")
    spec = {**packages["spec"], "collection_id": "col_later"}
    scene.kubectl.apply({**packages, "metadata": {"name": "later"}, "spec": spec})
    assert scene.run_ended("too-early")["status"] == "completed"
