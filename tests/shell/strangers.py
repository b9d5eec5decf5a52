"""Clients without a valid token that use the endpoint for events, and one sender with a valid token."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

import pytest

from harness.control_plane.event_sender import EventSender, event, free_port, service_account
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.manifests import events
from harness.control_plane.operator_process import OperatorProcess
from harness.control_plane.sandbox import Sandbox

ELSEWHERE = "127.0.0.2"
PATIENCE = 15.0
"""Maximum number of seconds that the valid sender waits on a busy machine; the other clients wait much longer."""


Start = Callable[..., tuple[OperatorProcess, EventSender]]


@pytest.fixture
def sending(operator: StartOperator, sandbox: Sandbox) -> Start:
    """Starts an operator with a trigger; returns it and the valid sender."""
    token = service_account(sandbox, "sender", may_send=True)

    def start(**settings: Any) -> tuple[OperatorProcess, EventSender]:
        port = free_port()
        process = operator(events_port=port, **settings)
        sandbox.trigger("ingest", events(10**6))
        eventually(lambda: sandbox.status("ingest"))
        return process, EventSender(port, sandbox.namespace, token)

    return start


def request(sender: EventSender, token: str, *headers: str) -> bytes:
    body = json.dumps(event("x")).encode()
    lines = [
        f"POST /v1/namespaces/{sender.namespace}/events HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {token}",
        "Content-Type: application/cloudevents+json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def timed(sender: EventSender, event_id: str) -> float:
    """Returns the seconds until a valid sender's event is stored; the sender retries if it is asked to."""
    began = time.monotonic()
    eventually(lambda: sender.send(event(event_id)).status == 202)
    return time.monotonic() - began


def closed_within(connection: socket.socket | ssl.SSLSocket, seconds: float) -> float | None:
    """Returns after how many seconds the server closed the connection; None if it is still open."""
    began = time.monotonic()
    connection.settimeout(seconds)
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return None
    except OSError:
        pass
    return time.monotonic() - began
