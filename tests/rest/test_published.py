"""Tests with a client that knows only the API's published pages: it sends their examples, and omits optional parts."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from clustertrigger.rest.routes import cluster, unified
from harness.control_plane.kube import Object
from harness.control_plane.sandbox import Sandbox
from tests.rest import published
from tests.rest.callers import CLUSTER, UNIFIED, Caller, every, fields_of, ok, refused
from tests.rest.callers import unified as as_unified

BOTH = pytest.mark.parametrize("path", [CLUSTER, UNIFIED])

EXAMPLES: dict[str, Object] = {
    "cron": {
        "trigger_type": "cron",
        "schedule_config": {"cron_expression": "0 2 * * *", "timezone": "UTC"},
        "execution_config": {"collection_ids": ["col_abc123"], "config": {"algorithm": "kmeans", "n_clusters": 5}},
        "description": "Daily clustering at 2am",
    },
    "interval": {
        "trigger_type": "interval",
        "schedule_config": {"interval_seconds": 21600, "start_immediately": False},
        "execution_config": {
            "collection_ids": ["col_products"],
            "config": {"algorithm": "hdbscan", "min_cluster_size": 10},
        },
        "description": "Cluster every 6 hours",
    },
    "event": {
        "trigger_type": "event",
        "schedule_config": {
            "event_type": "documents_added",
            "event_threshold": 100,
            "collection_id": "col_abc123",
            "cooldown_seconds": 300,
        },
        "execution_config": {"collection_ids": ["col_abc123"], "config": {"algorithm": "kmeans", "n_clusters": 3}},
        "description": "Cluster after 100 new documents",
    },
    "conditional": {
        "trigger_type": "conditional",
        "schedule_config": {
            "condition_type": "drift",
            "threshold": 0.3,
            "metric": "cosine_drift",
            "check_interval_seconds": 3600,
        },
        "execution_config": {
            "collection_ids": ["col_abc123"],
            "config": {"algorithm": "hdbscan", "min_cluster_size": 5},
        },
        "description": "Re-cluster when drift > 30%",
    },
    "existing cluster": {
        "trigger_type": "interval",
        "schedule_config": {"interval_seconds": 3600, "start_immediately": True},
        "cluster_id": "cluster_xyz789",
        "description": "Hourly clustering using cluster_xyz789",
    },
}
"""All bodies that the page shows."""


def test_each_row_of_the_table_is_served() -> None:
    routes = [route for route in (*cluster.router.routes, *unified.router.routes) if isinstance(route, APIRoute)]
    assert {(method, route.path) for route in routes for method in route.methods or ()} == published.ROWS.keys()


@BOTH
@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_are_accepted_unchanged(caller: Caller, path: str, example: str) -> None:
    body = EXAMPLES[example]
    created = caller.create(body if path == CLUSTER else as_unified(body), path)
    for shown in (created, ok(caller.get(f"{path}/{created['trigger_id']}"))):
        assert {name: shown[name] for name in ("trigger_type", "schedule_config", "description")} == {
            name: body[name] for name in ("trigger_type", "schedule_config", "description")
        }
        assert shown["namespace_id"] == caller.namespace
        assert (shown["status"], shown["execution_count"], shown["consecutive_failures"]) == ("active", 0, 0)
        assert (shown["event_counter"], shown["last_execution_status"]) == (0, None)
        if path == UNIFIED:
            assert shown["action_config"] == as_unified(body)["action_config"]
        elif "execution_config" in body:
            assert shown["execution_config"] == {**body["execution_config"], "mode": "full"}
        else:
            assert shown["cluster_id"] == "cluster_xyz789"


@BOTH
@pytest.mark.parametrize("status", ["active", "paused", "disabled", "failed"])
def test_each_status_can_be_the_initial_one(caller: Caller, path: str, status: str) -> None:
    body = every(status=status)
    assert caller.create(body if path == CLUSTER else as_unified(body), path)["status"] == status


@BOTH
def test_null_means_absent(caller: Caller, path: str) -> None:
    """Some clients send a null for each field that was not set."""
    body = {**every(), "cluster_id": None, "description": None, "status": None}
    new = caller.create(body if path == CLUSTER else {**as_unified(body), "name": None}, path)
    assert (new["status"], new["description"]) == ("active", None)
    one = f"{path}/{new['trigger_id']}"
    described = ok(caller.patch(one, {"description": "Hourly", "schedule_config": None, "status": None}))
    assert {**described, "updated_at": ""} == {**new, "description": "Hourly", "updated_at": ""}
    nulls = dict.fromkeys(("trigger_type", "status", "offset", "limit", "sort_by", "direction"))
    answer = ok(caller.post(f"{path}/list", nulls))
    assert (answer["total"], answer["offset"], answer["limit"]) == (1, 0, 50)


def test_a_get_with_a_body(caller: Caller, sandbox: Sandbox) -> None:
    for number in range(3):
        sandbox.trigger(f"every-{number}", every(3600 + number))
    sandbox.trigger("paused", {**every(), "status": "paused"})

    def found(body: Object, **query: Any) -> tuple[int, list[str]]:
        answer = ok(caller.http.request("GET", UNIFIED, json=body, params=query))
        return answer["total"], [result["name"] for result in answer["results"]]

    assert found({"status": "paused"}) == (1, ["paused"])
    assert found({"sort_by": "name", "direction": "asc", "limit": 2}) == (4, ["every-0", "every-1"])
    assert found({"sort_by": "name", "direction": "asc", "limit": 2}, limit=1, offset=3) == (4, ["paused"])
    assert list(fields_of(refused(caller.http.request("GET", UNIFIED, json={"limit": 0}), 422))) == ["limit"]
    assert list(fields_of(refused(caller.http.request("GET", UNIFIED, json={"colour": 1}), 422))) == ["colour"]


@BOTH
@pytest.mark.parametrize("limit", [1, 1000])
def test_pages_have_limits(caller: Caller, path: str, limit: int) -> None:
    assert ok(caller.post(f"{path}/list", {"limit": limit}))["limit"] == limit


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/ld+json"])
def test_accepted_content_types(caller: Caller, kind: str) -> None:
    answer = caller.http.post(f"{UNIFIED}/list", content=b'{"limit": 1}', headers={"Content-Type": kind})
    assert ok(answer)["limit"] == 1


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
@pytest.mark.parametrize("path", [CLUSTER, UNIFIED, f"{CLUSTER}/list", f"{UNIFIED}/list", f"{CLUSTER}/x/history"])
def test_rejected_content_types(caller: Caller, path: str, kind: str) -> None:
    answer = caller.http.post(path, content=b"{}", headers={"Content-Type": kind} if kind else {})
    assert "application/json" in fields_of(refused(answer, 422))["Content-Type"]["message"]


def test_unsupported_methods(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.trigger("x", every())
    for method in ("HEAD", "OPTIONS", "PUT", "TRACE"):
        for path in (UNIFIED, f"{CLUSTER}/x", f"{UNIFIED}/x/history"):
            answer = caller.http.request(method, path)
            assert (answer.status_code, "GET" in answer.headers["allow"]) == (405, True), (method, path)
    refused(caller.get(f"{UNIFIED}/"), 404)
    refused(caller.get(f"{CLUSTER}/x/"), 404)


def test_additional_headers(caller: Caller) -> None:
    headers = {"X-Request-Id": "1", "User-Agent": "OpenAPI-Generator/1.0.0/python", "Accept": "*/*", "Cookie": "a=b"}
    assert ok(caller.http.get(UNIFIED, headers=headers))["total"] == 0


def test_requests_that_another_site_causes(caller: Caller, sandbox: Sandbox) -> None:
    """A proxy that signs users in adds their token to its own."""
    sandbox.trigger("x", every())
    for site, status in {"cross-site": 403, "same-site": 403, "same-origin": 200, "none": 200}.items():
        paused = caller.http.post(f"{UNIFIED}/x/pause", headers={"Sec-Fetch-Site": site})
        assert paused.status_code == status
        assert ok(caller.http.get(f"{UNIFIED}/x", headers={"Sec-Fetch-Site": site}))
        ok(caller.post(f"{UNIFIED}/x/resume"))
    refused(caller.http.post(f"{UNIFIED}/x/pause", headers={"Sec-Fetch-Site": "cross-site"}), 403, "cross_site")


def test_answers_are_checked() -> None:
    """The check finds each kind of difference."""
    request = httpx.Request("POST", "http://x/v1/clusters/triggers/t/history")
    page: Object = {"trigger_id": "t", "executions": [], "total": 0, "offset": 0, "limit": 50}
    run: Object = {
        "job_id": "j", "triggered_at": "2023-11-07T05:31:56Z", "status": "completed", "execution_time_ms": 5,
        "error": None, "num_clusters": 1, "num_documents": 2,
    }  # fmt: skip
    published.check(httpx.Response(200, json={**page, "executions": [run]}, request=request))
    for wrong in (
        {**run, "triggered_at": "2023-11-07T05:31:56+00:00"},
        {**run, "triggered_at": "2023-11-07 05:31:56Z"},
        {**run, "execution_time_ms": 5.5},
        {**run, "num_clusters": "1"},
        {**run, "job_id": None},
        {name: value for name, value in run.items() if name != "error"},
    ):
        with pytest.raises(ValueError, match="ClusterHistory"):
            published.check(httpx.Response(200, json={**page, "executions": [wrong]}, request=request))
    envelope = {"success": False, "status": 404, "error": {"message": "gone", "type": "not_found"}}
    published.check(httpx.Response(404, json=envelope, request=request))
    with pytest.raises(ValueError, match="Error"):
        published.check(httpx.Response(404, json={**envelope, "detail": "gone"}, request=request))
