"""Sets up all stories: a separate cluster, the operator installed by its chart, and the triggers of several stories.

The cluster is called `stories`, so that the stories and `make demo` do not affect each other. It is stopped at the end,
unless it was running before: `python3 -m harness.cluster up --name stories` keeps it between runs.
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
BEFORE = ("volumes.yaml", "twins.yaml")
TOGETHER = ("slow.yaml", "schedules.yaml", "references.yaml", "errors.yaml")
"""Manifests that are applied before the first story, so that their runs overlap on the two cores."""
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
    """The objects that all stories share."""

    cluster: LocalCluster
    images: Images
    scene: Scene


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Orders the stories: those that kill or replace the operator come last. The timeout excludes the setup."""

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
    """Sets up the stage once; its progress is shown although pytest captures output."""
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
    """The scene of the stories."""
    return stage_set.scene


@pytest.fixture
def images(stage_set: Stage) -> Images:
    """The images of this checkout."""
    return stage_set.images


@pytest.fixture(autouse=True, scope="module")
def _operator_makes_no_mistake(stage_set: Stage) -> Iterator[None]:
    """Fails a file's stories if the API server denied a request of the operator, or the operator logged an error."""
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
        for name in BEFORE:
            scene.apply_file(name)
        with claim_files(scene.kubectl, images.worker.name, CLAIMS) as claims:
            claims.upload_new("embeddings", data.files())
        for name in TOGETHER:
            scene.apply_file(name)
    return Stage(cluster, images, scene)


def _show(kubectl: Kubectl) -> None:
    """Print the triggers of the stories and their last errors."""
    errors = "custom-columns=NAME:.metadata.name,LAST ERROR:.status.last_execution_error"
    print("\n\n$ kubectl get clustertriggers", kubectl("get", "clustertriggers"), sep="\n")
    print(f"$ kubectl get clustertriggers -o '{errors}'", kubectl("get", "clustertriggers", "-o", errors), sep="\n")


def _remove(cluster: LocalCluster, *, wait: bool) -> None:
    """Remove the objects of the stories from a cluster that keeps running."""
    kubectl = Kubectl(cluster.kubeconfig)
    options = ("--ignore-not-found", f"--wait={str(wait).lower()}")
    with stage("removing what the stories made"):
        kubectl("delete", "namespace", NAMESPACE, *options, timeout=_DELETION_SECONDS)
        find_helm(cluster.kubeconfig, SYSTEM_NAMESPACE).uninstall(RELEASE)
        kubectl("delete", "namespace", SYSTEM_NAMESPACE, *options, timeout=_DELETION_SECONDS)
