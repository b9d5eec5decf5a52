"""Tests of how IDs refer to objects."""

from __future__ import annotations

from typing import Any

import pytest

from clustertrigger.api.trigger import ClusterTriggerSpec
from clustertrigger.core.actions.cluster import ClusterWork
from clustertrigger.core.actions.registry import resolve
from clustertrigger.core.actions.work import Work
from clustertrigger.core.resources.catalog import COLLECTION, DEFINITION, Catalog, Unresolved

SOURCE = {"source": {"uri": "a.parquet"}, "volume": "data"}
CONFIG = {"algorithm": "kmeans", "n_clusters": 3}


def wants(collection: str = "col_a", cluster: str | None = None) -> ClusterTriggerSpec:
    work: dict[str, Any] = {"cluster_id": cluster} if cluster else {}
    if not cluster:
        work["execution_config"] = {"collection_ids": [collection], "config": CONFIG}
    return ClusterTriggerSpec.model_validate(
        {"trigger_type": "interval", "schedule_config": {"interval_seconds": 60}, **work}
    )


@pytest.fixture
def catalog() -> Catalog:
    catalog = Catalog()
    catalog.put(COLLECTION, "search", "products", {**SOURCE, "collection_id": "col_a"})
    catalog.put(COLLECTION, "search", "by-name", SOURCE)
    catalog.put(COLLECTION, "search", "twin-1", {**SOURCE, "collection_id": "col_twin"})
    catalog.put(COLLECTION, "search", "twin-2", {**SOURCE, "collection_id": "col_twin"})
    catalog.put(COLLECTION, "search", "broken", {"collection_id": "col_broken", "source": {"uri": "/etc"}})
    catalog.put(DEFINITION, "search", "def", {"cluster_id": "cluster_a", "collection_ids": ["col_a"], "config": CONFIG})
    catalog.put(DEFINITION, "search", "dangling", {"collection_ids": ["col_none"], "config": CONFIG})
    return catalog


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        (wants("col_a"), "col_a"),
        (wants("products"), "products"),
        (wants("by-name"), "by-name"),
        (wants(cluster="cluster_a"), "col_a"),
        (wants(cluster="def"), "col_a"),
    ],
)
def test_found_by_id_first_and_by_name_second(catalog: Catalog, spec: ClusterTriggerSpec, found: str) -> None:
    work = resolve(catalog, "search", spec)
    assert isinstance(work, Work)
    assert [collection for collection, _ in work.collections] == [found]


@pytest.mark.parametrize(
    ("spec", "namespace", "reason", "words"),
    [
        (wants("col_none"), "search", "CollectionNotFound", "'col_none'"),
        (wants("col_a"), "other", "CollectionNotFound", "in this namespace"),
        (wants("col_twin"), "search", "AmbiguousReference", "twin-1, twin-2"),
        (wants("col_broken"), "search", "InvalidReference", "Collection 'broken' is invalid: spec.source"),
        (wants(cluster="cluster_none"), "search", "DefinitionNotFound", "'cluster_none'"),
        (wants(cluster="dangling"), "search", "CollectionNotFound", "'col_none'"),
    ],
)
def test_unresolved(catalog: Catalog, spec: ClusterTriggerSpec, namespace: str, reason: str, words: str) -> None:
    unresolved = resolve(catalog, namespace, spec)
    assert isinstance(unresolved, Unresolved)
    assert unresolved.reason == reason
    assert words in unresolved.message


def test_a_duplicate_id_is_resolved_by_deletion_or_change(catalog: Catalog) -> None:
    catalog.remove(COLLECTION, "search", "twin-1")
    assert isinstance(resolve(catalog, "search", wants("col_twin")), Work)
    catalog.put(COLLECTION, "search", "twin-2", {**SOURCE, "collection_id": "col_other"})
    assert isinstance(resolve(catalog, "search", wants("col_twin")), Unresolved)
    assert isinstance(resolve(catalog, "search", wants("col_other")), Work)


def test_execution_config_takes_precedence_over_cluster_id(catalog: Catalog) -> None:
    both = ClusterTriggerSpec.model_validate(
        {
            "trigger_type": "interval",
            "schedule_config": {"interval_seconds": 60},
            "cluster_id": "cluster_a",
            "execution_config": {"collection_ids": ["by-name"], "config": CONFIG},
        }
    )
    work = resolve(catalog, "search", both)
    assert isinstance(work, ClusterWork)
    assert work.execution.collection_ids == ["by-name"]
