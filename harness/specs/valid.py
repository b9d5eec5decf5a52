"""Valid specs of every kind, and changes to them by dotted path."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

Spec = dict[str, Any]
ABSENT = object()

KMEANS: Spec = {"algorithm": "kmeans", "n_clusters": 5}
HDBSCAN: Spec = {"algorithm": "hdbscan", "min_cluster_size": 10}
HIERARCHICAL: Spec = {"algorithm": "hierarchical", "n_clusters": 3}
DBSCAN: Spec = {"algorithm": "dbscan", "eps": 0.3}
EVOC: Spec = {"algorithm": "evoc"}
SPECTRAL: Spec = {"algorithm": "spectral", "n_clusters": 3}
GAUSSIAN_MIXTURE: Spec = {"algorithm": "gaussian_mixture", "n_components": 3}
MEAN_SHIFT: Spec = {"algorithm": "mean_shift"}
OPTICS: Spec = {"algorithm": "optics"}
WORK: Spec = {"collection_ids": ["col_products"], "config": KMEANS}

SCHEDULES: dict[str, Spec] = {
    "cron": {"cron_expression": "0 2 * * *", "timezone": "Europe/Berlin"},
    "interval": {"interval_seconds": 3600, "start_immediately": True},
    "event": {
        "event_type": "documents_added",
        "event_threshold": 100,
        "collection_id": "col_products",
        "cooldown_seconds": 300,
    },
    "conditional": {
        "condition_type": "drift",
        "threshold": 0.3,
        "metric": "cosine_drift",
        "check_interval_seconds": 3600,
        "min_documents": 50,
    },
}
ACTIONS: dict[str, Spec] = {
    "cluster": {
        "cluster_id": "cluster_xyz789",
        "filters": {"field": "language", "operator": "eq", "value": "de"},
        "output_collection_ids": ["col_labels"],
    },
    "batch_rerun": {
        "batch_id": "products-nightly-3f9a2c-20261121020000",
        "filters": {"field": "language", "operator": "eq", "value": "de"},
        "retry_failed_only": True,
    },
    "taxonomy_enrichment": {
        "taxonomy_id": "tax_topics",
        "collection_id": "col_products",
        "target_collection_id": "col_labelled",
        "incremental": True,
        "batch_size": 1000,
        "parallelism": 4,
    },
    "collection_trigger": {
        "collection_id": "col_abc123",
        "include_buckets": ["bkt_photos"],
        "include_collections": ["col_raw"],
        "source_filters": {"AND": [{"field": "language", "operator": "eq", "value": "de"}]},
    },
}
RUNS = ["products-nightly-3f9a2c-20261121020000", "reviews-nightly-9c1b22-20261121020000"]
CHAIN: Spec = {
    "trigger_type": "event",
    "schedule_config": {"event_type": "run_completed", "event_threshold": 1, "collection_id": "col_labels"},
}
"""Of a trigger that follows the runs of another one."""


def trigger(changes: Mapping[str, Any] = {}, *, of_type: str = "cron") -> Spec:
    """Returns a valid trigger of the type, with changes by dotted path; ABSENT removes a field."""
    spec = {"trigger_type": of_type, "schedule_config": SCHEDULES[of_type], "execution_config": WORK}
    return changed(spec, changes)


def acting(action: str, config: Mapping[str, Any] = {}, changes: Mapping[str, Any] = {}) -> Spec:
    """Returns a valid trigger of the action, with changes to its config and to itself."""
    spec = {"action_type": action, "action_config": changed(ACTIONS[action], config), "execution_config": ABSENT}
    return changed(trigger(spec), changes)


def clustering(config: Spec, changes: Mapping[str, Any] = {}) -> Spec:
    """Returns a valid trigger with this config."""
    return trigger({"execution_config.config": changed(config, changes)})


def definition(changes: Mapping[str, Any]) -> Spec:
    """Returns a valid definition, with changes by dotted path."""
    return changed({"cluster_id": "cluster_products", **WORK}, changes)


def taxonomy(changes: Mapping[str, Any]) -> Spec:
    """Returns a valid hierarchical taxonomy, with changes by dotted path."""
    spec = {
        "taxonomy_id": "tax_topics",
        "collection_id": "col_topics",
        "label_column": "label",
        "parent_column": "parent_id",
        "top_k": 3,
        "min_score": 0.25,
    }
    return changed(spec, changes)


def collection(changes: Mapping[str, Any]) -> Spec:
    """A valid collection on a volume."""
    spec = {"collection_id": "col_products", "source": {"uri": "products/*.parquet"}, "volume": "documents"}
    return changed(spec, changes)


def database(changes: Mapping[str, Any]) -> Spec:
    """A valid collection in PostgreSQL, with changes to its source."""
    source = {
        "type": "postgresql",
        "uri": "postgresql://db:5432/shop",
        "table": "public.documents",
        "secret_name": "db",
    }
    return {"source": changed(source, changes)}


def qdrant(changes: Mapping[str, Any]) -> Spec:
    """A valid collection in Qdrant, with changes to its source."""
    return {"source": changed({"type": "qdrant", "uri": "http://qdrant:6333", "collection": "documents"}, changes)}


def changed(spec: Spec, changes: Mapping[str, Any]) -> Spec:
    """Returns a copy of the spec with changes by dotted path."""
    spec = deepcopy(spec)
    for path, value in changes.items():
        *parents, last = path.split(".")
        at = spec
        for parent in parents:
            at = at.setdefault(parent, {})
        if value is ABSENT:
            at.pop(last, None)
        else:
            at[last] = value
    return spec
