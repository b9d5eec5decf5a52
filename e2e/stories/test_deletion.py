"""Story of deletion: with a trigger, its Jobs and their Pods are deleted, whether they have ended or not."""

import pytest

from e2e.stories.scene import Scene


@pytest.mark.parametrize("name", ["deleted-amid-a-run", "missing-file"])
def test_nothing_is_left(scene: Scene, name: str) -> None:
    scene.eventually(lambda: scene.pods(name), f"{name}: a Pod", name)
    scene.kubectl("delete", "clustertrigger", name)

    def gone() -> bool:
        return not scene.jobs(name) and not scene.pods(name)

    scene.eventually(gone, f"{name}: neither Jobs nor Pods")
