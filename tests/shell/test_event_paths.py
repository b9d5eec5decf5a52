"""What a sender writes into the URL leads nowhere but to the triggers of a namespace."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harness.control_plane.event_sender import (
    EventSender,
    event,
    free_port,
    may_send_everywhere,
    service_account,
)
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.manifests import collection, events
from harness.control_plane.proxy import Proxy
from harness.control_plane.sandbox import Sandbox

STRUCTURED = "application/cloudevents+json"


def test_a_namespace_that_is_none_is_refused_and_nothing_is_asked(
    operator: StartOperator, sandbox: Sandbox, proxy: Proxy
) -> None:
    token = service_account(sandbox, "sender", may_send=True)
    may_send_everywhere(sandbox, "sender")
    port = free_port()
    process = operator(events_port=port, through=proxy, watch_namespaces="")
    sender = EventSender(port, sandbox.namespace, token)
    sandbox.create("collections", collection("ingest", "col_ingest"))
    sandbox.trigger("ingest", events(10**6))
    eventually(lambda: sandbox.status("ingest"))
    body = json.dumps(event("a", type="unheard_of")).encode()
    before = len(proxy.requests)
    for namespace in (
        f"{sandbox.namespace}%2Fcollections%3Fx=",
        "..%2Fcollections%3Fx=",
        "..%2F..%2F..%2F..%2Fapi%2Fv1%2Fsecrets%3F",
        "%2E%2E",
        "a%23",
        "a%00b",
        "a%0Ab",
        "%C3%A4",
        "Search",
        "x" * 64,
        "%20",
        "a%252Fb",
    ):
        answer = replace(sender, namespace=namespace).post(body, STRUCTURED)
        assert (answer.status, answer.error[:11]) == (400, "namespace '"), namespace
        assert "lower-case letters" in answer.error
    assert [request.path for request in proxy.requests[before:] if "lease" not in request.path] == []
    assert sender.send(event("b")).body == {"accepted": 1, "duplicates": 0, "unmatched": 0}, "still there"
    assert not process.mistakes()


@pytest.mark.parametrize(
    "name", ["../../../../api/v1/namespaces/kube-system/secrets/x", "a/status", "%2e%2e", "a?b", ""]
)
def test_names_in_a_status_lead_to_nothing_else(
    operator: StartOperator, sandbox: Sandbox, proxy: Proxy, name: str
) -> None:
    """Whoever may write a status names a Job there: of an active run, which the operator looks up."""
    process = operator(through=proxy)
    sandbox.trigger("ingest", events(1, concurrency_policy="Replace"))
    eventually(lambda: sandbox.status("ingest"))
    before = len(proxy.requests)
    entry = {
        "job_id": name,
        "slot": "event/1",
        "status": "running",
        "triggered_at": "2026-01-01T00:00:00Z",
    }
    path = f"/apis/clustertrigger.dev/v1alpha1/namespaces/{sandbox.namespace}/clustertriggers/ingest/status"
    sandbox.kube.patch(path, {"status": {"history": [entry]}})
    eventually(lambda: sandbox.history("ingest")[0]["status"] not in ("running", "pending"), 30)
    asked = [request for request in proxy.requests[before:] if "/jobs" in request.path or "secrets" in request.path]
    assert asked
    assert all("secrets" not in request.path and ".." not in request.path for request in asked)
    assert process.running()
