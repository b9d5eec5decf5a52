"""Tests of the response model of the unified API, field by field, in the output of `kubectl get -o yaml`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import yaml

from clustercontract.run import RunResult
from harness.control_plane.checks import BASELINE, found, the_check, the_run
from harness.control_plane.earlier_operator import left_by_earlier_operator
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Object, eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import conditional, events, interval, pod_template, processing
from harness.control_plane.sandbox import Sandbox

PAGE = {
    "namespace_id": "string",
    "internal_id": "string",
    "action_type": "enum: cluster, taxonomy_enrichment, batch_rerun, collection_trigger",
    "action_config": "object",
    "trigger_type": "enum: cron, interval, event, conditional",
    "schedule_config": "object",
    "trigger_id": "string",
    "status": "enum: active, paused, disabled, failed",
    "last_triggered_at": "time | null",
    "last_execution_task_id": "string | null",
    "next_scheduled_at": "time | null",
    "execution_count": "integer",
    "consecutive_failures": "integer",
    "last_execution_status": "string | null",
    "last_execution_error": "string | null",
    "event_counter": "integer",
    "last_cooldown_at": "time | null",
    "baseline_snapshot": "object | null",
    "last_drift_measurement": "object | null",
    "last_condition_check_at": "time | null",
    "description": "string | null",
    "created_at": "time",
    "updated_at": "time",
    "created_by": "string | null",
}
"""The fields of `GET /v1/triggers/{trigger_id}`, in its order, with their types as on the page."""

ASKED = ("action_type", "action_config", "trigger_type", "schedule_config", "description")
"""Fields of the request, which are in spec under the same names. All others are in status."""


def place_of(field: str, printed: Object) -> Any:
    """Returns the field's value in an object; None if it does not exist."""
    return printed["spec" if field in ASKED else "status"].get(field)


def fits(value: Any, told: str) -> bool:
    """Returns whether a value has the type on the page."""
    kind, _, null = told.partition(" | ")
    if value is None:
        return bool(null)
    if kind.startswith("enum: "):
        return value in kind.removeprefix("enum: ").split(", ")
    if kind == "time":
        return isinstance(value, datetime) or datetime.fromisoformat(value).tzinfo is not None
    return isinstance(value, {"string": str, "object": dict, "integer": int}[kind])


@pytest.fixture
def printed(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet) -> dict[str, Object]:
    """Triggers whose statuses contain all fields of the model, as kubectl prints them, by name."""
    hour = timedelta(hours=1)
    drifting = {**conditional(3600), "action_type": "cluster", "action_config": {"cluster_id": "shop"}}
    del drifting["execution_config"]
    definition = {"cluster_id": "shop", "collection_ids": ["col_products"], "config": {"algorithm": "kmeans",
                  "n_clusters": 5}}  # fmt: skip
    sandbox.create(
        "clusterdefinitions",
        {"apiVersion": "clustertrigger.dev/v1alpha1", "kind": "ClusterDefinition", "metadata": {"name": "shop"},
         "spec": definition},
    )  # fmt: skip
    away = hour - timedelta(seconds=3)
    snapshot = BASELINE.model_dump(mode="json")
    left_by_earlier_operator(
        sandbox,
        "drifting",
        {**drifting, "description": "When topics move"},
        away=away,
        anchor=away,
        baseline_snapshot=snapshot,
        created_by="alice",
    )
    sandbox.processed_by(pod_template("embed"))
    operator()
    sandbox.trigger("following", events(5))
    sandbox.trigger("embed", processing(interval(3600, start_immediately=True)))

    kubelet.complete(the_check(sandbox, "drifting"), found(0.42))
    renewed = RunResult(status="completed", num_clusters=5, num_documents=10, baseline=BASELINE)
    kubelet.complete(the_run(sandbox, "drifting"), renewed)
    (job,) = eventually(lambda: sandbox.jobs("embed"))
    kubelet.leave(job["metadata"]["name"], '{"documents_added": 7}')
    kubelet.fail(str(eventually(lambda: sandbox.history("following"))[0]["job_id"]), "no such file")
    eventually(lambda: sandbox.status("following").get("last_execution_status") == "failed")
    for name in ("drifting", "embed"):
        eventually(lambda name=name: sandbox.status(name).get("execution_count") == 1)  # type: ignore[misc]
    names = ("drifting", "following", "embed")
    return {name: yaml.safe_load(sandbox.kubectl("get", "ctr", name, "-o", "yaml").stdout) for name in names}


def test_each_field_is_there_and_of_its_type(printed: dict[str, Object]) -> None:
    for name, one in printed.items():
        written = {**one, "spec": {"action_config": {}, **one["spec"]}}  # the short form of action cluster has none
        for field, told in PAGE.items():
            assert fits(place_of(field, written), told), (name, field, place_of(field, written))


def test_each_field_has_a_value_somewhere(printed: dict[str, Object]) -> None:
    told = {field for field in PAGE for one in printed.values() if place_of(field, one) not in (None, 0, "")}
    assert told == PAGE.keys()


def test_what_the_values_say(printed: dict[str, Object]) -> None:
    drifting, following, embed = (printed[name]["status"] for name in ("drifting", "following", "embed"))
    # The page's execution_count is of successful executions.
    assert (drifting["execution_count"], following["execution_count"], embed["execution_count"]) == (1, 0, 1)
    assert (following["consecutive_failures"], following["event_counter"]) == (1, 2)
    assert following["last_execution_error"]
    assert drifting["last_execution_task_id"] == drifting["history"][0]["job_id"]
    assert drifting["last_drift_measurement"]["value"] == 0.42
    assert drifting["created_by"] == "alice"
    assert printed["embed"]["spec"]["action_type"] == "collection_trigger"
    assert "baseline_snapshot" not in embed
