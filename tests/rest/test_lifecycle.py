"""Tests of each row of the API's table, for both kinds of triggers, with an operator that carries out the requests."""

from __future__ import annotations

from typing import Any

import pytest

from clustercontract.run import RunResult
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Object, eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import taxonomy
from harness.control_plane.sandbox import Sandbox
from tests.rest.callers import CLUSTER, UNIFIED, Caller, asked_for, every, fields_of, ok, refused, unified

NAME = "interval-col-products"
"""The description of a trigger that is created without one."""
BOTH = pytest.mark.parametrize("path", [CLUSTER, UNIFIED])


def body_for(path: str, **fields: Any) -> Object:
    return every(**fields) if path == CLUSTER else unified(every(**fields))


@BOTH
def test_create_get_change_delete(caller: Caller, sandbox: Sandbox, path: str) -> None:
    created = caller.create(body_for(path, description="Daily clustering at 2am UTC"), path)
    name = "daily-clustering-at-2am-utc"
    assert asked_for(sandbox.get(name)) == every(description="Daily clustering at 2am UTC")
    assert created["trigger_id"].startswith("trg_")
    one = f"{path}/{created['trigger_id']}"
    assert ok(caller.get(one)) == created == ok(caller.get(f"{path}/{name}"))

    cron = {"cron_expression": "0 2 * * *", "timezone": "Europe/Berlin"}
    refused(caller.patch(one, {"schedule_config": cron}), 422)  # an interval trigger's
    changed = ok(caller.patch(one, {"schedule_config": {"interval_seconds": 60}, "description": "Every minute"}))
    assert (changed["schedule_config"], changed["description"]) == ({"interval_seconds": 60}, "Every minute")
    changed = ok(caller.patch(one, {"schedule_config": {"interval_seconds": 90, "start_immediately": False}}))
    changed = ok(caller.patch(one, {"schedule_config": {"interval_seconds": 90}, "status": "disabled"}))
    assert (changed["schedule_config"], changed["status"]) == ({"interval_seconds": 90}, "disabled")
    assert asked_for(sandbox.get(name)) == {
        **every(90, description="Every minute"),
        "status": "disabled",
    }

    answer = caller.delete(one)
    assert (answer.status_code, answer.content) == (204, b"")
    refused(caller.get(one), 404)
    refused(caller.delete(one), 404)
    refused(caller.get(f"{path}/{name}"), 404)


@BOTH
def test_pause_resume_execute_history(
    operator: StartOperator, caller: Caller, sandbox: Sandbox, kubelet: Kubelet, path: str
) -> None:
    operator()
    task_id = "job_id" if path == CLUSTER else "task_id"
    created = caller.create(body_for(path), path)
    one = f"{path}/{created['trigger_id']}"
    sandbox.edit(NAME, {"run": {"retries": 0}})
    eventually(lambda: ok(caller.get(one))["next_scheduled_at"])

    assert ok(caller.post(f"{one}/pause"))["status"] == "paused"
    assert ok(caller.get(one))["status"] == "paused"
    assert "paused" in refused(caller.post(f"{one}/execute"), 409, "not_active")["message"]
    assert ok(caller.post(f"{one}/resume"))["status"] == "active"
    assert ok(caller.post(f"{one}/resume"))["status"] == "active"

    task = ok(caller.post(f"{one}/execute", None, Idempotency_Key="first"))
    assert (task["status"], task["task_type"], task["error"]) == ("PENDING", "engine_cluster_build", None)
    assert task["additional_data"]["trigger_id"] == created["trigger_id"]
    job = task["task_id"]
    eventually(lambda: [found["metadata"]["name"] for found in sandbox.jobs()] == [job])
    eventually(lambda: sandbox.history(NAME))
    error = refused(caller.post(f"{one}/execute"), 409, "already_running")
    assert error["details"] == {"task_id": job}

    kubelet.start(job)
    eventually(lambda: ok(caller.post(f"{one}/execute", None, Idempotency_Key="first"))["status"] == "IN_PROGRESS")
    kubelet.complete(job, RunResult(status="completed", num_clusters=5, num_documents=1000))
    done = caller.wait_until(one, last_execution_status="completed")
    assert done[f"last_execution_{task_id}"] == job
    assert (done["execution_count"], done["consecutive_failures"]) == (1, 0)
    again = ok(caller.post(f"{one}/execute", None, Idempotency_Key="first"))
    assert (again["task_id"], again["status"]) == (job, "COMPLETED")
    assert (again["outputs"][0]["num_clusters"], again["outputs"][0]["num_documents"]) == (5, 1000)

    second = ok(caller.post(f"{one}/execute", {}))["task_id"]
    assert second != job
    eventually(lambda: len(sandbox.jobs()) == 2)
    kubelet.fail(second, "no such column: vector")
    failed = caller.wait_until(one, last_execution_status="failed")
    assert "no such column" in failed["last_execution_error"]
    assert failed["execution_count"] == (2 if path == CLUSTER else 1)
    assert failed["consecutive_failures"] == 1

    first = _history(caller, one, path, limit=1)
    assert (first["total"], first["offset"], first["limit"]) == (2, 0, 1)
    assert first["trigger_id"] == created["trigger_id"]
    (entry,) = first["executions"]
    assert (entry[task_id], entry["status"], entry["num_clusters"]) == (second, "failed", None)
    assert "no such column" in entry["error"]
    rest = _history(caller, one, path, offset=1, limit=1)["executions"]
    assert [(entry[task_id], entry["num_clusters"], entry["num_documents"]) for entry in rest] == [(job, 5, 1000)]
    completed = _history(caller, one, path, status_filter="completed")
    assert ([entry[task_id] for entry in completed["executions"]], completed["total"]) == ([job], 1)


