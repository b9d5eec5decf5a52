"""Tests of the input of Spark's driver, and of errors that depend on objects other than the trigger."""

from __future__ import annotations

from typing import Any

import pytest

from clustercontract.clustering import ClusteringConfig
from clustercontract.mode import Mode
from clustertrigger.api.collection import CollectionSpec
from clustertrigger.api.conditions import Reason
from clustertrigger.api.engine import EnginePolicy
from clustertrigger.api.run_policy import RunPolicy
from clustertrigger.core.actions.engine import engine_input, why_not_distributed
from clustertrigger.core.resources.catalog import Unresolved

TEMPLATE = {"spec": {"containers": [{"name": "executor"}]}}
FILES = CollectionSpec.model_validate({"source": {"uri": "s3://vectors/"}})
TABLE = CollectionSpec.model_validate(
    {"source": {"type": "postgresql", "uri": "postgresql://db/shop", "table": "documents", "secret_name": "db"}}
)
EVOC = {"algorithm": "evoc"}
KMEANS = {"algorithm": "kmeans", "n_clusters": 5}


def told(engine: dict[str, Any], **run: Any) -> dict[str, Any]:
    found = engine_input(RunPolicy.model_validate({"engine": engine, **run}), "spark:1", TEMPLATE)
    return found.model_dump()


@pytest.mark.parametrize(("engine", "has"), [({}, False), ({"type": "local"}, False), ({"type": "auto"}, True)])
def test_a_local_run_has_no_executors(engine: dict[str, Any], has: bool) -> None:
    assert RunPolicy.model_validate({"engine": engine}).engine.has_executors is has


def test_defaults() -> None:
    assert told({"type": "spark"}, service_account_name="clustering", pending_timeout_seconds=90) == {
        "type": "spark",
        "executors": 2,
        "image": "spark:1",
        "service_account_name": "clustering",
        "executor_cores": 1,
        "executor_cpu_request": "1",
        "executor_cpu_limit": None,
        "executor_memory": 2048,
        "executor_template": TEMPLATE,
        "partition_rows": 1_000_000,
        "local_below": 50_000_000,
        "pending_seconds": 90,
    }


@pytest.mark.parametrize(
    ("resources", "cores", "request_", "limit", "memory"),
    [
        ({"requests": {"cpu": "1500m", "memory": "4Gi"}}, 1, "1500m", None, 4096),
        ({"requests": {"cpu": 3}, "limits": {"cpu": 4, "memory": "8G"}}, 4, "3", "4", 7629),
        ({"limits": {"cpu": "500m", "memory": "2Gi"}}, 1, "500m", "500m", 2048),
        ({"requests": {"memory": "3Gi"}, "limits": {"memory": "5Gi"}}, 1, "1", None, 5120),
        ({}, 1, "1", None, 2048),
    ],
)
def test_resources(resources: dict[str, Any], cores: int, request_: str, limit: str | None, memory: int) -> None:
    found = told({"type": "auto", "local_below": 0, "executor": {"resources": resources}})
    assert (found["executor_cores"], found["executor_cpu_request"]) == (cores, request_)
    assert (found["executor_cpu_limit"], found["executor_memory"]) == (limit, memory)
    assert (found["type"], found["local_below"]) == ("auto", 0)


@pytest.mark.parametrize(
    ("engine", "mode", "config", "collections", "says"),
    [
        ("local", "full", EVOC, [("a", TABLE)], None),
        ("local", "composite", EVOC, [("a", TABLE)], None),
        ("spark", "full", KMEANS, [("a", FILES)], None),
        ("auto", "full", KMEANS, [("a", FILES), ("b", FILES)], None),
        ("spark", "assign", KMEANS, [("a", FILES)], None),
        ("auto", "assign", EVOC, [("a", FILES)], None),
        (
            "spark",
            "assign",
            EVOC,
            [("a", TABLE)],
            "run.engine: Collection 'a' has source type postgresql: engine type spark or auto supports parquet only",
        ),
        (
            "auto",
            "full",
            EVOC,
            [("a", FILES)],
            "run.engine: algorithm 'evoc': engine type spark or auto supports algorithm kmeans, gaussian_mixture",
        ),
        (
            "spark",
            "full",
            KMEANS,
            [("a", FILES), ("b", TABLE)],
            "run.engine: Collection 'b' has source type postgresql: engine type spark or auto supports parquet only",
        ),
    ],
)
def test_unsupported_work_of_executors_is_rejected(
    engine: str, mode: Mode, config: dict[str, Any], collections: list[tuple[str, CollectionSpec]], says: str | None
) -> None:
    policy, wanted = EnginePolicy.model_validate({"type": engine}), ClusteringConfig.model_validate(config)
    found = why_not_distributed(policy, mode, wanted, collections)
    if says is None:
        assert found is None
    else:
        assert isinstance(found, Unresolved)
        assert found.reason is Reason.INVALID_REFERENCE
        assert found.message.startswith(says)
