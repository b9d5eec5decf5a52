"""Tests that a client of openapi-python-client reads every answer as the type that the document declares."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

import attrs
import pytest

from clustercontract.run import RunResult
from harness.control_plane.api_process import ApiProcess
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Object, eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.sandbox import Sandbox
from harness.control_plane.tokens import token_of
from tests.rest.callers import every, unified

PACKAGE = "generated_client"


@pytest.fixture(scope="module")
def generated(shared_service: ApiProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The generated package, as long as the tests of this file run."""
    directory = tmp_path_factory.mktemp("generated")
    tools = Path(sys.executable).parent
    words = [
        *(tools / "openapi-python-client", "generate", "--url", f"{shared_service.url}/openapi.json"),
        *("--meta", "none", "--output-path", directory / PACKAGE, "--fail-on-warning"),
    ]
    done = subprocess.run(
        list(map(str, words)), env={"PATH": str(tools)}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(directory))
    yield
    sys.path.remove(str(directory))
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


class Client:
    """Calls operations of the generated package.

    Args:
        url: URL of the API.
        namespace: Namespace of the triggers.
        token: Token of the caller.
    """

    def __init__(self, url: str, namespace: str, token: str) -> None:
        made = importlib.import_module(f"{PACKAGE}.client").AuthenticatedClient
        self._client = made(base_url=url, token=token, raise_on_unexpected_status=True, httpx_args={"trust_env": False})
        self._namespace = namespace

    def call(self, operation: str, *trigger: str, **arguments: Any) -> Any:
        """Calls an operation, and returns its answer as the type that the document declares for it.

        Args:
            operation: The operationId.
            trigger: The trigger_id, if the operation has one.
            arguments: Arguments of the operation; a body as JSON.
        """
        room = "cluster_triggers" if "cluster" in operation else "triggers"
        module = importlib.import_module(f"{PACKAGE}.api.{room}.{operation}")
        if "body" in arguments:
            arguments["body"] = _model(_BODIES[operation]).from_dict(arguments["body"])
        answer = module.sync_detailed(*trigger, client=self._client, x_namespace=self._namespace, **arguments)
        wanted = _ANSWERS.get(operation.partition("_")[0], "{}Trigger")
        name = "ErrorResponse" if answer.status_code >= 400 else wanted
        name = name.format("Cluster" if "cluster" in operation else "Unified")
        if answer.status_code == 204:
            assert answer.parsed is None
        else:
            assert type(answer.parsed) is _model(name)
            _require_typed(answer.parsed)
        return answer.parsed


_BODIES = {
    "create_cluster_trigger": "CreateClusterTrigger",
    "create_trigger": "CreateUnifiedTrigger",
    "change_cluster_trigger": "ChangeTrigger",
    "change_trigger": "ChangeUnifiedTrigger",
    "list_cluster_triggers": "ListClusterTriggers",
    "list_triggers": "ListUnifiedTriggers",
    "history_cluster_trigger": "HistoryPage",
}
_OPTIONAL = ("code", "details")
"""The only fields that an answer may omit: those of errors."""
_ANSWERS = {"list": "{}Triggers", "history": "{}History", "execute": "Task"}


def _model(name: str) -> Any:
    return getattr(importlib.import_module(f"{PACKAGE}.models"), name)


def _require_typed(value: Any) -> None:
    """Every declared field is present, and no other key, except in free-form objects."""
    if isinstance(value, list):
        for item in value:
            _require_typed(item)
    elif attrs.has(type(value)):
        fields = [field.name for field in attrs.fields(type(value)) if field.name != "additional_properties"]
        assert not fields or not value.additional_properties, value
        for name in fields:
            inner = getattr(value, name)
            if not (name in _OPTIONAL and type(inner).__name__ == "Unset"):
                _require_typed(inner)
    else:
        assert value is None or isinstance(value, str | int | float | datetime | Enum), value


