"""Tests of the demo's Helm release on a real API server. There is no node, so no Pod runs, and Helm does not wait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cluster.control_planes import control_plane
from harness.demo.release import values_of_demo, values_of_next_demo
from harness.helm import find_helm
from harness.image import Image, Images
from harness.installation import RELEASE, SYSTEM_NAMESPACE
from harness.kubectl import Kubectl

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("chart")]

NOWHERE = Path("images.tar")
BEFORE, AFTER = (
    Images(Image(f"clustertrigger/operator:{tag}", NOWHERE), Image(f"clustertrigger/worker:{tag}", NOWHERE))
    for tag in ("before", "after")
)
SPARK_BEFORE, SPARK_AFTER = (Image(f"clustertrigger/spark:{tag}", NOWHERE) for tag in ("before", "after"))


@pytest.fixture(scope="module")
def system() -> Iterator[Kubectl]:
    with control_plane() as plane:
        yield Kubectl(plane.kubeconfig, SYSTEM_NAMESPACE)


def images_of_operator(system: Kubectl) -> dict[str, str]:
    """Returns the images of runs, from the environment of the operator's container."""
    (container,) = system.json("get", "deployment", RELEASE)["spec"]["template"]["spec"]["containers"]
    environment = {variable["name"]: variable.get("value", "") for variable in container["env"]}
    return {role: environment[f"CLUSTERTRIGGER_{role.upper()}_IMAGE"] for role in ("worker", "spark")}


def not_needed() -> Image:
    raise AssertionError("nobody has enabled Spark")


def test_spark_stays_enabled_when_the_demo_is_repeated_with_the_image_of_the_checkout(system: Kubectl) -> None:
    helm = find_helm(system.kubeconfig, system.namespace)
    first = values_of_next_demo(system, BEFORE, not_needed)
    assert first == values_of_demo(BEFORE)
    helm.install(RELEASE, first, wait=False)
    assert images_of_operator(system) == {"worker": "clustertrigger/worker:before", "spark": ""}
    assert values_of_next_demo(system, AFTER, not_needed) == values_of_demo(AFTER)

    helm.upgrade(RELEASE, values_of_demo(BEFORE, SPARK_BEFORE), wait=False)
    helm.upgrade(RELEASE, values_of_next_demo(system, AFTER, lambda: SPARK_AFTER), wait=False)

    assert images_of_operator(system) == {
        "worker": "clustertrigger/worker:after",
        "spark": "clustertrigger/spark:after",
    }
    assert helm.values(RELEASE)["api"]["enabled"], "the page stays, too"
    helm.uninstall(RELEASE)
    assert helm.values(RELEASE) == {}
