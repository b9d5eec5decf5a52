"""Tests of reads from memory: they return what the API server returns, only to callers who can list the namespace."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clustertrigger.core.json_text import read_deep_objects
from harness.control_plane.api_process import ApiProcess
from harness.control_plane.cluster import Cluster
from harness.control_plane.kube import Object, eventually
from harness.control_plane.proxy import Proxy, Request
from harness.control_plane.sandbox import Sandbox
from harness.control_plane.tokens import grant, own_token, take_role, token_of
from tests.rest.callers import CLUSTER, UNIFIED, Caller, every, ok, refused, unified
from tests.rest.test_lifecycle import cron, definition

Start = Callable[..., ApiProcess]
BOTH = pytest.mark.parametrize("path", [CLUSTER, UNIFIED])


@pytest.fixture
def start(start_service: Start, cluster: Cluster, proxy: Proxy, tmp_path: Path) -> Start:
    """Starts a service that reaches the API server through the proxy, which records each request."""

    def start(**settings: Any) -> ApiProcess:
        own = settings.pop("token_file", None) or own_token(cluster, tmp_path)
        service = start_service(server=proxy.url, token_file=own, requests_per_second=0, **settings)
        eventually(lambda: sum("watch=true" in request.query for request in proxy.requests) >= 2)
        return service

    return start


@pytest.fixture
def cached(start: Start, sandbox: Sandbox) -> Iterator[Caller]:
    """A caller who can edit in the sandbox's namespace, of a service that the test starts."""
    token = token_of(sandbox.kube, sandbox.namespace, "cached", role="clustertrigger-editor")
    with Caller(start().url, sandbox.namespace, token) as caller:
        yield caller


def live(caller: Caller, method: str, path: str, body: object = None) -> Object:
    return ok(caller.http.request(method, path, json=body, headers={"Cache-Control": "no-cache"}))


def reads(proxy: Proxy, since: int, sandbox: Sandbox) -> list[Request]:
    """Returns the requests to the sandbox's namespace since then."""
    return [request for request in proxy.requests[since:] if sandbox.namespace in request.path]


QUERIES: list[Object] = [
    {},
    {"direction": "asc"},
    {"limit": 2, "offset": 1},
    {"sort_by": "description"},
    {"sort_by": "execution_count", "direction": "asc"},
    {"sort_by": "last_triggered_at"},
    {"sort_by": "status", "trigger_type": "interval"},
    {"status": "paused"},
    {"trigger_type": "cron"},
]


def test_answers_equal_those_of_the_api_server(cached: Caller, sandbox: Sandbox, proxy: Proxy) -> None:
    sandbox.create("clusterdefinitions", definition("shop", "cluster_shop"))
    for number, status in enumerate(("active", "paused", "active", "disabled")):
        sandbox.trigger(f"every-{number}", {**every(3600 + number), "status": status, "description": f"d{number % 3}"})
    sandbox.trigger("nightly", cron(cluster_id="cluster_shop"))
    sandbox.trigger("last", every(), labels={"team": "search"})
    counted = {"observedGeneration": 1, "execution_count": 2, "failure_count": 3, "status": "failed"}
    at = f"/apis/clustertrigger.dev/v1alpha1/namespaces/{sandbox.namespace}/clustertriggers/every-0/status"
    sandbox.kube.patch(at, {"status": {**counted, "last_triggered_at": "2026-01-01T00:00:00Z"}})
    sandbox.trigger("done", every())
    eventually(lambda: "done" in str(ok(cached.get(UNIFIED))))

    began = len(proxy.requests)
    answers = [
        *(ok(cached.post(f"{CLUSTER}/list", query)) for query in (*QUERIES, {"cluster_id": "cluster_shop"})),
        *(ok(cached.post(f"{UNIFIED}/list", query)) for query in (*QUERIES, {"sort_by": "name"})),
        *(ok(cached.get(f"{path}/{name}")) for path in (CLUSTER, UNIFIED) for name in ("nightly", "every-0")),
        ok(cached.get(f"{UNIFIED}/every-0/history")),
    ]
    asked = reads(proxy, began, sandbox)
    assert {request.path.rpartition("/")[2] for request in asked} <= {"clusterdefinitions"}, asked
    assert all("limit=1" in request.query for request in asked)
    assert answers == [
        *(live(cached, "POST", f"{CLUSTER}/list", query) for query in (*QUERIES, {"cluster_id": "cluster_shop"})),
        *(live(cached, "POST", f"{UNIFIED}/list", query) for query in (*QUERIES, {"sort_by": "name"})),
        *(live(cached, "GET", f"{path}/{name}") for path in (CLUSTER, UNIFIED) for name in ("nightly", "every-0")),
        live(cached, "GET", f"{UNIFIED}/every-0/history"),
    ]
    shown = ok(cached.get(f"{CLUSTER}/nightly"))
    assert shown["execution_config"]["config"] == {"algorithm": "kmeans", "n_clusters": 7}


