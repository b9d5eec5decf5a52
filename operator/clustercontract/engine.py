"""Defines the engine of a run: whether one Pod does the work, or Apache Spark's executors on Kubernetes.

With Spark, the run's Pod is the driver (client mode): it makes the executors' Pods, with the token of its own service
account, and reads four variables of its environment that the downward API sets. The executors' Pods have the same image
and entry point as the driver, with the command EXECUTOR_COMMAND. They see the collections, the Secrets and the results
where the driver sees them: their template mounts the same claims at the same paths, and scratch space at /tmp.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from clustercontract.base import ApiModel
from clustercontract.mode import Mode

EngineType = Literal["local", "spark", "auto"]

POD_NAME_VARIABLE = "CLUSTERTRIGGER_POD_NAME"
POD_NAMESPACE_VARIABLE = "CLUSTERTRIGGER_POD_NAMESPACE"
POD_IP_VARIABLE = "CLUSTERTRIGGER_POD_IP"
POD_UID_VARIABLE = "CLUSTERTRIGGER_POD_UID"
PLACEMENT_VARIABLE = "CLUSTERTRIGGER_EXECUTOR_PLACEMENT"
"""The JSON of an ExecutorPlacement, or empty: where the run's admission to a queue places its executors."""

DRIVER_PORT = 7078
"""Port of the driver on which executors register and get their tasks."""
BLOCK_MANAGER_PORT = 7079
"""Port of the driver and of each executor for data blocks."""
EXECUTOR_CONTAINER = "executor"
"""Name of the container in the executors' Pod template that Spark completes."""
EXECUTOR_COMMAND = "executor"
"""The argument with which Spark starts the executors' container, so a command of the worker."""

EXECUTORS = 2
MOST_EXECUTORS = 200
PARTITION_ROWS = 1_000_000
LOCAL_BELOW = 50_000_000

SPARK_ACTIONS = ("cluster", "taxonomy_enrichment")
"""Actions that Spark's executors can carry out."""
SPARK_ALGORITHMS = (
    "kmeans",
    "gaussian_mixture",
    "hierarchical",
    "agglomerative",
    "spectral",
    "mean_shift",
    "hdbscan",
    "dbscan",
    "optics",
)
"""Algorithms that Spark's executors can carry out with mode full: clusters of a sample tell that of any document."""
SPARK_SOURCES = ("parquet",)
"""Types of sources that Spark's executors can read in parts."""


def spark_clusters(mode: Mode, algorithm: str) -> bool:
    """Tells whether Spark's executors can do the work of the action cluster.

    With mode assign, documents get the nearest centroid, whatever algorithm has found the clusters.
    """
    return mode == "assign" or (mode == "full" and algorithm in SPARK_ALGORITHMS)


class ExecutorPlacement(ApiModel):
    """What the executors' Pods get in addition to their template, because of the run's admission to a queue.

    It is not a part of Engine, because a Job's input cannot change, and every admission can have another placement.
    """

    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: list[dict[str, Any]] = Field(default_factory=list)

    def applied_to(self, template: Mapping[str, Any]) -> dict[str, Any]:
        """Returns a Pod of core/v1 with this placement."""
        metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
        before = spec.get("tolerations") or []
        added = {
            "labels": {**(metadata.get("labels") or {}), **self.labels},
            "annotations": {**(metadata.get("annotations") or {}), **self.annotations},
        }
        return {
            **template,
            "metadata": {**metadata, **{field: value for field, value in added.items() if value}},
            "spec": {
                **spec,
                "nodeSelector": {**(spec.get("nodeSelector") or {}), **self.node_selector},
                "tolerations": [*before, *(one for one in self.tolerations if one not in before)],
            },
        }


class Engine(ApiModel):
    """What the driver needs to create executors. A run without it is local."""

    type: Literal["spark", "auto"] = Field(
        description="auto: the work is done by the driver itself up to local_below documents."
    )
    executors: int = Field(EXECUTORS, ge=1, le=MOST_EXECUTORS, description="Number of executors.")
    image: str = Field(description="Image of the executors, which is the driver's.")
    service_account_name: str = Field("default", description="Service account of the executors.")
    executor_cores: int = Field(1, ge=1, description="Tasks that an executor carries out at the same time.")
    executor_cpu_request: str = Field("1", description="The executor's CPU request, a quantity.")
    executor_cpu_limit: str | None = Field(None, description="The executor's CPU limit, a quantity.")
    executor_memory: int = Field(
        ge=1, description="The executor's memory, as request and as limit, in MiB; it includes Spark's overhead."
    )
    executor_template: dict[str, Any] = Field(
        default_factory=dict,
        description="A Pod of core/v1, with the volumes, the security context and the placement of the executors. "
        f"Spark completes its container {EXECUTOR_CONTAINER}.",
    )
    partition_rows: int = Field(
        PARTITION_ROWS,
        ge=1,
        description="Maximum number of documents per partition. A row group of a file is never divided.",
    )
    local_below: int = Field(LOCAL_BELOW, ge=0, description="auto: Spark is used above this number of documents.")
    pending_seconds: int = Field(
        600, ge=1, description="How long the driver waits while there is no executor, in seconds."
    )

    def distributes(self, documents: int) -> bool:
        """Returns whether the executors process this number of documents."""
        return self.type == "spark" or documents > self.local_below
