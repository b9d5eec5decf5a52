"""Story of upgrades: a run continues during an upgrade, and a wrong worker image is reported until it is corrected.

The last upgrade also limits the operator to the stories' namespace, with Roles in place of the ClusterRole.
"""

import re

from e2e.stories.operator_log import operator_pods, refusals_and_errors
from e2e.stories.scene import Object, Scene
from e2e.stories.triggers import SMALL, by_interval
from harness.helm import find_helm
from harness.image import Images
from harness.installation import RELEASE, SYSTEM_NAMESPACE, operator_values

NOWHERE = "localhost:9/clustertrigger/worker"
"""Image that no node can pull, because no registry listens on the discard port."""


def test_running_run_is_untouched(scene: Scene, images: Images) -> None:
    slow = {**SMALL, "limits": {"cpu": "100m"}}
    scene.kubectl.apply(by_interval("long-run", at_once=True, resources=slow))
    before = scene.running("long-run")
    operators = set(operator_pods(scene.system))

    typo = {"image": {"worker": {"repository": NOWHERE, "tag": "missing"}}}
    release = upgrade(scene, images, typo)
    assert release == "deployed"
    assert not operators & set(operator_pods(scene.system)), "every replica was replaced"
    assert [pod["metadata"]["uid"] for pod in scene.pods("long-run")] == [before["metadata"]["uid"]]

    scene.kubectl.apply(by_interval("no-image", at_once=True, pending_timeout_seconds=8, retries=0))
    run = scene.run_ended("no-image")
    assert run["status"] == "failed"
    pattern = r"did not start within 8 s \(run\.pending_timeout_seconds\): (ErrImagePull|ImagePullBackOff): "
    assert re.match(pattern, run["error"]), run["error"]
    assert NOWHERE in run["error"], "the line names the image"

    assert upgrade(scene, images, {"watchNamespaces": [scene.kubectl.namespace]}) == "deployed"
    scene.request_run("no-image", "image-is-back")
    run = scene.run_ended("no-image", slot="manual/image-is-back")
    assert run["status"] == "completed"
    status = scene.status("no-image")
    assert (status["execution_count"], status["failure_count"], status["consecutive_failures"]) == (1, 1, 0)
    assert refusals_and_errors(scene.system) == [], "the Roles of one namespace suffice for it"

    run = scene.run_ended("long-run")
    assert run["status"] == "completed"
    assert [pod["metadata"]["uid"] for pod in scene.pods("long-run")] == [before["metadata"]["uid"]]
    assert len(scene.jobs("long-run")) == 1


def upgrade(scene: Scene, images: Images, values: Object) -> str:
    """Upgrade the release; return its state."""
    helm = find_helm(scene.system.kubeconfig, SYSTEM_NAMESPACE)
    return helm.upgrade(RELEASE, operator_values(images, {"log": {"level": "DEBUG"}, **values})).status
