"""The stage for all stories: a cluster of their own, the operator on it by its chart, and their triggers, all at once.

The cluster is called `stories`, so that the stories neither disturb `make demo` nor are disturbed by it. It is stopped
at the end, unless it ran before: `python3 -m harness.cluster up --name stories` keeps it between runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from e2e.stories import data
from e2e.stories.operator_log import refusals_and_errors
from e2e.stories.scene import Scene
from harness.claim_files import claim_files
from harness.cluster.progress import stage
from harness.helm import find_helm
from harness.image import Images, build_images
from harness.installation import RELEASE, SYSTEM_NAMESPACE, LocalCluster, install_operator, operator_values
from harness.kubectl import Kubectl

NAMESPACE = "stories"
VALUES = {"log": {"level": "DEBUG"}, "worker": {"allowedPriorityClasses": ["stories-batch"]}}
CLAIMS = ["embeddings", "clustertrigger-results"]
TOGETHER = ("slow.yaml", "schedules.yaml", "references.yaml", "errors.yaml")
"""Applied before the first story: their runs share the two cores while the stories wait for one after another."""
FIRST_TO_LAST = (
    "pausing",
    "forbid",
    "schedules",
    "errors",
    "placement",
    "sidecars",
    "references",
    "actions",
    "taxonomy",
    "processing",
    "chains",
    "algorithms",
    "layers",
    "s3",
    "sources",
    "outputs",
    "lasting",
    "assign",
    "results",
    "command",
    "demo",
    "api",
    "page",
    "notify",
    "tutorial",
    "drift",
    "deletion",
    "rights",
    "failover",
    "events",
    "kueue",
    "spark",
    "upgrade",
)
_DELETION_SECONDS = 240.0


@dataclass(frozen=True)
class Stage:
    """What the stories share."""

    cluster: LocalCluster
    images: Images
    scene: Scene


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that need the operator as it is come before those that kill or replace it; setting up takes its time."""

    def place(item: pytest.Item) -> int:
        if item.path.parent.name != "stories":
            return -1
        return FIRST_TO_LAST.index(item.path.stem.removeprefix("test_"))

    items.sort(key=place)
    for item in items:
        if item.path.parent.name == "stories":
            item.add_marker(pytest.mark.timeout(900, func_only=True))


@pytest.fixture(scope="session")
def stage_set(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """The stage, set once; its progress is shown although pytest captures output."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(flush=True)
        cluster = LocalCluster(NAMESPACE)
        ran_before = cluster.exists()
    try:
        with capture.global_and_fixture_disabled():
            ready = _set_up(cluster, leftovers=ran_before)
        yield ready
        with capture.global_and_fixture_disabled():
            _show(ready.scene.kubectl)
    finally:
        with capture.global_and_fixture_disabled():
            if ran_before:
                _remove(cluster, wait=False)
            else:
                cluster.down()


@pytest.fixture
def scene(stage_set: Stage) -> Scene:
    """Where the stories happen."""
    return stage_set.scene


@pytest.fixture
def images(stage_set: Stage) -> Images:
    """The images of this checkout."""
    return stage_set.images


@pytest.fixture(autouse=True, scope="module")
def _operator_makes_no_mistake(stage_set: Stage) -> Iterator[None]:
    """No story passes while the operator is refused anything, or logs an error: the chart's rights are all it has."""
    yield
    assert refusals_and_errors(stage_set.scene.system) == []


def _set_up(cluster: LocalCluster, *, leftovers: bool) -> Stage:
    cluster.up()
    if leftovers:
        _remove(cluster, wait=True)
    images = build_images()
    cluster.load(images.operator)
    cluster.load(images.worker)
    system = Kubectl(cluster.kubeconfig, SYSTEM_NAMESPACE)
    with stage("installing the operator by its chart"):
        install_operator(system, operator_values(images, VALUES))
    scene = Scene(Kubectl(cluster.kubeconfig, NAMESPACE), system)
    with stage("copying data into a claim and applying all triggers"):
        scene.kubectl.ensure_namespace()
        scene.apply_file("volumes.yaml")
        with claim_files(scene.kubectl, images.worker.name, CLAIMS) as claims:
            claims.upload_new("embeddings", data.files())
        for name in TOGETHER:
            scene.apply_file(name)
    return Stage(cluster, images, scene)


def _show(kubectl: Kubectl) -> None:
    """What the stories' owner would see now."""
    errors = "custom-columns=NAME:.metadata.name,LAST ERROR:.status.last_execution_error"
    print("\n\n$ kubectl get clustertriggers", kubectl("get", "clustertriggers"), sep="\n")
    print(f"$ kubectl get clustertriggers -o '{errors}'", kubectl("get", "clustertriggers", "-o", errors), sep="\n")


def _remove(cluster: LocalCluster, *, wait: bool) -> None:
    """Remove what stories make, from a cluster that stays."""
    kubectl = Kubectl(cluster.kubeconfig)
    options = ("--ignore-not-found", f"--wait={str(wait).lower()}")
    with stage("removing what the stories made"):
        kubectl("delete", "namespace", NAMESPACE, *options, timeout=_DELETION_SECONDS)
        find_helm(cluster.kubeconfig, SYSTEM_NAMESPACE).uninstall(RELEASE)
        kubectl("delete", "namespace", SYSTEM_NAMESPACE, *options, timeout=_DELETION_SECONDS)
