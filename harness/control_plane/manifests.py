"""Creates the resources for tests."""

from __future__ import annotations

from typing import Any

from clustertrigger.api import API_VERSION

Object = dict[str, Any]

COLLECTION = "col_products"
TAXONOMY = "tax_topics"
NOWHERE = {"kubernetes.io/hostname": "no-such-node"}
"""Node selector that matches no node, because the tests simulate the kubelet even if a scheduler runs."""


def collection(name: str = "products", collection_id: str = COLLECTION) -> Object:
    """Returns a Collection."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Collection",
        "metadata": {"name": name},
        "spec": {"collection_id": collection_id, "source": {"uri": "products.parquet"}, "volume": "documents"},
    }


def interval(seconds: int, *, start_immediately: bool = False, **others: Any) -> Object:
    """Returns the spec of an interval trigger; see `spec` for other keywords."""
    schedule = {"interval_seconds": seconds, "start_immediately": start_immediately}
    return spec("interval", schedule, **others)


def cron(expression: str, timezone: str = "UTC", **others: Any) -> Object:
    """Returns the spec of a cron trigger; see `spec` for other keywords."""
    return spec("cron", {"cron_expression": expression, "timezone": timezone}, **others)


def conditional(seconds: int, *, threshold: float = 0.3, **others: Any) -> Object:
    """Returns the spec of a conditional trigger on cosine_drift; see `spec` for other keywords."""
    schedule = {
        "condition_type": "drift",
        "metric": "cosine_drift",
        "threshold": threshold,
        "check_interval_seconds": seconds,
    }
    return spec("conditional", schedule, **others)


def rarely(**others: Any) -> Object:
    """Returns the spec of a trigger that does not fire by itself during a test."""
    return interval(86_400, **others)


def rerun(batch_id: str, of: Object, **config: Any) -> Object:
    """Returns the spec of a trigger that repeats a batch, with the schedule of another one.

    Keywords are fields of action_config.
    """
    others = {field: value for field, value in of.items() if field != "execution_config"}
    return {**others, "action_type": "batch_rerun", "action_config": {"batch_id": batch_id, **config}}


def taxonomy(name: str = "topics", taxonomy_id: str = TAXONOMY, **others: Any) -> Object:
    """Returns a Taxonomy whose nodes are in a Collection; keywords are fields of its spec."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Taxonomy",
        "metadata": {"name": name},
        "spec": {"taxonomy_id": taxonomy_id, "collection_id": COLLECTION, "label_column": "label", **others},
    }


def enrichment(of: Object, **config: Any) -> Object:
    """Returns the spec of a trigger that assigns nodes, with the schedule of another one.

    Keywords are fields of action_config.
    """
    others = {field: value for field, value in of.items() if field != "execution_config"}
    ids = {"taxonomy_id": TAXONOMY, "collection_id": COLLECTION}
    return {**others, "action_type": "taxonomy_enrichment", "action_config": {**ids, **config}}


def processing(of: Object, collection_id: str = COLLECTION, **config: Any) -> Object:
    """Returns the spec of a trigger that processes a collection, with the schedule of another one.

    Keywords are fields of action_config.
    """
    others = {field: value for field, value in of.items() if field != "execution_config"}
    return {
        **others,
        "action_type": "collection_trigger",
        "action_config": {"collection_id": collection_id, **config},
    }


def pod_template(name: str, *, runnable: bool = True, **spec: Any) -> Object:
    """Returns a PodTemplate of the core API; keywords are fields of its Pod's spec."""
    labels = {"clustertrigger.dev/runnable": "true"} if runnable else {}
    pod = {"containers": [{"name": "embed", "image": "embed:test"}], **spec}
    return {"metadata": {"name": name, "labels": labels}, "template": {"spec": pod}}


def events(threshold: int, *, cooldown: int = 0, collection_id: str = COLLECTION, **others: Any) -> Object:
    """Returns the spec of a trigger that counts documents_added for a collection; see `spec` for other keywords."""
    schedule = {
        "event_type": "documents_added",
        "event_threshold": threshold,
        "collection_id": collection_id,
        "cooldown_seconds": cooldown,
    }
    return spec("event", schedule, **others)


def trigger(name: str, spec: Object, **metadata: Any) -> Object:
    """Returns a ClusterTrigger; keywords are fields of its metadata."""
    return {
        "apiVersion": API_VERSION,
        "kind": "ClusterTrigger",
        "metadata": {"name": name, **metadata},
        "spec": spec,
    }


def spec(
    trigger_type: str, schedule: Object, *, status: str = "active", collection_id: str = COLLECTION, **run: Any
) -> Object:
    """Returns a spec with the fields of all types of triggers; other keywords are fields of spec.run."""
    return {
        "trigger_type": trigger_type,
        "schedule_config": schedule,
        "execution_config": {"collection_ids": [collection_id], "config": {"algorithm": "kmeans", "n_clusters": 5}},
        "status": status,
        "run": {"retries": 0, "node_selector": NOWHERE, **run},
    }
