"""Tests that the operator uses each of its rights, and has each right that it needs.

Its requests are recorded while it uses all features, and compared with the rights that the API server reports.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from clustertrigger.core.kube import paths
from harness.cluster.accounts import service_account_kubeconfig
from harness.control_plane.checks import about_to_check, found, jobs
from harness.control_plane.cluster import SYSTEM, Cluster
from harness.control_plane.event_sender import EventSender, event, free_port, service_account
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import events, interval, rarely
from harness.control_plane.proxy import Answer, Fault, Proxy, Request, Rule
from harness.control_plane.rights import Right, Use, rights_listed, use_of
from harness.control_plane.sandbox import Sandbox

_POSITIONS = Right("visibility.kueue.x-k8s.io", "localqueues/pendingworkloads", "", "get")


@pytest.fixture
def used(operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, proxy: Proxy) -> set[Use]:
    """The requests of the operator while it uses all features: it serves all namespaces, leads, and accepts events."""
    token = service_account(sandbox, "sender", may_send=True)
    port = free_port()
    process = operator(through=proxy, watch_namespaces="", leader_election=True, events_port=port)
    eventually(lambda: process.metric("clustertrigger_leader") == 1)
    eventually(lambda: proxy.writes("/leases/clustertrigger"), what="the Lease being renewed")

    _runs(sandbox, kubelet, proxy)
    _checks(sandbox, kubelet)
    sandbox.trigger("ingest", events(10))
    eventually(lambda: sandbox.status("ingest"))
    assert EventSender(port, sandbox.namespace, token).send(event("1")).status == 202

    assert process.terminate() == 0
    return {use for request in proxy.requests if (use := use_of(request))}


def _runs(sandbox: Sandbox, kubelet: Kubelet, proxy: Proxy) -> None:
    """One run of each kind: completed, not started, replaced, deleted by a user, and one with a conflict."""
    sandbox.trigger("well", interval(86_400, start_immediately=True))
    (first,) = eventually(lambda: sandbox.history("well"))
    proxy.rule = _conflict_once()
    kubelet.complete(first["job_id"])
    eventually(lambda: sandbox.status("well").get("execution_count", 0) == 1)

    sandbox.trigger("stuck", rarely(pending_timeout_seconds=1))
    sandbox.trigger("replaced", rarely(concurrency_policy="Replace"))
    for name in ("stuck", "replaced"):
        eventually(lambda: sandbox.status(name))
        sandbox.request_run(name, "first")
        eventually(lambda: sandbox.history(name))
    eventually(lambda: sandbox.status("stuck").get("failure_count") == 1)
    sandbox.request_run("replaced", "second")
    (second, _) = eventually(lambda: sandbox.history("replaced"), until=lambda history: len(history) == 2)
    sandbox.delete_job(second["job_id"])
    eventually(lambda: sandbox.status("replaced").get("failure_count") == 2)

    sandbox.trigger("queued", rarely(queue_name="team"))
    eventually(lambda: sandbox.status("queued"))
    sandbox.request_run("queued", "first")
    eventually(lambda: sandbox.history("queued"))
    if waits_in_a_queue(sandbox):
        eventually(
            lambda: any("/localqueues/team/pendingworkloads" in request.path for request in list(proxy.requests))
        )


def waits_in_a_queue(sandbox: Sandbox) -> bool:
    """Returns whether the Job waits: Kubernetes before 1.21 suspends no Jobs."""
    (entry,) = sandbox.history("queued")
    return bool(sandbox.job(entry["job_id"])["spec"].get("suspend"))


def _checks(sandbox: Sandbox, kubelet: Kubelet) -> None:
    """Two checks find no drift, and one event with a count reports both."""
    about_to_check(sandbox, "quiet")
    sandbox.edit("quiet", {"schedule_config": {"check_interval_seconds": 2}})
    for number in (1, 2):
        checks = eventually(lambda: jobs(sandbox, "quiet", "check"), until=lambda checks: len(checks) >= number)
        kubelet.complete(checks[number - 1], found(0.084))
        eventually(
            lambda: [told["count"] for told in sandbox.events("quiet", "NoDrift")], until=lambda n: n == [number]
        )


def _conflict_once() -> Rule:
    told = False

    def rule(request: Request) -> Fault | None:
        nonlocal told
        if told or not request.matches("PATCH", "/well/status"):
            return None
        told = True
        return Answer(409, "Conflict")

    return rule


def test_what_it_may_do_is_what_it_does(cluster: Cluster, sandbox: Sandbox, used: set[Use], tmp_path: Path) -> None:
    sandbox.kube.create(f"/api/v1/namespaces/{sandbox.namespace}/serviceaccounts", {"metadata": {"name": "anybody"}})
    admin = cluster.plane.kubeconfig
    anybody = service_account_kubeconfig(admin, sandbox.namespace, "anybody", tmp_path / "anybody.kubeconfig")

    def granted(namespace: str) -> set[Right]:
        return rights_listed(cluster.operator_kubeconfig, namespace) - rights_listed(anybody, namespace)

    everywhere, at_home = granted(sandbox.namespace), granted(SYSTEM)
    if not waits_in_a_queue(sandbox):
        everywhere, at_home = everywhere - {_POSITIONS}, at_home - {_POSITIONS}
    assert everywhere <= at_home
    abroad = {use.right for use in used if use.namespace != SYSTEM}
    assert excess(everywhere, abroad) == set(), "granted in all namespaces, and no request needed it"
    home = {use.right for use in used if use.namespace == SYSTEM}
    assert excess(at_home - everywhere, home) == set(), "granted in its own namespace, and no request needed it"
    # A request that is refused again and again would go unnoticed.
    assert refused(home, at_home) == set(), "needed in its own namespace, and not granted"
    assert refused(abroad, everywhere) == set(), "needed elsewhere, and not granted"


def excess(granted: set[Right], needed: set[Right]) -> set[Right]:
    """Returns the rights that no request needed."""
    return {right for right in granted if not any(right.covers(use) for use in needed)}


def refused(needed: set[Right], granted: set[Right]) -> set[Right]:
    """Returns the requests that no right covers."""
    return {use for use in needed if not any(right.covers(use) for right in granted)}


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        (
            "GET",
            paths.custom("collections"),
            "limit=500",
            Use("", Right("clustertrigger.dev", "collections", "", "list")),
        ),
        ("GET", paths.pods("a"), "watch=true", Use("a", Right("", "pods", "", "watch"))),
        ("PATCH", paths.jobs("a") + "/j", "", Use("a", Right("batch", "jobs", "j", "patch"))),
        (
            "PATCH",
            paths.custom("clustertriggers", "a") + "/t/status",
            "",
            Use("a", Right("clustertrigger.dev", "clustertriggers/status", "t", "patch")),
        ),
        ("GET", "/api/v1/namespaces/kube-system", "", Use("", Right("", "namespaces", "kube-system", "get"))),
        ("GET", "/apis/clustertrigger.dev/v1alpha1", "", None),
        ("GET", "/api", "", None),
    ],
)
def test_what_a_request_needs(method: str, path: str, query: str, expected: Use | None) -> None:
    assert use_of(Request(method, path, query, b"")) == expected
