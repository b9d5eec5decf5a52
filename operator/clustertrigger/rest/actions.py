"""Describes each action_type in the terms of the unified API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from clustercontract.actions.batch_rerun import BatchRerun
from clustercontract.actions.collection_trigger import CollectionTrigger
from clustercontract.actions.config import OutputIds
from clustercontract.actions.taxonomy_enrichment import TaxonomyEnrichment
from clustercontract.base import ApiId, ApiModel
from clustercontract.filters import Filter
from clustercontract.mode import Moded
from clustertrigger.api.definition import ExecutionConfig

Spec = Mapping[str, Any]


class ClusterAction(Moded):
    """Cluster collections, as defined by execution_config or by the ClusterDefinition of cluster_id."""

    cluster_id: ApiId | None = None
    filters: Filter | None = None
    output_collection_ids: OutputIds | None = None
    execution_config: ExecutionConfig | None = None


@dataclass(frozen=True)
class Action:
    """One action_type.

    Attributes:
        task_type: Type of the tasks that its runs are.
        config: Model of action_config.
        write: Returns the fields of a trigger's spec for an action_config.
        read: Returns the action_config of a trigger's spec.
        refers_to: Returns the ids of the objects that a trigger's spec acts on.
    """

    task_type: str
    config: type[ApiModel]
    write: Callable[[Mapping[str, Any]], dict[str, Any]]
    read: Callable[[Spec], dict[str, Any]]
    refers_to: Callable[[Spec], set[str]]


def cluster_id_of(spec: Spec) -> str | None:
    """Returns the ClusterDefinition that a trigger's spec refers to, in the short form or in action_config."""
    found = spec.get("cluster_id") or (spec.get("action_config") or {}).get("cluster_id")
    return str(found) if found else None


def _cluster_spec(config: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(config.get("execution_config"), Mapping):
        moded = {name: config[name] for name in Moded.model_fields if name in config}
        others = {name: value for name, value in config.items() if name not in moded}
        config = {**others, "execution_config": {**moded, **config["execution_config"]}}
    names = ("cluster_id", "filters", "output_collection_ids", *Moded.model_fields)
    if not {*names[1:]} & config.keys():
        return dict(config)
    action_config = {name: config[name] for name in names if name in config}
    short = {name: value for name, value in config.items() if name not in action_config}
    return {"action_type": CLUSTER, "action_config": action_config, **short}


def _cluster_config(spec: Spec) -> dict[str, Any]:
    short = {name: spec[name] for name in ("cluster_id", "execution_config") if name in spec}
    return {**(spec.get("action_config") or {}), **short}


def _clustered(spec: Spec) -> set[str]:
    ids = set((spec.get("execution_config") or {}).get("collection_ids") or ())
    return ids | {cluster_id} if (cluster_id := cluster_id_of(spec)) else ids


def _written(action_type: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Returns the spec of an action without a short form."""
    return lambda config: {"action_type": action_type, "action_config": dict(config)}


def _config(spec: Spec) -> dict[str, Any]:
    return dict(spec.get("action_config") or {})


def _named(*fields: str) -> Callable[[Spec], set[str]]:
    """Returns the ids in these fields of action_config."""
    return lambda spec: {str(found) for field in fields if (found := _config(spec).get(field))}


CLUSTER = "cluster"
TAXONOMY_ENRICHMENT = "taxonomy_enrichment"
BATCH_RERUN = "batch_rerun"
COLLECTION_TRIGGER = "collection_trigger"
ACTIONS: dict[str, Action] = {
    CLUSTER: Action("engine_cluster_build", ClusterAction, _cluster_spec, _cluster_config, _clustered),
    TAXONOMY_ENRICHMENT: Action(
        "api_taxonomies_execute",
        TaxonomyEnrichment,
        _written(TAXONOMY_ENRICHMENT),
        _config,
        _named("taxonomy_id", "collection_id", "target_collection_id"),
    ),
    BATCH_RERUN: Action("api_buckets_batches_process", BatchRerun, _written(BATCH_RERUN), _config, _named("batch_id")),
    COLLECTION_TRIGGER: Action(
        "api_collections_trigger", CollectionTrigger, _written(COLLECTION_TRIGGER), _config, _named("collection_id")
    ),
}
"""Actions by action_type. An error message for any other one lists them."""


def action_of(spec: Spec) -> str:
    """Returns the action_type of a trigger's spec."""
    return str(spec.get("action_type") or CLUSTER)
