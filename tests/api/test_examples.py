"""The examples: those of the API unchanged, and those for newcomers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from clustertrigger.api import API_VERSION
from clustertrigger.core.resources.catalog import REFERENTS
from clustertrigger.core.resources.validation import Problem, parse_trigger

EXAMPLES = Path(__file__).parents[2] / "examples"
PARSE: dict[str, Callable[[Any], tuple[object | None, list[Problem]]]] = {
    "ClusterTrigger": parse_trigger,
    **{referent.kind: referent.parse for referent in REFERENTS},
}

API_EXAMPLES: dict[str, dict[str, Any]] = {
    "cron": {
        "trigger_type": "cron",
        "schedule_config": {"cron_expression": "0 2 * * *", "timezone": "UTC"},
        "execution_config": {"collection_ids": ["col_abc123"], "config": {"algorithm": "kmeans", "n_clusters": 5}},
        "description": "Daily clustering at 2am",
    },
    "interval": {
        "trigger_type": "interval",
        "schedule_config": {"interval_seconds": 21600, "start_immediately": False},
        "execution_config": {
            "collection_ids": ["col_products"],
            "config": {"algorithm": "hdbscan", "min_cluster_size": 10},
        },
        "description": "Cluster every 6 hours",
    },
    "event": {
        "trigger_type": "event",
        "schedule_config": {
            "event_type": "documents_added",
            "event_threshold": 100,
            "collection_id": "col_abc123",
            "cooldown_seconds": 300,
        },
        "execution_config": {"collection_ids": ["col_abc123"], "config": {"algorithm": "kmeans", "n_clusters": 3}},
        "description": "Cluster after 100 new documents",
    },
    "conditional": {
        "trigger_type": "conditional",
        "schedule_config": {
            "condition_type": "drift",
            "threshold": 0.3,
            "metric": "cosine_drift",
            "check_interval_seconds": 3600,
        },
        "execution_config": {
            "collection_ids": ["col_abc123"],
            "config": {"algorithm": "hdbscan", "min_cluster_size": 5},
        },
        "description": "Re-cluster when drift > 30%",
    },
    "cluster-id": {
        "trigger_type": "interval",
        "schedule_config": {"interval_seconds": 3600, "start_immediately": True},
        "cluster_id": "cluster_xyz789",
        "description": "Hourly clustering using cluster_xyz789",
    },
}
SCHEDULES = {
    of_type: API_EXAMPLES[of_type]["schedule_config"] for of_type in ("cron", "interval", "event", "conditional")
}
ACTIONS: dict[str, dict[str, Any]] = {
    "cluster": {"cluster_id": "cluster_xyz789"},
    "taxonomy_enrichment": {
        "taxonomy_id": "tax_topics",
        "collection_id": "col_products",
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
    "batch_rerun": {"batch_id": "products-nightly-3f9a2c-20261121020000", "retry_failed_only": False},
}
MEASURED = {"cluster"}
"""Actions that go with trigger_type conditional."""
UNIFIED_EXAMPLES: dict[str, dict[str, Any]] = {
    f"unified-{action.replace('_', '-')}-{of_type}": {
        "action_type": action,
        "action_config": config,
        "trigger_type": of_type,
        "schedule_config": schedule,
    }
    for action, config in ACTIONS.items()
    for of_type, schedule in SCHEDULES.items()
    if of_type != "conditional" or action in MEASURED
}
"""Bodies of the unified page: each action with each type of schedule that it goes with."""
BODIES = API_EXAMPLES | UNIFIED_EXAMPLES


def manifests(path: Path) -> list[dict[str, Any]]:
    return [manifest for manifest in yaml.safe_load_all(path.read_text()) if manifest]


@pytest.mark.parametrize("name", BODIES)
def test_api_example_is_unchanged(name: str) -> None:
    [manifest] = manifests(EXAMPLES / "api" / f"{name}.yaml")
    assert manifest["spec"] == BODIES[name]


def test_there_are_no_other_api_examples() -> None:
    assert {path.stem for path in (EXAMPLES / "api").glob("*.yaml")} == BODIES.keys()


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.yaml")), ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_example_is_valid(path: Path) -> None:
    ours = [manifest for manifest in manifests(path) if manifest.get("apiVersion", "").startswith("clustertrigger.dev")]
    for manifest in ours:
        assert manifest["apiVersion"] == API_VERSION
        problems: list[Problem] = PARSE[manifest["kind"]](manifest["spec"])[1]
        assert not problems, f"{manifest['metadata']['name']}: {problems[0]}"


@pytest.mark.parametrize("name", ["cron", "interval", "by-cluster-id"])
def test_newcomers_examples_refer_to_what_is_there(name: str) -> None:
    given = [*manifests(EXAMPLES / "collection.yaml"), *manifests(EXAMPLES / f"{name}.yaml")]
    specs = [(manifest["kind"], manifest["spec"]) for manifest in given if "spec" in manifest]
    collections = {spec["collection_id"] for kind, spec in specs if kind == "Collection"}
    definitions = {spec["cluster_id"] for kind, spec in specs if kind == "ClusterDefinition"}

    for kind, spec in specs:
        work = spec.get("execution_config", {}) if kind == "ClusterTrigger" else spec
        assert set(work.get("collection_ids", ())) <= collections
        assert kind != "ClusterTrigger" or spec.get("cluster_id") in {None, *definitions}
