"""A program in the cluster that sends events: a Pod under a service account of its own, as producers have it.

The operator's image is on the node, and has Python and aiohttp.
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
    """Sends events from within the cluster; made by `producer`."""

    def __init__(self, kubectl: Kubectl, pod: str, base: str) -> None:
        self._kubectl = kubectl
        self._pod = pod
        self._base = base

    def url(self, namespace: str) -> str:
        """Return where events for a namespace go."""
        return f"{self._base}/v1/namespaces/{namespace}/events"

    def token(self) -> str:
        """Return the service account's token, as the Pod has it."""
        return self._kubectl.pipe(["exec", self._pod, "--", "cat", TOKEN_FILE]).decode().strip()

    def post(self, namespace: str, event: Object, token: str | None) -> tuple[int, Object]:
        """Send one event; return status and body of the answer."""
        headers = {"Content-Type": STRUCTURED} | ({"Authorization": f"Bearer {token}"} if token else {})
        asked = json.dumps([self.url(namespace), headers, json.dumps(event)])
        status, body = json.loads(self._kubectl.pipe(["exec", self._pod, "--", "python", "-c", _POST, asked]))
        return status, body

    def flood(self, plan: Object, seconds: float) -> Object:
        """Have many send at once, as `event_senders.py` says; return what it prints."""
        words = ["exec", "--stdin", self._pod, "--", "python", "-", json.dumps({"token_file": TOKEN_FILE, **plan})]
        told: Object = json.loads(self._kubectl.pipe(words, _SENDERS.read_bytes(), timeout=seconds))
        return told


@contextmanager
def producer(kubectl: Kubectl, system: Kubectl, image: str) -> Iterator[Producer]:
    """Run the Pod for as long as the context lasts; it may send events to its own namespace."""
    # A name of its own: a kubelet that still ends the last one's container answers `exec` by the Pod's name alone.
    pod = f"{NAME}-{secrets.token_hex(3)}"
    kubectl.apply(*_rights(kubectl.namespace), _pod(pod, image))
    try:
        kubectl("wait", f"pod/{pod}", "--for=condition=Ready", f"--timeout={_READY_SECONDS}s", timeout=130)
        service = system.json("get", "service", RELEASE)["spec"]
        (port,) = [port["port"] for port in service["ports"] if port["name"] == "events"]
        # By its address: the cluster built here has no DNS.
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
