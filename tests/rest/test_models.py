"""Tests of the answers against the API's own pages: each field, its type, and whether it can be null."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import BaseModel

from clustercontract.actions.config import ActionType
from clustertrigger.rest.actions import ACTIONS
from clustertrigger.rest.models import ClusterTrigger, UnifiedTrigger
from harness.control_plane.sandbox import Sandbox
from tests.rest.callers import CLUSTER, UNIFIED, Caller, every, ok, unified

# Of each field: its type on the page, with "| null" where the page says so; * where it is required.
COMMON = {
    "namespace_id": "string*",
    "internal_id": "string*",
    "trigger_type": "string*",
    "schedule_config": "object*",
    "trigger_id": "string",
    "status": "string",
    "last_triggered_at": "time | null",
    "next_scheduled_at": "time | null",
    "execution_count": "integer",
    "consecutive_failures": "integer",
    "last_execution_status": "string | null",
    "last_execution_error": "string | null",
    "event_counter": "integer",
    "last_cooldown_at": "time | null",
    "created_at": "time",
    "updated_at": "time",
    "created_by": "string | null",
    "description": "string | null",
}
PAGES: dict[str, dict[str, str]] = {
    CLUSTER: {
        **COMMON,
        "execution_config": "object*",
        "cluster_id": "string | null",
        "last_execution_job_id": "string | null",
    },
    UNIFIED: {
        **COMMON,
        "action_type": "string*",
        "action_config": "object*",
        "last_execution_task_id": "string | null",
        "baseline_snapshot": "object",
        "last_drift_measurement": "object",
        "last_condition_check_at": "time | null",
        # Not on the page, and expected by clients.
        "name": "string*",
        "last_volume_measurement": "object",
        "is_overdue": "boolean",
    },
}
MODELS: dict[str, type[BaseModel]] = {CLUSTER: ClusterTrigger, UNIFIED: UnifiedTrigger}
JSON = {"string": str, "object": dict, "time": str, "integer": int, "boolean": bool}


def shape(schema: dict[str, Any], document: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " | ".join(shape(one, document) for one in schema["anyOf"])
    if "$ref" in schema:
        return shape(document["$defs"][schema["$ref"].rpartition("/")[2]], document)
    return "time" if schema.get("format") == "date-time" else str(schema["type"])


@pytest.mark.parametrize("path", PAGES)
def test_declared_types(path: str) -> None:
    document = MODELS[path].model_json_schema(mode="serialization")
    declared = {name: shape(schema, document) for name, schema in document["properties"].items()}
    assert declared == {name: told.removesuffix("*") for name, told in PAGES[path].items()}
    assert set(document["required"]) == set(declared)


@pytest.mark.parametrize("path", PAGES)
def test_types_of_answers(caller: Caller, sandbox: Sandbox, path: str) -> None:
    new = caller.create(every() if path == CLUSTER else unified(every()), path)
    sandbox.trigger("full", every(description="All fields"))
    known = {
        "observedGeneration": 1,
        "trigger_id": new["trigger_id"],
        "last_triggered_at": "2026-01-01T00:00:00Z",
        "next_scheduled_at": "2026-01-02T00:00:00Z",
        "last_execution_job_id": "job",
        "last_execution_task_id": "job",
        "last_execution_status": "failed",
        "last_execution_error": "why",
        "last_cooldown_at": "2026-01-01T00:00:00Z",
        "last_condition_check_at": "2026-01-01T00:00:00Z",
        "created_by": "alice",
        "baseline_snapshot": {"run": "job"},
        "last_drift_measurement": {"value": 0.1},
        "execution_count": 3,
        "failure_count": 2,
        "consecutive_failures": 1,
        "event_counter": 7,
    }
    status = f"/apis/clustertrigger.dev/v1alpha1/namespaces/{sandbox.namespace}/clustertriggers/full/status"
    sandbox.kube.patch(status, {"status": known})
    full = ok(caller.get(f"{path}/full"))
    for answer in (new, full):
        assert answer.keys() == PAGES[path].keys()
        MODELS[path].model_validate(answer)
        for name, told in PAGES[path].items():
            kind, _, null = told.removesuffix("*").partition(" | ")
            assert isinstance(answer[name], JSON[kind]) or (null and answer[name] is None), name
    assert full["execution_count"] == (5 if path == CLUSTER else 3)
    shown = {
        name: value for name, value in known.items() if name in full and name not in ("execution_count", "trigger_id")
    }
    assert {name: full[name] for name in shown} == shown
    if path == UNIFIED:
        assert (new["is_overdue"], full["is_overdue"]) == (False, True)


def test_each_action_of_a_trigger_has_an_operation() -> None:
    assert set(ACTIONS) == set(get_args(ActionType))
