"""Brokers of Knative want an event back, or nothing: a body that is no event is a failed delivery to them."""

from __future__ import annotations

import json

from harness.control_plane.event_sender import EventSender, event, free_port, service_account
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.manifests import events
from harness.control_plane.sandbox import Sandbox

JSON = "application/json"


def binary(event_id: str) -> dict[str, str]:
    """An event as a broker delivers it, with an extension of its own."""
    said = event(event_id)
    attributes = {f"ce-{name}": str(said[name]) for name in ("specversion", "id", "source", "type", "subject")}
    return {**attributes, "ce-knativearrivaltime": "2026-11-22T01:00:00.000Z", "Prefer": "reply"}


def test_answers_to_a_broker_have_no_body(operator: StartOperator, sandbox: Sandbox) -> None:
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
