"""The values of the demo's Helm release: the HTTP API and the page, and Spark after `make demo-spark`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.helm import find_helm
from harness.image import Image, Images
from harness.installation import RELEASE, operator_values, spark_values
from harness.kubectl import Kubectl

API = {"api": {"enabled": True, "replicas": 1}}
"""Values of the chart, which enable the HTTP API and the page."""


def values_of_demo(images: Images, spark: Image | None = None) -> dict[str, Any]:
    """Returns the chart's values for `make demo`; with an image of Spark, those for `make demo-spark`."""
    return operator_values(images, {**API, **(spark_values(spark.repository, spark.tag) if spark else {})})


def values_of_next_demo(system: Kubectl, images: Images, provide_spark: Callable[[], Image]) -> dict[str, Any]:
    """Returns the values for `make demo` in a cluster that may have the release of an earlier demo.

    Spark remains enabled, because otherwise the triggers of `make demo-spark` would be rejected.

    Args:
        system: Its namespace is the release's.
        images: The images of this checkout.
        provide_spark: Builds and loads the image with Spark; called only if the release has Spark enabled.

    Raises:
        ClusterError: Helm cannot read the release, or the image cannot be built.
    """
    current = find_helm(system.kubeconfig, system.namespace).values(RELEASE)
    is_enabled = current.get("spark", {}).get("enabled", False)
    return values_of_demo(images, provide_spark() if is_enabled else None)