@pytest.mark.parametrize("kind", ["cluster", "unified"])
def test_each_row(
    generated: None, shared_service: ApiProcess, operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, kind: str
) -> None:
    operator()
    token = token_of(sandbox.kube, sandbox.namespace, "editor", role="clustertrigger-editor")
    client = Client(shared_service.url, sandbox.namespace, token)
    ending, task_id = ("_cluster_trigger", "job_id") if kind == "cluster" else ("_trigger", "task_id")

    def body(**fields: Any) -> Object:
        return every(**fields) if kind == "cluster" else unified(every(**fields))

    new = client.call(f"create{ending}", body=body(description="Hourly"))
    assert (new.status, new.description, new.schedule_config["interval_seconds"]) == ("active", "Hourly", 86_400)
    assert isinstance(new.created_at, datetime)
    one = new.trigger_id
    assert client.call(f"get{ending}", one).trigger_id == one
    asked: Object = {"trigger_type": "interval", "status": "active", "sort_by": "trigger_id", "direction": "asc"}
    listed = client.call("list_cluster_triggers" if kind == "cluster" else "list_triggers", body=asked)
    assert ([trigger.trigger_id for trigger in listed.results], listed.total) == ([one], 1)
    if kind == "unified":
        chosen = client.call("list_triggers_by_query", trigger_type=_model("TriggerType").INTERVAL, limit=1)
        assert ([trigger.trigger_id for trigger in chosen.results], chosen.limit) == ([one], 1)
    changed = client.call(f"change{ending}", one, body={"schedule_config": {"interval_seconds": 90_000}})
    assert changed.schedule_config["interval_seconds"] == 90_000
    assert client.call(f"pause{ending}", one).status == "paused"
    assert client.call(f"execute{ending}", one).error.code == "not_active"
    assert client.call(f"resume{ending}", one).status == "active"

    task = client.call(f"execute{ending}", one, idempotency_key="first")
    assert (task.status, task.task_type) == ("PENDING", "engine_cluster_build")
    eventually(lambda: [found["metadata"]["name"] for found in sandbox.jobs()] == [task.task_id])
    kubelet.complete(task.task_id, RunResult(status="completed", num_clusters=5, num_documents=1000))
    eventually(lambda: client.call(f"get{ending}", one).last_execution_status == "completed")
    again = client.call(f"execute{ending}", one, idempotency_key="first")
    assert (again.status, again.outputs[0]["num_clusters"]) == ("COMPLETED", 5)
    page: Object = {"body": {"status_filter": "completed"}} if kind == "cluster" else {"limit": 1}
    (run,) = client.call(f"history{ending}", one, **page).executions
    assert (getattr(run, task_id), run.status, run.num_documents) == (task.task_id, "completed", 1000)
    assert isinstance(run.triggered_at, datetime)

    wrong = client.call(f"create{ending}", body=body(seconds=0))
    assert wrong.status == 422
    assert "interval_seconds" in wrong.error.details["errors"][0]["field"]
    assert client.call(f"delete{ending}", one) is None
    assert client.call(f"get{ending}", one).error.type_ == "not_found"
    stranger = Client(shared_service.url, sandbox.namespace, "no-such-token")
    assert stranger.call(f"get{ending}", one).status == 401


def test_each_action(generated: None, shared_service: ApiProcess, sandbox: Sandbox) -> None:
    """The document's union of configurations keeps all fields that the caller wrote."""
    token = token_of(sandbox.kube, sandbox.namespace, "editor", role="clustertrigger-editor")
    client = Client(shared_service.url, sandbox.namespace, token)
    configs: dict[str, Object] = {
        "cluster": {"cluster_id": "cluster_xyz789"},
        "taxonomy_enrichment": {"taxonomy_id": "tax_topics", "collection_id": "col_products", "incremental": True},
        "batch_rerun": {"batch_id": "nightly-1", "retry_failed_only": True},
        "collection_trigger": {"collection_id": "col_products"},
    }
    for action, config in configs.items():
        body = {**unified(every()), "action_type": action, "action_config": config}
        created = client.call("create_trigger", body=body)
        assert created.action_type == action
        assert config.items() <= created.action_config.to_dict().items()
        listed = client.call("list_triggers", body={"action_type": action})
        assert [trigger.trigger_id for trigger in listed.results] == [created.trigger_id]