def test_resume_lets_a_stopped_trigger_fire_again(
    operator: StartOperator, caller: Caller, sandbox: Sandbox, kubelet: Kubelet
) -> None:
    operator()
    sandbox.trigger("stopping", {**every(), "run": {"max_consecutive_failures": 1, "retries": 0}})
    one = f"{UNIFIED}/stopping"
    job = ok(caller.post(f"{one}/execute"))["task_id"]
    eventually(sandbox.jobs)
    kubelet.fail(job)
    caller.wait_until(one, status="failed")
    refused(caller.post(f"{one}/execute"), 409, "not_active")
    resumed = ok(caller.post(f"{one}/resume"))
    assert (resumed["status"], resumed["consecutive_failures"]) == ("active", 0)
    eventually(lambda: sandbox.status("stopping").get("status") == "active")
    assert sandbox.status("stopping")["consecutive_failures"] == 0


def test_a_waiting_request_is_kept(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.trigger("alone", every())  # and no operator
    ok(caller.post(f"{UNIFIED}/alone/execute"))
    asked = sandbox.get("alone")["metadata"]["annotations"]
    refused(caller.post(f"{UNIFIED}/alone/execute"), 409, "request_waiting")
    assert sandbox.get("alone")["metadata"]["annotations"] == asked


def test_a_run_can_be_requested_after_one_with_a_long_token(
    operator: StartOperator, caller: Caller, sandbox: Sandbox, kubelet: Kubelet
) -> None:
    operator()
    sandbox.trigger("alone", {**every(), "run": {"max_consecutive_failures": 1, "retries": 0}})
    sandbox.edit("alone", {}, annotations={"clustertrigger.dev/reset-requested": "r" * 300})
    sandbox.request_run("alone", "t" * 300)
    (first,) = eventually(lambda: sandbox.history("alone"))
    kubelet.complete(first["job_id"])
    caller.wait_until(f"{UNIFIED}/alone", execution_count=1)
    second = ok(caller.post(f"{UNIFIED}/alone/execute"))["task_id"]
    eventually(lambda: len(sandbox.jobs()) == 2)
    kubelet.fail(second)
    assert caller.wait_until(f"{UNIFIED}/alone", status="failed")


def test_lists(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.create("clusterdefinitions", definition("shop", "cluster_shop"))
    for number in range(3):
        sandbox.trigger(f"every-{number}", every(3600 + number))
    sandbox.trigger("nightly", cron(cluster_id="cluster_shop"))
    sandbox.trigger("paused", {**every(), "status": "paused", "description": "b"})
    sandbox.trigger("described", {**every(), "description": "a"})

    def named(answer: Object) -> list[str]:
        return [result["name"] for result in answer["results"]]

    def found(**query: Any) -> list[str]:
        by_query, by_body = ok(caller.get(UNIFIED, **query)), ok(caller.post(f"{UNIFIED}/list", query))
        by_query = {**by_query, "results": [{**result, "is_overdue": False} for result in by_query["results"]]}
        assert by_query == by_body
        return named(by_query)

    everything = ok(caller.get(UNIFIED))
    assert (everything["total"], everything["offset"], everything["limit"]) == (6, 0, 50)
    newest_first = [result["created_at"] for result in everything["results"]]
    assert newest_first == sorted(newest_first, reverse=True)
    assert found(direction="asc") == found()[::-1]
    assert found(offset=2, limit=3) == found()[2:5]
    assert ok(caller.get(UNIFIED, offset=2, limit=3))["total"] == 6
    assert found(trigger_type="cron") == ["nightly"]
    assert found(status="paused") == ["paused"]
    assert found(resource_id="cluster_shop") == ["nightly"]
    assert len(found(resource_id="col_products")) == 5
    assert found(resource_id="col_other") == []
    assert len(found(action_type="cluster")) == 6
    assert found(sort_by="name", direction="asc")[:2] == ["described", "every-0"]
    assert found(sort_by="description", direction="asc")[:2] == ["described", "paused"]
    assert found(sort_by="description")[:2] == ["paused", "described"]
    assert found(offset=6) == []

    assert ok(caller.post(f"{CLUSTER}/list"))["total"] == ok(caller.post(f"{UNIFIED}/list"))["total"] == 6
    assert ok(caller.post(f"{CLUSTER}/nightly/history"))["executions"] == []

    by_cluster = ok(caller.post(f"{CLUSTER}/list", {"cluster_id": "cluster_shop"}))
    assert (by_cluster["total"], by_cluster["results"][0]["cluster_id"]) == (1, "cluster_shop")
    assert ok(caller.post(f"{CLUSTER}/list", {"limit": 2}))["total"] == 6


def test_inherited_fields(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.create("clusterdefinitions", definition("shop", "cluster_shop"))
    for wanted in ("cluster_shop", "shop"):
        created = caller.create(cron(cluster_id=wanted))
        assert created["cluster_id"] == wanted
        assert created["execution_config"] == {
            "collection_ids": ["col_products"],
            "config": {"algorithm": "kmeans", "n_clusters": 7},
            "mode": "full",
        }
    unknown = caller.create(cron(cluster_id="cluster_unknown"))
    assert unknown["execution_config"] == {"collection_ids": ["<unknown>"], "config": {}, "mode": "full"}
    sandbox.create("clusterdefinitions", definition("copy", "cluster_shop"))
    ambiguous = caller.create(cron(cluster_id="cluster_shop"))
    assert ambiguous["execution_config"] == {"collection_ids": ["<unknown>"], "config": {}, "mode": "full"}


def test_the_display_name(caller: Caller, sandbox: Sandbox) -> None:
    created = caller.create(unified(every(name="Products: nightly, Größe")), UNIFIED)
    assert created["name"] == "Products: nightly, Größe"
    raw = sandbox.get("products-nightly-groe")
    assert raw["metadata"]["uid"].replace("-", "").startswith(created["trigger_id"].removeprefix("trg_"))
    one = f"{UNIFIED}/{created['trigger_id']}"
    assert ok(caller.patch(one, {"name": "Another"}))["name"] == "Another"
    assert ok(caller.get(one))["name"] == "Another"
    sandbox.trigger("by-kubectl", every())
    assert ok(caller.get(f"{UNIFIED}/by-kubectl"))["name"] == "by-kubectl"


def test_names_are_unique(caller: Caller) -> None:
    names = {caller.create(unified(every(description="The same")), UNIFIED)["name"] for _ in range(4)}
    assert len(names) == 4
    assert all(name.startswith("the-same") for name in names)
    assert caller.create(unified(every(description="!!!")), UNIFIED)["name"] == "interval-col-products"


@BOTH
def test_the_same_idempotency_key_is_the_same_request(caller: Caller, sandbox: Sandbox, path: str) -> None:
    body = body_for(path, description="Once")
    first = ok(caller.post(path, body, Idempotency_Key="k1"))
    assert ok(caller.post(path, body, Idempotency_Key="k1")) == first
    assert ok(caller.post(path, body, Idempotency_Key="k2"))["trigger_id"] != first["trigger_id"]
    other = body_for(path, description="Another")
    refused(caller.post(path, other, Idempotency_Key="k1"), 409, "idempotency_key_reused")
    assert (
        len(sandbox.kube.items(f"/apis/clustertrigger.dev/v1alpha1/namespaces/{sandbox.namespace}/clustertriggers"))
        == 2
    )


def test_fields_written_by_kubectl_are_kept(caller: Caller, sandbox: Sandbox) -> None:
    run = {"retries": 3, "timeout_seconds": 60}
    sandbox.trigger("owned", {**every(), "run": run}, labels={"team": "search"})
    ok(caller.patch(f"{CLUSTER}/owned", {"description": "changed"}))
    raw = sandbox.get("owned")
    assert asked_for(raw) == every(description="changed")
    assert run.items() <= raw["spec"]["run"].items()
    assert raw["metadata"]["labels"] == {"team": "search"}


def _history(caller: Caller, one: str, path: str, **page: Any) -> Object:
    if path == CLUSTER:
        return ok(caller.post(f"{one}/history", page))
    return ok(caller.get(f"{one}/history", **page))


def definition(name: str, cluster_id: str) -> Object:
    return {
        "apiVersion": "clustertrigger.dev/v1alpha1",
        "kind": "ClusterDefinition",
        "metadata": {"name": name},
        "spec": {
            "cluster_id": cluster_id,
            "collection_ids": ["col_products"],
            "config": {"algorithm": "kmeans", "n_clusters": 7},
        },
    }


def cron(**fields: Any) -> Object:
    schedule = {"cron_expression": "0 2 * * *", "timezone": "UTC"}
    return {"trigger_type": "cron", "schedule_config": schedule, **fields}


def test_a_batch_is_repeated(caller: Caller, sandbox: Sandbox, operator: StartOperator, kubelet: Kubelet) -> None:
    operator()
    sandbox.trigger("nightly", every())
    batch = ok(caller.post(f"{UNIFIED}/nightly/execute"))["task_id"]
    kubelet.complete(batch)
    eventually(lambda: sandbox.status("nightly").get("execution_count") == 1)
    config = {"batch_id": batch, "retry_failed_only": False}
    body = {**unified(every()), "action_type": "batch_rerun", "action_config": config}
    created = caller.create(body, UNIFIED)
    assert (created["action_type"], created["action_config"]) == ("batch_rerun", config)
    task = ok(caller.post(f"{UNIFIED}/{created['trigger_id']}/execute"))
    assert (task["task_type"], task["inputs"]) == ("api_buckets_batches_process", [config])
    kubelet.complete(task["task_id"])
    eventually(lambda: ok(caller.get(f"{UNIFIED}/{created['trigger_id']}"))["execution_count"] == 1)
    named = ok(caller.get(UNIFIED, resource_id=batch))
    assert [found["trigger_id"] for found in named["results"]] == [created["trigger_id"]]

    unknown = {**body, "action_config": {"batch_id": "Nightly_1"}}
    assert list(fields_of(refused(caller.post(UNIFIED, unknown), 422))) == ["action_config.batch_id"]
    other = {**body, "action_config": {"cluster_id": "a"}}
    assert "action_config.batch_id" in fields_of(refused(caller.post(UNIFIED, other), 422))


def test_documents_get_nodes(caller: Caller, sandbox: Sandbox, operator: StartOperator, kubelet: Kubelet) -> None:
    operator()
    sandbox.create("taxonomies", taxonomy())
    config = {"taxonomy_id": "tax_topics", "collection_id": "col_products", "incremental": True}
    body = {**unified(every()), "action_type": "taxonomy_enrichment", "action_config": config}
    created = caller.create(body, UNIFIED)
    assert (created["action_type"], created["action_config"]) == ("taxonomy_enrichment", config)
    eventually(lambda: ok(caller.get(f"{UNIFIED}/{created['trigger_id']}"))["next_scheduled_at"] is not None)
    task = ok(caller.post(f"{UNIFIED}/{created['trigger_id']}/execute"))
    assert (task["task_type"], task["inputs"]) == ("api_taxonomies_execute", [config])
    for named in ("tax_topics", "col_products"):
        found = ok(caller.get(UNIFIED, resource_id=named, action_type="taxonomy_enrichment"))
        assert [one["trigger_id"] for one in found["results"]] == [created["trigger_id"]], named

    for wrong, field in [
        ({"taxonomy_id": "tax_topics"}, "action_config.collection_id"),
        ({**config, "batch_size": 99}, "action_config.batch_size"),
        ({**config, "parallel": 2}, "action_config.parallel"),
        ({**config, "target_collection_id": "col other"}, "action_config.target_collection_id"),
    ]:
        assert list(fields_of(refused(caller.post(UNIFIED, {**body, "action_config": wrong}), 422))) == [field]
    drifting = {**body, "trigger_type": "conditional", "schedule_config": {
        "condition_type": "drift", "metric": "cosine_drift", "threshold": 0.3, "check_interval_seconds": 60,
    }}  # fmt: skip
    assert list(fields_of(refused(caller.post(UNIFIED, drifting), 422))) == ["trigger_type"]
