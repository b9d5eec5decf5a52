"""Tests of the examples: those of the API are accepted unchanged, and so are those for newcomers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from clustertrigger.api import API_VERSION
from clustertrigger.core.resources.catalog import REFERENTS
from clustertrigger.core.resources.validation import Problem, parse_trigger
from clustertrigger.rest.openapi import EXAMPLES as EXAMPLES_SHOWN
from harness.specs import valid

EXAMPLES = Path(__file__).parents[2] / "examples"
PARSE: dict[str, Callable[[Any], tuple[object | None, list[Problem]]]] = {
    "ClusterTrigger": parse_trigger,
    **{referent.kind: referent.parse for referent in REFERENTS},
}

CLUSTERED: dict[str, dict[str, Any]] = {
    "cron": {"collection_ids": ["col_abc123"], "config": {"algorithm": "kmeans", "n_clusters": 5}},
    "interval": {"collection_ids": ["col_products"], "config": {"algorithm": "hdbscan", "min_cluster_size": 10}},
    "event": {"collection_ids": ["col_abc123"], "config": {"algorithm": "kmeans", "n_clusters": 3}},
    "conditional": {"collection_ids": ["col_abc123"], "config": {"algorithm": "hdbscan", "min_cluster_size": 5}},
}
API_EXAMPLES: dict[str, dict[str, Any]] = {
    **{of_type: {**EXAMPLES_SHOWN[of_type], "execution_config": work} for of_type, work in CLUSTERED.items()},
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
    **valid.ACTIONS,
    "cluster": {"cluster_id": "cluster_xyz789"},
    "batch_rerun": {"batch_id": "products-nightly-3f9a2c-20261121020000", "retry_failed_only": False},
}
MEASURED = {"cluster"}
"""Actions that are valid with trigger_type conditional."""
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
"""Bodies of the unified page: each action with each type of schedule with which it is valid."""
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
def test_newcomers_examples_refer_to_existing_objects(name: str) -> None:
    given = [*manifests(EXAMPLES / "collection.yaml"), *manifests(EXAMPLES / f"{name}.yaml")]
    specs = [(manifest["kind"], manifest["spec"]) for manifest in given if "spec" in manifest]
    collections = {spec["collection_id"] for kind, spec in specs if kind == "Collection"}
    definitions = {spec["cluster_id"] for kind, spec in specs if kind == "ClusterDefinition"}

    for kind, spec in specs:
        work = spec.get("execution_config", {}) if kind == "ClusterTrigger" else spec
        assert set(work.get("collection_ids", ())) <= collections
        assert kind != "ClusterTrigger" or spec.get("cluster_id") in {None, *definitions}
