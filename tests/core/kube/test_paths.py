"""Tests that untrusted names cannot change the path of a request."""

from __future__ import annotations

import pytest

from clustertrigger.core.kube import paths
from clustertrigger.core.resources.trigger import Key

HOSTILE = [
    "",
    ".",
    "..",
    "../collections?x=",
    "..%2Fcollections%3Fx=",
    "..%252Fcollections",
    "a/../../kube-system",
    "a/b",
    "/",
    "a?watch=true",
    "a#b",
    "a%2Fb",
    "a%00",
    "a\x00",
    "a\n",
    "\na",
    "a\r\nHost: x",
    "a b",
    "a\\b",
    "A",
    "ä",
    "①",
    "-a",
    "a-",
    "a..b",
    ".a",
    "a.",
    "a_b",
    "a;b",
    "a,b",
    "x" * 254,
]


@pytest.mark.parametrize("name", HOSTILE)
def test_an_invalid_name_has_no_path(name: str) -> None:
    base = "/apis/clustertrigger.dev/v1alpha1/namespaces"
    assert paths.trigger(Key("search", name)) == f"{base}/search/clustertriggers/-"
    assert paths.trigger(Key(name, "nightly")) == f"{base}/-/clustertriggers/nightly"
    assert paths.custom("collections", name) == f"{base}/-/collections"
    assert paths.job("search", name) == "/apis/batch/v1/namespaces/search/jobs/-"
    assert paths.jobs(name) == "/apis/batch/v1/namespaces/-/jobs"
    assert paths.pod("search", name) == "/api/v1/namespaces/search/pods/-"
    assert paths.pods(name) == "/api/v1/namespaces/-/pods"
    assert paths.job_selector(name) == "job-name=-"
    assert paths.namespace(name) == "/api/v1/namespaces/-"
    assert paths.event("search", name) == "/api/v1/namespaces/search/events/-"
    assert paths.events(name) == "/api/v1/namespaces/-/events"
    assert paths.lease(name, name) == "/apis/coordination.k8s.io/v1/namespaces/-/leases/-"
    assert paths.service(name, name) == "/api/v1/namespaces/-/services/-"
    assert paths.service_account_token(name, name) == "/api/v1/namespaces/-/serviceaccounts/-/token"
    assert not paths.is_namespace(name)
    assert not paths.is_name(name)


@pytest.mark.parametrize("name", ["a", "0", "search", "a-b", "x" * 63])
def test_names_of_namespaces(name: str) -> None:
    assert paths.is_namespace(name)
    assert paths.pods(name) == f"/api/v1/namespaces/{name}/pods"


@pytest.mark.parametrize("name", ["a.b", "x" * 64])
def test_names_of_objects_that_no_namespace_has(name: str) -> None:
    assert not paths.is_namespace(name)
    assert paths.trigger(Key("search", name)).endswith(f"/clustertriggers/{name}")


def test_without_a_namespace_the_path_covers_all() -> None:
    assert paths.custom("clustertriggers") == "/apis/clustertrigger.dev/v1alpha1/clustertriggers"
    assert paths.jobs() == "/apis/batch/v1/jobs"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (paths.custom("clustertriggers"), "ClusterTrigger"),
        (paths.custom("collections", "search"), "Collection"),
        (paths.trigger(Key("search", "collections")), "ClusterTrigger"),
        (paths.trigger(Key("search", "nightly")) + "/status", "ClusterTrigger"),
        (paths.jobs(), "Job"),
        (paths.job("jobs", "pods"), "Job"),
        (paths.pods("search"), "Pod"),
        (paths.namespace("kube-system"), "Namespace"),
        ("/api/v1/namespaces", "Namespace"),
        (paths.event("search", "x"), "Event"),
        (paths.lease("search", "x"), "Lease"),
        (paths.services(), "Service"),
        (paths.TOKEN_REVIEWS, "TokenReview"),
        (paths.ACCESS_REVIEWS, "SubjectAccessReview"),
        (paths.service_account_token("search", "x"), None),
        (paths.pod("search", "x") + "/log", None),
        ("/apis/kueue.x-k8s.io/v1beta2/workloads", "Workload"),
        ("/apis/kueue.x-k8s.io/v1beta2/localqueues", None),
        ("/api/v1", None),
        ("/version", None),
    ],
)
def test_the_kind_at_a_path(path: str, kind: str | None) -> None:
    assert paths.kind_at(path) == kind
    assert paths.is_path(path)


@pytest.mark.parametrize(
    "path", ["", "/", "api", "/a/", "/a//b", "/a/../b", "/a/./b", "/a%2Fb", "/a?b", "/a#b", "/a\n"]
)
def test_invalid_paths(path: str) -> None:
    assert not paths.is_path(path)
