"""Makes interval triggers for stories, with small resource requests, so that many runs fit on two cores."""

from __future__ import annotations

from typing import Any

from e2e.stories.scene import Object
from harness.control_plane.manifests import trigger

SMALL = {"requests": {"cpu": "20m", "memory": "64Mi"}}
KMEANS = {"algorithm": "kmeans", "n_clusters": 3}
DAY = 86_400


def by_interval(
    name: str,
    config: Object = KMEANS,
    *,
    seconds: int = DAY,
    at_once: bool = False,
    collection: str = "col_packages",
    **run: Any,
) -> Object:
    """Return an interval trigger; by default, it fires only on request during a story.

    Args:
        name: Name of the trigger.
        config: Configuration of the clustering.
        seconds: Interval in seconds.
        at_once: Whether the trigger also fires when it is applied.
        collection: collection_id of the documents.
        run: Other fields of spec.run.
    """
    spec = {
        "trigger_type": "interval",
        "schedule_config": {"interval_seconds": seconds, **({"start_immediately": True} if at_once else {})},
        "execution_config": {"collection_ids": [collection], "config": config},
        "run": {"resources": SMALL, **run},
    }
    return trigger(name, spec)


def enriching(
    name: str, taxonomy_id: str, *, at_once: bool = True, collection_id: str = "taxonomy-packages", **config: Any
) -> Object:
    """Return a trigger that assigns nodes of a taxonomy to documents.

    Args:
        name: Name of the trigger.
        taxonomy_id: Taxonomy of the nodes.
        at_once: Whether the trigger fires when it is applied.
        collection_id: Collection of the documents.
        config: Other fields of spec.action_config.
    """
    spec = {
        "action_type": "taxonomy_enrichment",
        "action_config": {"taxonomy_id": taxonomy_id, "collection_id": collection_id, **config},
        "trigger_type": "interval",
        "schedule_config": {"interval_seconds": DAY, "start_immediately": at_once},
        "run": {"retries": 0, "resources": SMALL},
    }
    return trigger(name, spec)
