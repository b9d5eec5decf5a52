"""Tests of action cluster: which ClusterDefinition is used, and which filters apply."""

from __future__ import annotations

from typing import Any

import pytest

from clustercontract.filters import Filter
from clustercontract.run import RunSpec
from clustertrigger.api.conditions import Reason
from clustertrigger.core.actions.cluster import ClusterWork, merged
from clustertrigger.core.actions.registry import resolve
from clustertrigger.core.actions.work import Ask
from clustertrigger.core.resources.catalog import COLLECTION, DEFINITION, Catalog, Unresolved
from clustertrigger.core.resources.validation import parse_trigger
from tests.core.builders import DEFAULTS

Json = dict[str, Any]
GERMAN: Json = {"field": "language", "operator": "eq", "value": "de"}
FRENCH: Json = {"field": "language", "operator": "eq", "value": "fr"}
CHEAP: Json = {"field": "price", "operator": "lt", "value": 10}
LATE: Json = {"field": "year", "operator": "gte", "value": 2020}
CONFIG: Json = {"algorithm": "kmeans", "n_clusters": 2}


@pytest.mark.parametrize(
    ("definition", "trigger", "expected"),
    [
        pytest.param(None, None, None, id="none"),
        pytest.param(GERMAN, None, GERMAN, id="the definition's alone"),
        pytest.param(None, GERMAN, GERMAN, id="the trigger's alone"),
        pytest.param(GERMAN, CHEAP, {"AND": [GERMAN, CHEAP]}, id="other fields: both"),
        pytest.param(GERMAN, FRENCH, FRENCH, id="the same field: the trigger's"),
        pytest.param({"AND": [GERMAN, CHEAP]}, FRENCH, {"AND": [CHEAP, FRENCH]}, id="part of the definition's"),
        pytest.param({"OR": [GERMAN, CHEAP]}, FRENCH, FRENCH, id="a group that speaks of the field goes whole"),
        pytest.param({"OR": [LATE, CHEAP]}, FRENCH, {"AND": [{"OR": [LATE, CHEAP]}, FRENCH]}, id="another group stays"),
        pytest.param(CHEAP, {"AND": [FRENCH, LATE]}, {"AND": [CHEAP, FRENCH, LATE]}, id="no group in a group"),
        pytest.param(
            {"AND": [CHEAP], "NOT": [GERMAN]},
            LATE,
            {"AND": [{"AND": [CHEAP], "NOT": [GERMAN]}, LATE]},
            id="mixed group",
        ),
    ],
)
def test_filters_are_merged(definition: Json | None, trigger: Json | None, expected: Json | None) -> None:
    assert merged(read(definition), read(trigger)) == read(expected)


def read(written: Json | None) -> Filter | None:
    return None if written is None else Filter.model_validate(written)


def catalog(*, definition: Json | None = None, source: Json | None = None) -> Catalog:
    found = Catalog()
    found.put(
        COLLECTION,
        "search",
        "products",
        {"source": {"uri": "a.parquet", **({"filters": source} if source else {})}, "volume": "v"},
    )
    filters = {"filters": definition} if definition else {}
    spec = {"cluster_id": "cluster_a", "collection_ids": ["products"], "config": CONFIG, **filters}
    found.put(DEFINITION, "search", "a", spec)
    return found


def acting(filters: Json | None = None, **fields: Any) -> Any:
    config = {"cluster_id": "cluster_a", **({"filters": filters} if filters else {})}
    spec = {
        "trigger_type": "interval",
        "schedule_config": {"interval_seconds": 60},
        **(fields or {"action_type": "cluster", "action_config": config}),
    }
    parsed, problems = parse_trigger(spec)
    assert not problems
    return parsed


def run_spec(work: object, spec: Any) -> RunSpec:
    assert isinstance(work, ClusterWork)
    order = work.order(Ask("search", "products", "products-1", "2026-11-21T02:00:00Z", 7, spec.run, DEFAULTS))
    assert order.command == "run"
    return RunSpec.model_validate_json(order.value)


def test_the_long_form_is_the_short_one() -> None:
    long, short = acting(), acting(cluster_id="cluster_a")
    found = [run_spec(resolve(catalog(), "search", spec), spec) for spec in (long, short)]
    assert found[0] == found[1]
    assert found[0].config.n_clusters == 2
    assert found[0].collections[0].source.filters is None


def test_all_filters_reach_the_worker() -> None:
    spec = acting(FRENCH)
    told = run_spec(resolve(catalog(definition={"AND": [GERMAN, CHEAP]}, source=LATE), "search", spec), spec)
    assert told.collections[0].source.filters == Filter.model_validate({"AND": [LATE, CHEAP, FRENCH]})


def test_a_definitions_filters_count_in_the_short_form_too() -> None:
    spec = acting(cluster_id="cluster_a")
    told = run_spec(resolve(catalog(definition=GERMAN), "search", spec), spec)
    assert told.collections[0].source.filters == Filter.model_validate(GERMAN)


def test_too_many_filters_together_are_reported() -> None:
    many = {"AND": [{"field": f"f{n}", "operator": "eq", "value": n} for n in range(40)]}
    others = {"AND": [{"field": f"g{n}", "operator": "eq", "value": n} for n in range(40)]}
    found = resolve(catalog(source=many), "search", acting(others))
    assert isinstance(found, Unresolved)
    assert found.reason == Reason.INVALID_REFERENCE
    assert found.message == (
        "together with those of collection 'products', filters have 80 comparisons, and the limit is 64: use in to "
        "match many values"
    )


def test_a_missing_definition_is_reported() -> None:
    found = resolve(Catalog(), "search", acting())
    assert isinstance(found, Unresolved)
    assert (found.reason, "'cluster_a'" in found.message) == (Reason.DEFINITION_NOT_FOUND, True)
