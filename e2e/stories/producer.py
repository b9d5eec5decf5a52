"""Runs a Pod that sends events, with a separate service account as a user's producer has it.

The Pod has the operator's image, which is on the node and contains Python and aiohttp.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clustertrigger.core.events.cloudevents import STRUCTURED
from harness.installation import RELEASE
from harness.kubectl import Kubectl

NAME = "producer"
SENDER_ROLE = f"{RELEASE}-event-sender"
TOKEN_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path
_SENDERS = Path(__file__).with_name("event_senders.py")
_READY_SECONDS = 120
_POST = """
import json, sys, urllib.error, urllib.request
url, headers, body = json.loads(sys.argv[1])
try:
    answer = urllib.request.urlopen(urllib.request.Request(url, body.encode(), headers), timeout=30)
except urllib.error.HTTPError as error:
    answer = error
print(json.dumps([answer.status, json.loads(answer.read())]))
"""

Object = dict[str, Any]


class Producer:
    """Sends events from a Pod in the cluster; `producer` creates it."""

    def __init__(self, kubectl: Kubectl, pod: str, base: str) -> None:
        self._kubectl = kubectl
        self._pod = pod
        self._base = base

    def url(self, namespace: str) -> str:
        """Return the URL for events of a namespace."""
        return f"{self._base}/v1/namespaces/{namespace}/events"

    def token(self) -> str:
        """Return the token of the Pod's service account."""
        return self._kubectl.pipe(["exec", self._pod, "--", "cat", TOKEN_FILE]).decode().strip()

    def post(self, namespace: str, event: Object, token: str | None) -> tuple[int, Object]:
        """Send one event; return the status and the body of the response."""
        headers = {"Content-Type": STRUCTURED} | ({"Authorization": f"Bearer {token}"} if token else {})
        asked = json.dumps([self.url(namespace), headers, json.dumps(event)])
        status, body = json.loads(self._kubectl.pipe(["exec", self._pod, "--", "python", "-c", _POST, asked]))
        return status, body

    def flood(self, plan: Object, seconds: float) -> Object:
        """Run the concurrent producers of `event_senders.py`; return the counts that it prints."""
        words = ["exec", "--stdin", self._pod, "--", "python", "-", json.dumps({"token_file": TOKEN_FILE, **plan})]
        outcomes: Object = json.loads(self._kubectl.pipe(words, _SENDERS.read_bytes(), timeout=seconds))
        return outcomes


@contextmanager
def producer(kubectl: Kubectl, system: Kubectl, image: str) -> Iterator[Producer]:
    """Run the Pod while the context lasts; it may send events to its own namespace."""
    # The name is unique: the kubelet finds the container for `exec` by name, and may still be ending an earlier one.
    pod = f"{NAME}-{secrets.token_hex(3)}"
    kubectl.apply(*_rights(kubectl.namespace), _pod(pod, image))
    try:
        kubectl("wait", f"pod/{pod}", "--for=condition=Ready", f"--timeout={_READY_SECONDS}s", timeout=130)
        service = system.json("get", "service", RELEASE)["spec"]
        (port,) = [port["port"] for port in service["ports"] if port["name"] == "events"]
        # By IP address, because the cluster that the harness builds has no DNS.
        yield Producer(kubectl, pod, f"http://{service['clusterIP']}:{port}")
    finally:
        kubectl("delete", "pod", pod, "--grace-period=0", "--force", "--wait=false")


def _rights(namespace: str) -> list[Object]:
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "event-senders"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": SENDER_ROLE},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}],
        },
    ]


def _pod(name: str, image: str) -> Object:
    container = {
        "name": NAME,
        "image": image,
        "imagePullPolicy": "Never",
        "command": ["sleep", "86400"],
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}},
    }
    spec = {"serviceAccountName": NAME, "containers": [container], "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
