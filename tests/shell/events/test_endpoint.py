"""Tests of the endpoint for CloudEvents: which namespace a URL names, and what the sender gets as an answer."""

from __future__ import annotations

import json
from dataclasses import replace

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
JSON = "application/json"


def test_an_invalid_namespace_is_rejected_without_a_review(
    operator: StartOperator, sandbox: Sandbox, proxy: Proxy
) -> None:
    """A path in a URL cannot lead to anything but the triggers of a namespace."""
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


def binary(event_id: str) -> dict[str, str]:
    """An event as a broker delivers it, with an extension attribute."""
    said = event(event_id)
    attributes = {f"ce-{name}": str(said[name]) for name in ("specversion", "id", "source", "type", "subject")}
    return {**attributes, "ce-knativearrivaltime": "2026-11-22T01:00:00.000Z", "Prefer": "reply"}


def test_answers_to_a_broker_have_no_body(operator: StartOperator, sandbox: Sandbox) -> None:
    """A Knative broker expects an event or an empty body; any other body is a failed delivery for it."""
    port = free_port()
    operator(events_port=port)
    sandbox.trigger("ingest", events(10**6))
    eventually(lambda: sandbox.status("ingest"))
    sender = EventSender(port, sandbox.namespace, service_account(sandbox, "broker", may_send=True))
    body = json.dumps({"count": 7}).encode()
    delivered = sender.post(body, JSON, **binary("a"))
    assert (delivered.status, delivered.headers.get("Content-Length", "0")) == (202, "0")
    assert sandbox.status("ingest")["event_counter"] == 7
    malformed = sender.post(body, JSON, **{**binary("b"), "ce-specversion": "0.3"})
    assert (malformed.status, malformed.headers.get("Content-Length", "0")) == (400, "0")
    stranger = EventSender(port, sandbox.namespace, None).post(body, JSON, **binary("c"))
    assert (stranger.status, stranger.headers["WWW-Authenticate"]) == (401, "Bearer")
    told = sender.post(body, JSON, **{**binary("a"), "Prefer": "respond-async"})
    assert told.body == {"accepted": 0, "duplicates": 1, "unmatched": 0}, "who asks for no event gets the receipt"
