"""Tests that the service matches its OpenAPI document: schemathesis with all its checks, and sequences of calls."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from harness.cluster.files import REPOSITORY
from harness.control_plane.api_process import ApiProcess
from harness.control_plane.sandbox import Sandbox
from tests.rest.callers import CLUSTER, UNIFIED, Caller, ok

EXAMPLES = "3"
"""Number of generated requests per operation, besides a few thousand that cover each rule of the document."""
LONGEST = 540


@pytest.mark.slow
@pytest.mark.timeout(LONGEST + 60)
def test_the_service_matches_its_document(
    shared_service: ApiProcess, caller: Caller, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Sends the same requests in each run: generation is deterministic, and one worker sends them."""
    words = [
        Path(sys.executable).parent / "schemathesis",
        "--config-file",
        REPOSITORY / "tests/rest/schemathesis.toml",
        "run",
        f"{shared_service.url}/openapi.json",
        *("--header", f"Authorization: {caller.http.headers['Authorization']}"),
        *("--header", f"X-Namespace: {sandbox.namespace}"),
        *("--checks", "all"),
        *("--phases", "examples,coverage,fuzzing,stateful"),
        *("--max-examples", EXAMPLES),
        *("--workers", "1"),
        *("--request-timeout", "60"),
        "--generation-deterministic",
        "--continue-on-failure",
        "--no-color",
    ]
    environment = {"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        list(map(str, words)),
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert f"✅  {phase}" in done.stdout, done.stdout[-5_000:]
    assert ok(caller.get(UNIFIED, limit=1))["total"] > 0, "nothing that was created is left"


def test_the_document_has_descriptions(anonymous: httpx.Client) -> None:
    document = anonymous.get("/openapi.json").json()
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(set(names)) == len(names)
    assert {"create_cluster_trigger", "create_trigger", "list_triggers", "history_trigger"} <= set(names)
    assert document["security"] == [{"KubernetesToken": []}]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert {"400", "401", "403", "404", "409", "422", "429", "500"} <= operation["responses"].keys(), path


def test_the_document_suits_generators(anonymous: httpx.Client) -> None:
    """The document is suitable for openapi-typescript: objects have keys, and a field with a default is required."""
    schemas = anonymous.get("/openapi.json").json()["components"]["schemas"]
    sent = {name: schema for name, schema in schemas.items() if schema.get("additionalProperties") is False}
    assert {"CreateClusterTrigger", "CreateUnifiedTrigger", "ListUnifiedTriggers", "HistoryPage"} <= sent.keys()
    for name, schema in sent.items():
        assert all("type" not in rule for rule in schema.get("allOf", ())), name
        assert all("default" not in field for field in schema["properties"].values()), name
    limit = sent["ListUnifiedTriggers"]["properties"]["limit"]["anyOf"]
    assert limit == [{"type": "integer", "minimum": 1, "maximum": 1000, "default": 50}, {"type": "null"}]
    # One type for each enumeration, whichever field has it.
    for name, values in {
        "TriggerStatus": ["active", "paused", "disabled", "failed"],
        "Direction": ["asc", "desc"],
    }.items():
        assert schemas[name] == {"title": name, "type": "string", "enum": values}
        text = json.dumps({other: schema for other, schema in schemas.items() if other != name})
        assert json.dumps(values) not in text
        assert f"#/components/schemas/{name}" in text


@pytest.mark.parametrize("path", [CLUSTER, UNIFIED])
def test_its_examples_are_accepted(anonymous: httpx.Client, caller: Caller, path: str) -> None:
    content = anonymous.get("/openapi.json").json()["paths"][path]["post"]["requestBody"]["content"]
    examples = content["application/json"]["examples"]
    assert examples.keys() == {"cron", "interval", "event", "conditional"}
    for example in examples.values():
        created = caller.create(example["value"], path)
        assert {name: created[name] for name in ("schedule_config", "description")} == {
            name: example["value"][name] for name in ("schedule_config", "description")
        }


def test_a_whole_number_with_a_decimal_point(caller: Caller) -> None:
    """JSON Schema and kubectl accept 60.0 for 60."""
    body = b'{"trigger_type": "interval", "schedule_config": {"interval_seconds": 60.0}, "cluster_id": "x"}'
    headers = {"Content-Type": "application/json"}
    created = ok(caller.http.post(CLUSTER, content=body, headers=headers))
    assert created["schedule_config"] == {"interval_seconds": 60}
    refused = caller.http.post(CLUSTER, content=body.replace(b"60.0", b"60.5"), headers=headers)
    assert refused.status_code == 422


def test_methods_of_each_path(caller: Caller) -> None:
    for path, methods in {
        UNIFIED: "GET, POST",
        f"{UNIFIED}/x": "DELETE, GET, PATCH",
        f"{CLUSTER}/list": "POST",
        f"{CLUSTER}/x/pause": "POST",
    }.items():
        answer = caller.http.request("PUT", path)
        assert (answer.status_code, answer.headers["allow"]) == (405, methods)
