"""Triggers that stories apply by themselves: on an interval, with small requests, so that many runs share two cores."""

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
    """Return a trigger; by default one that fires on request only, as far as a story lasts.

    Args:
        name: of the trigger.
        config: the clustering.
        seconds: of its interval.
        at_once: whether it fires when it is applied, too.
        collection: collection_id of what is clustered.
        run: fields of spec.run.
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
    """Return a trigger that gives documents their nodes.

    Args:
        name: of the trigger.
        taxonomy_id: of the nodes.
        at_once: whether it fires when it is applied.
        collection_id: of the documents.
        config: further fields of spec.action_config.
    """
    spec = {
        "action_type": "taxonomy_enrichment",
        "action_config": {"taxonomy_id": taxonomy_id, "collection_id": collection_id, **config},
        "trigger_type": "interval",
        "schedule_config": {"interval_seconds": DAY, "start_immediately": at_once},
        "run": {"retries": 0, "resources": SMALL},
    }
    return trigger(name, spec)
