"""Tests of the CRDs on a recent API server: it accepts them, and enforces their rules, defaults and columns."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from codegen.crd import CLUSTER_DEFINITION, CLUSTER_TRIGGER, COLLECTION, KINDS, Kind
from harness.specs.case import Accepted, Refused
from harness.specs.cases import ACCEPTED, REFUSED
from harness.specs.valid import collection, definition, trigger
from tests.api.crd_server import CrdServer, RefusedError

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_crd_is_structural_and_served(crd_server: CrdServer, kind: Kind) -> None:
    conditions = crd_server.conditions(kind)

    assert conditions["Established"] == "True"
    assert conditions["NamesAccepted"] == "True"
    assert conditions.get("NonStructuralSchema", "False") == "False"


@pytest.mark.parametrize("case", ACCEPTED, ids=str)
def test_accepts(crd_server: CrdServer, case: Accepted) -> None:
    crd_server.create(case.kind, case.spec)


@pytest.mark.parametrize(
    "example", sorted((REPOSITORY / "examples" / "api").glob("*.yaml")), ids=lambda path: path.stem
)
def test_accepts_the_apis_own_examples(crd_server: CrdServer, example: Path) -> None:
    crd_server.create(CLUSTER_TRIGGER, yaml.safe_load(example.read_text())["spec"])


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_refuses_and_names_field_and_remedy(crd_server: CrdServer, case: Refused) -> None:
    with pytest.raises(RefusedError) as refused:
        crd_server.create(case.kind, case.spec)

    if case.rule:
        [(field, message)] = refused.value.causes
        assert field == case.field
        assert case.says in message
    elif refused.value.causes:
        assert case.field in {field for field, _ in refused.value.causes}
    else:
        assert f'unknown field "{case.field}"' in str(refused.value)


def test_defaults_are_stored_for_action_type_status_and_run_only(crd_server: CrdServer) -> None:
    spec = crd_server.create(CLUSTER_TRIGGER, trigger())["spec"]

    assert spec.pop("status") == "active"
    assert spec.pop("run") == {
        "concurrency_policy": "Forbid",
        "starting_deadline_seconds": 3600,
        "timeout_seconds": 21600,
        "pending_timeout_seconds": 600,
        "max_consecutive_failures": 5,
        "history_limit": 10,
        "retries": 1,
        "resources": {"requests": {"cpu": "1", "memory": "2Gi"}},
        "service_account_name": "default",
        "check": {
            "engine": "local",
            "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}},
            "timeout_seconds": 3600,
        },
        "engine": {"type": "local"},
        "report": {"map": "auto"},
    }
    assert spec.pop("action_type") == "cluster"
    assert spec == trigger()


def test_new_trigger_is_not_yet_observed(crd_server: CrdServer) -> None:
    """Otherwise kstatus reports the object as ready before the operator has processed it."""
    assert crd_server.create(CLUSTER_TRIGGER, trigger())["status"] == {"observedGeneration": -1}


def test_columns_of_triggers(crd_server: CrdServer) -> None:
    status = {
        "status": "active",
        "schedule": "0 2 * * * Europe/Berlin",
        "last_triggered_at": "2020-01-01T01:00:00Z",
        "last_execution_status": "completed",
        "next_scheduled_at": "2030-01-02T01:00:00Z",
        "is_overdue": True,
        "execution_count": 7,
        "failure_count": 1,
        "observedGeneration": 1,
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Scheduled",
                "message": "next run at 2030-01-02T01:00:00Z",
                "lastTransitionTime": "2020-01-01T00:00:00Z",
            }
        ],
    }
    with crd_server.created(CLUSTER_TRIGGER, trigger(), name="columns"):
        crd_server.write_status(CLUSTER_TRIGGER, "columns", status)
        narrow, wide = crd_server.table(CLUSTER_TRIGGER, "columns")

    assert [heading.upper() for heading in narrow] == [
        *("NAME", "TYPE", "SCHEDULE", "STATUS", "LAST RUN", "LAST RESULT", "NEXT RUN", "RUNS", "FAILURES", "AGE")
    ]
    assert narrow["Schedule"] == "0 2 * * * Europe/Berlin"
    assert re.match(r"\d+y", narrow["Last Run"]), "an age"
    assert narrow["Next Run"] == "2030-01-02T01:00:00Z"
    assert (narrow["Runs"], narrow["Failures"]) == (7, 1)
    assert wide == {
        "Action": "cluster",
        "Overdue": True,
        "Ready": "True",
        "Reason": "Scheduled",
        "Message": "next run at 2030-01-02T01:00:00Z",
    }


def test_columns_of_definitions_and_collections(crd_server: CrdServer) -> None:
    with crd_server.created(CLUSTER_DEFINITION, definition({"collection_ids": ["a", "b"]}), name="columns"):
        narrow, _ = crd_server.table(CLUSTER_DEFINITION, "columns")
    assert narrow | {"Age": ""} == {
        "Name": "columns",
        "Cluster ID": "cluster_products",
        "Algorithm": "kmeans",
        "Collections": '["a","b"]',
        "Age": "",
    }
    with crd_server.created(COLLECTION, collection({}), name="columns"):
        narrow, _ = crd_server.table(COLLECTION, "columns")
    assert narrow | {"Age": ""} == {
        "Name": "columns",
        "Collection ID": "col_products",
        "Volume": "documents",
        "URI": "products/*.parquet",
        "Age": "",
    }


def test_triggers_are_selected_by_type_and_status(crd_server: CrdServer) -> None:
    with (
        crd_server.created(CLUSTER_TRIGGER, trigger({"status": "paused"}), name="selected"),
        crd_server.created(CLUSTER_TRIGGER, trigger(of_type="interval"), name="other"),
    ):
        assert "selected" in crd_server.names(CLUSTER_TRIGGER, "spec.trigger_type=cron,spec.status=paused")
        assert "other" not in crd_server.names(CLUSTER_TRIGGER, "spec.trigger_type=cron")


def test_status_is_a_subresource(crd_server: CrdServer) -> None:
    with crd_server.created(CLUSTER_TRIGGER, trigger(), name="subresource") as created:
        written = crd_server.write_status(CLUSTER_TRIGGER, "subresource", {"event_counter": 3})

    assert written["status"] == {"observedGeneration": -1, "event_counter": 3}
    assert written["metadata"]["generation"] == created["metadata"]["generation"]