def test_a_definition_that_changes(cached: Caller, sandbox: Sandbox) -> None:
    sandbox.create("clusterdefinitions", definition("shop", "cluster_shop"))
    sandbox.trigger("nightly", cron(cluster_id="cluster_shop"))

    def clusters() -> object:
        return ok(cached.get(f"{CLUSTER}/nightly"))["execution_config"]["config"].get("n_clusters")

    eventually(clusters, until=lambda found: found == 7)
    path = f"/apis/clustertrigger.dev/v1alpha1/namespaces/{sandbox.namespace}/clusterdefinitions/shop"
    sandbox.kube.patch(path, {"spec": {"config": {"n_clusters": 9}}})
    eventually(clusters, until=lambda found: found == 9)
    sandbox.kube.delete(path)
    eventually(clusters, until=lambda found: found is None)


@BOTH
def test_a_caller_sees_its_own_change(cached: Caller, path: str) -> None:
    for number in range(20):
        body = every(description=f"number {number}")
        created = cached.create(body if path == CLUSTER else unified(body), path)
        one = f"{path}/{created['trigger_id']}"
        assert ok(cached.get(one)) == created
        assert ok(cached.post(f"{path}/list", {}))["total"] == 1
        assert ok(cached.patch(one, {"description": "another"}))["description"] == "another"
        assert ok(cached.get(one))["description"] == "another"
        assert ok(cached.post(f"{one}/pause"))["status"] == "paused"
        assert ok(cached.post(f"{path}/list", {"status": "paused"}))["total"] == 1
        assert cached.delete(one).status_code == 204
        refused(cached.get(one), 404)
        assert ok(cached.post(f"{path}/list", {}))["total"] == 0


def test_unknown_objects_are_read_from_the_api_server(cached: Caller, sandbox: Sandbox) -> None:
    for number in range(10):
        raw = sandbox.trigger(f"t{number}", every())
        assert ok(cached.get(f"{UNIFIED}/t{number}"))["created_at"] == raw["metadata"]["creationTimestamp"]


def test_callers_with_and_without_the_right_to_list(start: Start, sandbox: Sandbox, proxy: Proxy) -> None:
    """A caller who can read only one trigger gets it from the API server; its ID is known from the watch."""
    sandbox.trigger("mine", every())
    sandbox.trigger("others", every())
    rule = {"apiGroups": ["clustertrigger.dev"], "resources": ["clustertriggers"], "resourceNames": ["mine"]}
    token = token_of(sandbox.kube, sandbox.namespace, "one")
    grant(sandbox.kube, sandbox.namespace, "one", {**rule, "verbs": ["get"]})
    service = start()
    with Caller(service.url, sandbox.namespace, token) as caller:
        found = eventually(lambda: caller.get(f"{UNIFIED}/mine"), until=lambda answer: answer.status_code == 200)
        assert ok(caller.get(f"{UNIFIED}/{ok(found)['trigger_id']}"))["name"] == "mine"
        refused(caller.get(f"{UNIFIED}/others"), 403)
        refused(caller.get(UNIFIED), 403)
        refused(caller.post(f"{CLUSTER}/list", {}), 403)
        assert ok(caller.get(f"{CLUSTER}/mine"))["execution_config"]["collection_ids"] == ["col_products"]
    with Caller(service.url, sandbox.namespace, "no-such-token") as stranger:
        refused(stranger.get(UNIFIED), 401)
        refused(stranger.get(f"{UNIFIED}/mine"), 401)


def test_a_revoked_right(start: Start, sandbox: Sandbox, proxy: Proxy) -> None:
    sandbox.trigger("x", every())
    token = token_of(sandbox.kube, sandbox.namespace, "leaving", role="clustertrigger-viewer")
    with Caller(start(rights_seconds=2).url, sandbox.namespace, token) as caller:
        eventually(lambda: caller.get(UNIFIED), until=lambda answer: answer.status_code == 200)
        asked = len(proxy.requests)
        ok(caller.get(UNIFIED))
        assert not reads(proxy, asked, sandbox)
        take_role(sandbox.kube, sandbox.namespace, "leaving")
        taken = time.monotonic()
        eventually(lambda: caller.get(UNIFIED), until=lambda answer: answer.status_code == 403)
        assert time.monotonic() - taken < 30, "of the 60 s for which an answer holds by default"
        refused(caller.get(f"{UNIFIED}/x"), 403)


