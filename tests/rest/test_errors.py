"""Tests of rejected requests and their messages."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from clustertrigger.core.resources.validation import parse_trigger
from harness.control_plane.api_process import ApiProcess
from harness.control_plane.cluster import Cluster
from harness.control_plane.kube import Object, trigger_path
from harness.control_plane.sandbox import Sandbox
from harness.control_plane.tokens import token_of
from tests.rest.callers import CLUSTER, UNIFIED, Caller, asked_for, every, fields_of, ok, refused, unified

BOTH = pytest.mark.parametrize("path", [CLUSTER, UNIFIED])
REQUESTS = [
    ("POST", CLUSTER),
    ("GET", f"{CLUSTER}/x"),
    ("PATCH", f"{CLUSTER}/x"),
    ("DELETE", f"{CLUSTER}/x"),
    ("POST", f"{CLUSTER}/list"),
    ("POST", f"{CLUSTER}/x/pause"),
    ("POST", f"{CLUSTER}/x/resume"),
    ("POST", f"{CLUSTER}/x/execute"),
    ("POST", f"{CLUSTER}/x/history"),
    ("POST", UNIFIED),
    ("GET", UNIFIED),
    ("GET", f"{UNIFIED}/x"),
    ("PATCH", f"{UNIFIED}/x"),
    ("DELETE", f"{UNIFIED}/x"),
    ("POST", f"{UNIFIED}/list"),
    ("POST", f"{UNIFIED}/x/pause"),
    ("POST", f"{UNIFIED}/x/resume"),
    ("POST", f"{UNIFIED}/x/execute"),
    ("GET", f"{UNIFIED}/x/history"),
]


def body_of(method: str, path: str) -> Object | None:
    if method == "POST" and path in (CLUSTER, UNIFIED):
        return every() if path == CLUSTER else unified(every())
    return {} if method == "PATCH" or (path.endswith(("list", "history")) and method == "POST") else None


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_callers_with_and_without_rights(
    anonymous: httpx.Client, nobody: Caller, caller: Caller, sandbox: Sandbox, method: str, path: str
) -> None:
    sandbox.trigger("x", every())
    body = body_of(method, path)
    without = anonymous.request(method, path, json=body, headers={"X-Namespace": sandbox.namespace})
    assert refused(without, 401)["type"] == "unauthorized"
    assert without.headers["www-authenticate"] == "Bearer"
    strange = {"X-Namespace": sandbox.namespace, "Authorization": "Bearer no-such-token"}
    refused(anonymous.request(method, path, json=body, headers=strange), 401)
    error = refused(nobody.http.request(method, path, json=body), 403)
    assert error["type"] == "forbidden"
    assert "cannot" in error["message"]
    unnamed = caller.http.request(method, path, json=body, headers={"X-Namespace": ""})
    assert list(fields_of(refused(unnamed, 422))) == ["X-Namespace"]
    assert asked_for(sandbox.get("x")) == every()


def test_a_caller_who_can_only_read(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.trigger("x", every())
    token = token_of(sandbox.kube, sandbox.namespace, "viewer", role="clustertrigger-viewer")
    with Caller(str(caller.http.base_url), sandbox.namespace, token) as viewer:
        assert ok(viewer.get(f"{CLUSTER}/x")) == ok(caller.get(f"{CLUSTER}/x"))
        assert ok(viewer.get(UNIFIED))["total"] == 1
        for refusal in (
            viewer.post(CLUSTER, every()),
            viewer.patch(f"{CLUSTER}/x", {"description": "mine"}),
            viewer.delete(f"{CLUSTER}/x"),
            viewer.post(f"{CLUSTER}/x/pause"),
            viewer.post(f"{CLUSTER}/x/execute"),
        ):
            refused(refusal, 403)


def test_the_namespace(caller: Caller, cluster: Cluster, anonymous: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.trigger("x", every())
    bearer = {name: caller.http.headers[name] for name in ("Authorization", "Cache-Control")}
    assert ok(anonymous.get(UNIFIED, params={"namespace": sandbox.namespace}, headers=bearer))["total"] == 1
    both = {**bearer, "X-Namespace": sandbox.namespace}
    assert ok(anonymous.get(UNIFIED, params={"namespace": "other"}, headers=both))["total"] == 1
    by_query = anonymous.get(f"{UNIFIED}/x/history", params={"namespace": sandbox.namespace}, headers=bearer)
    assert ok(by_query)["total"] == 0
    refused(anonymous.get(UNIFIED, params={"namespace": "kube-system"}, headers=bearer), 403)
    error = refused(anonymous.get(UNIFIED, params={"namespace": "../x"}, headers=bearer), 422)
    assert list(fields_of(error)) == ["namespace"]
    admin = token_of(cluster.kube, "clustertrigger-system", "everywhere")
    binding = {
        "metadata": {"name": "everywhere"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "clustertrigger-editor"},
        "subjects": [{"kind": "ServiceAccount", "name": "everywhere", "namespace": "clustertrigger-system"}],
    }
    path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    cluster.kube.create(path, binding)
    try:
        nowhere = {"Authorization": f"Bearer {admin}", "X-Namespace": "no-such-namespace"}
        refused(anonymous.post(CLUSTER, json=every(), headers=nowhere), 404)
        refused(anonymous.get(f"{CLUSTER}/x", headers=nowhere), 404)
    finally:
        cluster.kube.delete(f"{path}/everywhere")


WRONG: list[tuple[Object, dict[str, str]]] = [
    ({}, {"trigger_type": "is required: set it", "schedule_config": "is required: set it"}),
    ({**every(), "trigger_type": "hourly"}, {"trigger_type": "must be"}),
    ({**every(), "schedule_config": {"interval_seconds": "5m"}}, {"schedule_config.interval_seconds": "write 300"}),
    ({**every(), "schedule_config": {"interval_seconds": 0}}, {"schedule_config.interval_seconds": "at least 1"}),
    ({**every(), "schedule_config": {}}, {"schedule_config.interval_seconds": "is required with interval"}),
    (
        {**every(), "trigger_type": "cron", "schedule_config": {"cron_expression": "61 * * * *"}},
        {"schedule_config.cron_expression": "minute 61 is out of range 0-59"},
    ),
    (
        {
            **every(),
            "trigger_type": "cron",
            "schedule_config": {"cron_expression": "0 2 * * *", "timezone": "Europe/Berlyn"},
        },
        {"schedule_config.timezone": "Europe/Berlin"},
    ),
    ({**every(), "status": "on"}, {"status": "must be"}),
    ({**every(), "description": 5}, {"description": "must be a string"}),
    ({**every(), "execution_config": None}, {"execution_config": "execution_config or cluster_id is required"}),
    (
        {**every(), "execution_config": {"collection_ids": [], "config": {"algorithm": "kmeans", "n_clusters": 2}}},
        {"execution_config.collection_ids": "must not be empty"},
    ),
    (
        {**every(), "execution_config": {"collection_ids": ["c"], "config": {"algorithm": "kmeens"}}},
        {"execution_config.config.algorithm": "did you mean kmeans?"},
    ),
]


@BOTH
@pytest.mark.parametrize(("body", "fields"), WRONG)
def test_invalid_fields_are_named(caller: Caller, path: str, body: Object, fields: dict[str, str]) -> None:
    error = refused(caller.post(path, body if path == CLUSTER else unified(body)), 422)
    assert error["type"] == "validation_error"
    own = ("execution_config", "cluster_id")
    expected = {
        f"action_config.{name}" if path == UNIFIED and name.startswith(own) else name: said
        for name, said in fields.items()
    }
    found = {name: item["message"] for name, item in fields_of(error).items()}
    assert found.keys() == expected.keys()
    for name, said in expected.items():
        assert said in found[name]
        assert found[name] in error["message"]


@pytest.mark.parametrize("body", [body for body, _ in WRONG if body])
def test_errors_equal_those_of_the_operator(caller: Caller, body: Object) -> None:
    _, problems = parse_trigger(body)
    error = refused(caller.post(CLUSTER, body), 422)
    assert {f"spec.{name}": item["message"] for name, item in fields_of(error).items()} == {
        problem.field: problem.message for problem in problems
    }


@pytest.mark.parametrize(
    ("method", "path", "body", "field", "accepted"),
    [
        ("POST", CLUSTER, {**every(), "schedul": 1}, "schedul", "schedule_config"),
        ("POST", CLUSTER, {**every(), "run": {}}, "run", "execution_config"),
        ("POST", UNIFIED, {**unified(every()), "cluster_id": "x"}, "cluster_id", "action_config"),
        (
            "POST",
            UNIFIED,
            {**unified(every()), "action_config": {"taxonomy_id": "x"}},
            "action_config.taxonomy_id",
            "cluster_id",
        ),
        (
            "POST",
            CLUSTER,
            {**every(), "schedule_config": {"interval": 5}},
            "schedule_config.interval",
            "interval_seconds",
        ),
        ("PATCH", f"{CLUSTER}/x", {"name": "x"}, "name", "description"),
        ("PATCH", f"{UNIFIED}/x", {"trigger_type": "cron"}, "trigger_type", "name"),
        ("POST", f"{CLUSTER}/list", {"action_type": "cluster"}, "action_type", "cluster_id"),
        ("POST", f"{UNIFIED}/list", {"cluster_id": "x"}, "cluster_id", "resource_id"),
        ("POST", f"{CLUSTER}/x/history", {"status": "failed"}, "status", "status_filter"),
        ("GET", f"{UNIFIED}?colour=red", None, "colour", "resource_id"),
        ("GET", f"{UNIFIED}/x/history?colour=red", None, "colour", "status_filter"),
    ],
)
def test_unknown_keys(
    caller: Caller, sandbox: Sandbox, method: str, path: str, body: Object | None, field: str, accepted: str
) -> None:
    sandbox.trigger("x", every())
    error = refused(caller.http.request(method, path, json=body), 422)
    (item,) = error["details"]["errors"]
    assert (item["field"], item["type"]) == (field, "extra_forbidden")
    assert accepted in item["accepted"]


@pytest.mark.parametrize("action", ["clusters", "nonsense"])
def test_unknown_actions(caller: Caller, action: str) -> None:
    error = refused(caller.post(UNIFIED, {**unified(every()), "action_type": action}), 422)
    assert "'cluster'" in fields_of(error)["action_type"]["message"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"offset": -1}, "offset"),
        ({"direction": "up"}, "direction"),
        ({"sort_by": "colour"}, "sort_by"),
        ({"status": "on"}, "status"),
        ({"trigger_type": "hourly"}, "trigger_type"),
    ],
)
def test_pages(caller: Caller, query: dict[str, Any], field: str) -> None:
    assert list(fields_of(refused(caller.get(UNIFIED, **query), 422))) == [field]
    assert list(fields_of(refused(caller.post(f"{UNIFIED}/list", query), 422))) == [field]
    assert list(fields_of(refused(caller.post(f"{CLUSTER}/list", query), 422))) == [field]


NO_JSON: dict[str, tuple[bytes, str]] = {
    "half an object": (b"{", "at character 2"),
    "a word": (b"nonsense", "at character 1"),
    "not UTF-8": (b'{"trigger_type": "\xff"}', "byte 19 is not valid UTF-8"),
    "no end of nesting": (b"[" * 100_000, "nested too deeply"),
    "NaN": (b'{"limit": NaN}', "NaN is not a number in JSON"),
    "infinity": (b'{"limit": -Infinity}', "-Infinity is not a number in JSON"),
    "a number of 5,000 digits": (b'{"limit": ' + b"9" * 5_000 + b"}", "digits"),
    "a key that is set twice": (b'{"limit": 1, "offset": 0, "limit": 2}', "the key 'limit' is set twice"),
}


@pytest.mark.parametrize("path", [CLUSTER, f"{UNIFIED}/list"])
@pytest.mark.parametrize("case", NO_JSON)
def test_bodies_that_are_not_json(caller: Caller, path: str, case: str) -> None:
    content, reason = NO_JSON[case]
    answer = caller.http.post(path, content=content, headers={"Content-Type": "application/json"})
    assert reason in refused(answer, 400, "no_json")["message"]


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b'"text"', b"5"])
def test_bodies_that_are_not_objects(caller: Caller, content: bytes) -> None:
    answer = caller.http.post(CLUSTER, content=content, headers={"Content-Type": "application/json"})
    assert list(fields_of(refused(answer, 422))) == ["body"]


def nested(levels: int, inner: object = "x") -> object:
    for _ in range(levels):
        inner = {"a": inner}
    return inner


ODD: dict[str, tuple[Object, str]] = {
    "a long key": ({"k" * 100_000: 1}, "k" * 100_000),
    "deep, unknown": ({"deep": nested(900)}, "deep"),
    "deep, as a description": ({"description": nested(900)}, "description"),
    "deep, as a configuration": ({"execution_config": nested(900)}, "execution_config.a"),
    "half of a character": ({"description": "\ud800"}, "description"),
    "a number that is no float": (
        {"schedule_config": {"interval_seconds": 10**400}},
        "schedule_config.interval_seconds",
    ),
}


@pytest.mark.parametrize("case", ODD)
def test_unusual_objects(caller: Caller, case: str) -> None:
    added, field = ODD[case]
    content = json.dumps({**every(), **added}).encode()
    answer = caller.http.post(CLUSTER, content=content, headers={"Content-Type": "application/json"})
    error = refused(answer, 422)
    assert field in fields_of(error)
    assert len(error["message"]) < 20_000


def test_many_keys(caller: Caller) -> None:
    """The length of the answer is limited, whatever the request contains."""
    body = {**every(), **{f"key-{number}": number for number in range(10_000)}}
    answer = caller.post(CLUSTER, body)
    error = refused(answer, 422)
    assert len(error["details"]["errors"]) == 100
    assert error["details"]["left_out"] == 9_900
    assert error["message"].endswith("; and 9900 more")
    assert len(answer.content) < 100_000


def test_a_filter_that_is_nested_deeply(caller: Caller) -> None:
    """A model that contains itself."""
    body = unified(every())
    body["action_config"]["filters"] = "FILTER"
    filters = '{"AND": [' * 900 + '{"field": "brand", "operator": "eq", "value": "acme"}' + "]}" * 900
    content = json.dumps(body).replace('"FILTER"', filters)
    refused(caller.http.post(UNIFIED, content=content, headers={"Content-Type": "application/json"}), 422)


def test_missing_objects(caller: Caller) -> None:
    for name in ("no-such", "trg_0123456789abcdef", "trg_", "Not_A_Name", "..", "a%2Fb", "x" * 200):
        error = refused(caller.get(f"{CLUSTER}/{name}" if name != ".." else f"{CLUSTER}/%2E%2E"), 404)
        if "%" not in name:  # Names of no object had another message than those that the API server does not find.
            listing = f"in namespace {caller.namespace!r}: list the triggers to see which exist"
            assert error["message"] == f"there is no trigger {name!r} {listing}"
    refused(caller.get("/v2/triggers"), 404)
    slash = refused(caller.post(f"{CLUSTER}/", every()), 404)
    assert (
        slash["message"] == f"there is no resource at {CLUSTER}/: remove the / at its end, or see /docs for all paths"
    )
    method = refused(caller.http.put(UNIFIED, json={}), 405)
    assert method["message"] == f"PUT {UNIFIED}: method not allowed: use GET, POST"


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("limit=many", "limit", "must be a whole number: write its digits"),
        ("limit=", "limit", "must be a whole number: write its digits"),
        ("trigger_type=cron&trigger_type=event", "trigger_type", "is set more than once in the query: set it once"),
        ("limit=5&limit=5", "limit", "is set more than once in the query: set it once"),
    ],
)
def test_queries(caller: Caller, query: str, field: str, message: str) -> None:
    """Of two types, the last one silently took precedence."""
    assert fields_of(refused(caller.http.get(f"{UNIFIED}?{query}"), 422))[field]["message"] == message


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"annotations": {"argocd.argoproj.io/tracking-id": "shop:x/y:a/b"}}, "Argo CD, from its Application shop"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}, "Flux, from its Kustomization apps"),
    ],
)
def test_objects_applied_by_gitops(caller: Caller, sandbox: Sandbox, metadata: Object, words: str) -> None:
    sandbox.trigger("synced", every(), **metadata)
    one = f"{CLUSTER}/synced"
    for answer in (caller.patch(one, {"description": "mine"}), caller.delete(one)):
        assert words in refused(answer, 409, "managed_by_gitops")["message"]
    assert asked_for(sandbox.get("synced")) == every()
    assert ok(caller.post(f"{one}/pause"))["status"] == "paused"


def test_objects_applied_by_gitops_with_override(start_service: Callable[..., ApiProcess], sandbox: Sandbox) -> None:
    """With api.overrideGitOps."""
    synced = {"annotations": {"argocd.argoproj.io/tracking-id": "shop:x/y:a/b"}}
    sandbox.trigger("synced", every(), **synced)
    token = token_of(sandbox.kube, sandbox.namespace, "editor", role="clustertrigger-editor")
    with Caller(start_service(override_gitops=True).url, sandbox.namespace, token) as caller:
        assert ok(caller.patch(f"{UNIFIED}/synced", {"description": "mine"}))["description"] == "mine"
        assert sandbox.get("synced")["metadata"]["annotations"].items() >= synced["annotations"].items()
        assert caller.delete(f"{UNIFIED}/synced").status_code == 204
        refused(caller.get(f"{UNIFIED}/synced"), 404)


def test_a_concurrent_edit_is_kept(caller: Caller, sandbox: Sandbox) -> None:
    """Eight clients write at the same time, to different fields or to the same one: no successful write is undone."""
    sandbox.trigger("shared", every())
    one = f"{CLUSTER}/shared"
    begin = threading.Barrier(8)

    def write(number: int) -> tuple[int, str]:
        begin.wait()
        if number % 2:
            sandbox.kube.patch(trigger_path(sandbox.namespace, "shared"), {"metadata": {"labels": {f"l{number}": "x"}}})
            return 0, ""
        answer = caller.patch(one, {"description": f"by {number}"})
        return answer.status_code, f"by {number}"

    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(write, range(8)))
    raw = sandbox.get("shared")
    assert {f"l{number}" for number in (1, 3, 5, 7)} == raw["metadata"]["labels"].keys()
    assert {status for status, _ in written} <= {0, 200, 409}
    assert raw["spec"]["description"] in {text for status, text in written if status == 200}
