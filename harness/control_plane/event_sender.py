"""Sends CloudEvents to operators, as a service account of the test's namespace."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import urllib3

from harness.cluster.debian.ports import free_ports
from harness.control_plane.kube import Object
from harness.control_plane.sandbox import Sandbox
from harness.control_plane.tokens import grant, grant_everywhere, token_of

_SENDING: Object = {"apiGroups": ["clustertrigger.dev"], "resources": ["clustertriggers/events"], "verbs": ["create"]}
_POOL = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(60), maxsize=64)


@dataclass(frozen=True)
class Answer:
    """A response of the endpoint."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str]

    @property
    def error(self) -> str:
        """The error in the response."""
        message: str = self.body["error"]
        return message


@dataclass(frozen=True)
class EventSender:
    """A sender of events to one replica.

    Attributes:
        port: Port of the operator's endpoint on this machine.
        namespace: Namespace of the triggers.
        token: Token of the sender; None to send none.
    """

    port: int
    namespace: str
    token: str | None

    @property
    def url(self) -> str:
        """URL of the endpoint."""
        return f"http://127.0.0.1:{self.port}/v1/namespaces/{self.namespace}/events"

    def to(self, port: int) -> EventSender:
        """Returns a sender to another replica."""
        return replace(self, port=port)

    def headers(self, content_type: str) -> dict[str, str]:
        """Return the headers of a request."""
        authorization = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        return {"Content-Type": content_type, **authorization}

    def send(self, event: Object | list[Object]) -> Answer:
        """Sends an event, or a batch."""
        kind = "application/cloudevents-batch+json" if isinstance(event, list) else "application/cloudevents+json"
        return self.post(json.dumps(event).encode(), kind)

    def post(self, body: bytes, content_type: str, **headers: str) -> Answer:
        """Sends any body."""
        answer = _POOL.request("POST", self.url, body=body, headers={**self.headers(content_type), **headers})
        found = json.loads(answer.data) if answer.data.startswith(b"{") else {}
        return Answer(answer.status, found, answer.headers)


def event(event_id: str, *, count: int = 1, **attributes: Any) -> Object:
    """Returns a CloudEvent about col_products."""
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "/tests",
        "type": "documents_added",
        "subject": "col_products",
        "data": {"count": count},
        **attributes,
    }


def free_port() -> int:
    """Returns a port on which no process listens, and which no other process gets while this one runs."""
    (port,) = free_ports(1)
    return port


def may_send_everywhere(sandbox: Sandbox, name: str) -> None:
    """Allows a service account to send to every namespace, as long as the control plane exists."""
    grant_everywhere(sandbox.kube, sandbox.namespace, name, _SENDING)


def service_account(sandbox: Sandbox, name: str, *, may_send: bool) -> str:
    """Creates a service account, and returns a token of it."""
    token = token_of(sandbox.kube, sandbox.namespace, name)
    if may_send:
        grant(sandbox.kube, sandbox.namespace, name, _SENDING)
    return token
