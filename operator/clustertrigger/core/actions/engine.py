"""Decides about the engine of a run: the input of Spark's driver, and the work that executors cannot do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from clustercontract.clustering import ClusteringConfig
from clustercontract.engine import (
    EXECUTORS,
    LOCAL_BELOW,
    PARTITION_ROWS,
    SPARK_SOURCES,
    Engine,
    spark_clusters,
)
from clustercontract.mode import Mode
from clustertrigger.api.collection import CollectionSpec
from clustertrigger.api.conditions import Reason
from clustertrigger.api.engine import EnginePolicy, ExecutorPolicy
from clustertrigger.api.run_policy import RunPolicy
from clustertrigger.api.trigger import SPARK_NEEDS_CENTROIDS
from clustertrigger.core.resources.catalog import Unresolved
from clustertrigger.core.resources.pod_settings import executor_memory, quantity

_DEFAULT_MEMORY = 2048


def engine_input(run: RunPolicy, image: str, executor_template: Mapping[str, Any]) -> Engine:
    """Returns the worker's input about its executors.

    Args:
        run: how the trigger's Jobs are run; its engine has executors.
        image: of the run's Pod, and so of the executors.
        executor_template: the executors' Pod, of core/v1.
    """
    policy = run.engine
    resources = (policy.executor or ExecutorPolicy()).resources
    request, limit = resources.requests.get("cpu"), resources.limits.get("cpu")
    cpus = limit if limit is not None else request if request is not None else 1
    return Engine(
        type="auto" if policy.type == "auto" else "spark",
        executors=policy.executors or EXECUTORS,
        image=image,
        service_account_name=run.service_account_name,
        executor_cores=max(1, int(quantity(cpus) or 1)),
        executor_cpu_request=str(cpus if request is None else request),
        executor_cpu_limit=None if limit is None else str(limit),
        executor_memory=executor_memory(resources) or _DEFAULT_MEMORY,
        executor_template=dict(executor_template),
        partition_rows=policy.partition_rows or PARTITION_ROWS,
        pending_seconds=run.pending_timeout_seconds,
        local_below=LOCAL_BELOW if policy.local_below is None else policy.local_below,
    )


def why_not_distributed(
    engine: EnginePolicy, mode: Mode, config: ClusteringConfig, collections: Iterable[tuple[str, CollectionSpec]]
) -> Unresolved | None:
    """Why Spark's executors cannot do the work of the action cluster, which other objects than the trigger define.

    Args:
        engine: of the trigger.
        mode: of the run.
        config: of the clustering.
        collections: that are read, each with the id by which it was named.
    """
    if engine.has_executors and not spark_clusters(mode, config.algorithm):
        return Unresolved(
            Reason.INVALID_REFERENCE, f"run.engine: algorithm {config.algorithm!r}: {SPARK_NEEDS_CENTROIDS}"
        )
    return why_not_read_in_parts(engine, collections)


def why_not_read_in_parts(engine: EnginePolicy, collections: Iterable[tuple[str, CollectionSpec]]) -> Unresolved | None:
    """Why Spark's executors cannot read these documents; arguments as of `why_not_distributed`."""
    if not engine.has_executors:
        return None
    for name, collection in collections:
        if collection.source.type not in SPARK_SOURCES:
            return Unresolved(
                Reason.INVALID_REFERENCE,
                f"run.engine: Collection {name!r} has source type {collection.source.type}: engine type spark or auto "
                f"supports {', '.join(SPARK_SOURCES)} only: name another Collection, or set engine.type: local",
            )
    return None