def test_a_broken_watch(cached: Caller, sandbox: Sandbox, proxy: Proxy) -> None:
    for name in ("stays", "goes"):
        sandbox.trigger(name, every())
    eventually(lambda: ok(cached.get(UNIFIED))["total"] == 2)
    proxy.cut()
    eventually(lambda: cached.get(UNIFIED), until=lambda answer: answer.status_code == 503)
    sandbox.delete("goes")
    sandbox.trigger("comes", every())
    proxy.mend()
    eventually(lambda: cached.get(UNIFIED), until=lambda answer: answer.status_code == 200)
    names = [found["name"] for found in ok(cached.get(UNIFIED, sort_by="name", direction="asc"))["results"]]
    assert names == ["comes", "stays"]
    began = len(proxy.requests)
    eventually(lambda: ok(cached.get(UNIFIED))["total"] == 2 and not reads(proxy, len(proxy.requests), sandbox))
    eventually(lambda: any("watch=true" in request.query for request in proxy.requests))
    assert began <= len(proxy.requests)


def test_without_the_right_to_watch(start_service: Start, cluster: Cluster, sandbox: Sandbox, proxy: Proxy,
                                    tmp_path: Path) -> None:  # fmt: skip
    """The API server answers all reads, and the service does not repeat a refused watch with every request."""
    own = tmp_path / "powerless"
    own.write_text(token_of(cluster.kube, sandbox.namespace, "powerless"))
    service = start_service(server=proxy.url, token_file=own, requests_per_second=0)
    token = token_of(sandbox.kube, sandbox.namespace, "editor", role="clustertrigger-editor")
    with Caller(service.url, sandbox.namespace, token) as caller:
        for number in range(5):
            created = caller.create(every(description=f"number {number}"))
            assert created["internal_id"] == ""
            assert ok(caller.get(f"{CLUSTER}/{created['trigger_id']}")) == created
        assert ok(caller.get(UNIFIED))["total"] == 5
        assert ok(caller.get(UNIFIED, resource_id="col_products", limit=2))["total"] == 5
    refusals = [request for request in proxy.requests if request.path.endswith("kube-system")]
    assert len(refusals) == 1
    assert sum(request.path.endswith("v1alpha1/clustertriggers") for request in proxy.requests) == 1


def test_chosen_namespaces(start_service: Start, cluster: Cluster, sandbox: Sandbox, proxy: Proxy,
                           tmp_path: Path) -> None:  # fmt: skip
    own = tmp_path / "own"
    own.write_text(token_of(cluster.kube, sandbox.namespace, "of-the-team", role="clustertrigger-viewer"))
    service = start_service(
        server=proxy.url, token_file=own, requests_per_second=0, watch_namespaces=f"{sandbox.namespace}, other"
    )
    sandbox.trigger("x", every())
    token = token_of(sandbox.kube, sandbox.namespace, "editor", role="clustertrigger-editor")
    with Caller(service.url, sandbox.namespace, token) as caller:

        def from_memory() -> bool:
            began = len(proxy.requests)
            assert ok(caller.get(UNIFIED, namespace=sandbox.namespace))["total"] == 1
            return not reads(proxy, began, sandbox)

        eventually(from_memory)


def test_a_deeply_nested_object_does_not_hide_others(start: Start, sandbox: Sandbox) -> None:
    """A malformed object once ended the watches, and the API server answered each read from then on."""
    service = start()
    token = token_of(sandbox.kube, sandbox.namespace, "deep", role="clustertrigger-editor")
    deep = definition("deep", "cluster_deep")
    deep["spec"]["filters"] = {"field": "a", "operator": "eq", "value": 1}
    for _ in range(5_000):
        deep["spec"]["filters"] = {"AND": deep["spec"]["filters"]}
    limit = sys.getrecursionlimit()
    read_deep_objects()  # the test's own client writes it
    try:
        sandbox.create("clusterdefinitions", deep)
    finally:
        sys.setrecursionlimit(limit)
    sandbox.trigger("ours", every())
    with Caller(service.url, sandbox.namespace, token) as caller:
        eventually(lambda: "ours" in str(ok(caller.get(UNIFIED))))
    assert service.stop() == 0
    assert service.mistakes() == []
