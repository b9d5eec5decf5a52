"""The administrator's client, with which tests change and read the cluster."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar

import urllib3
import yaml
from prometheus_client.parser import text_string_to_metric_families

from clustertrigger.core.kube import paths
from clustertrigger.core.resources.trigger import Key

T = TypeVar("T")
PATIENCE = 60.0
"""Maximum number of seconds to wait for an expected change, also on a busy machine."""
_WRITES = ("POST", "PUT", "PATCH", "APPLY", "DELETE")
Object = dict[str, Any]


class RefusedError(Exception):
    """The API server has rejected a request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class Kube:
    """A synchronous client with the client certificate of a kubeconfig's user.

    Args:
        kubeconfig: The kubeconfig file.
        directory: Directory for certificate and key, because the library requires files.
    """

    def __init__(self, kubeconfig: Path, directory: Path) -> None:
        self.kubeconfig = kubeconfig
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.server: str = cluster["server"]
        directory.mkdir(parents=True, exist_ok=True)
        self.ca = _written(directory / "ca.crt", cluster["certificate-authority-data"])
        self._pool = urllib3.PoolManager(
            ca_certs=str(self.ca),
            cert_file=str(_written(directory / "admin.crt", user["client-certificate-data"])),
            key_file=str(_written(directory / "admin.key", user["client-key-data"])),
            maxsize=8,
            retries=False,
            timeout=urllib3.Timeout(PATIENCE),
        )

    def get(self, path: str) -> Object:
        """Reads an object or a list."""
        return self._request("GET", path)

    def find(self, path: str) -> Object | None:
        """Reads an object; returns None if it does not exist."""
        try:
            return self.get(path)
        except RefusedError as refused:
            if refused.status == 404:
                return None
            raise

    def items(self, path: str) -> list[Object]:
        """Reads a list; returns its items, oldest first."""
        listed: list[Object] = self.get(path).get("items") or []
        return sorted(listed, key=lambda item: (item["metadata"]["creationTimestamp"], item["metadata"]["name"]))

    def create(self, path: str, body: Object) -> Object:
        """Creates an object in the collection at `path`."""
        return self._request("POST", path, body)

    def patch(self, path: str, body: Object) -> Object:
        """Changes an object with a JSON merge patch."""
        return self._request("PATCH", path, body, "application/merge-patch+json")

    def now(self) -> datetime:
        """Returns the API server's time, rounded down to seconds, as in its timestamps."""
        answer = self._pool.request("GET", f"{self.server}/version")
        return parsedate_to_datetime(answer.headers["Date"]).astimezone(UTC)

    def written(self, *resources: str) -> int:
        """Returns the number of executed requests, by any client, that changed objects of these kinds.

        The API server counts them.
        """
        return sum(number for (resource, _, _), number in self.writes().items() if resource in resources)

    def writes(self) -> Counter[tuple[str, str, str]]:
        """Returns the number of executed requests so far, by resource, subresource and verb.

        The API server counts them.
        """
        answer = self._pool.request("GET", f"{self.server}/metrics")
        found: Counter[tuple[str, str, str]] = Counter()
        for family in text_string_to_metric_families(answer.data.decode()):
            for sample in family.samples if family.name == "apiserver_request" else ():
                labels = sample.labels
                if labels["verb"] in _WRITES and labels["code"].startswith("2"):
                    found[labels["resource"], labels["subresource"], labels["verb"]] += int(sample.value)
        return found

    def delete(self, path: str, propagation: str = "Background") -> None:
        """Deletes an object. It is not an error if it does not exist."""
        try:
            self._request("DELETE", path, {"propagationPolicy": propagation})
        except RefusedError as refused:
            if refused.status != 404:
                raise

    def _request(
        self, method: str, path: str, body: Object | None = None, content_type: str = "application/json"
    ) -> Object:
        answer = self._pool.request(
            method,
            self.server + path,
            body=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": content_type},
        )
        found: Object = json.loads(answer.data) if answer.data.startswith(b"{") else {"message": answer.data.decode()}
        if answer.status >= 400:
            raise RefusedError(answer.status, found.get("message", ""))
        return found


def eventually(
    ask: Callable[[], T], within: float = PATIENCE, *, until: Callable[[T], object] = bool, what: str = ""
) -> T:
    """Polls every 50 ms until the answer meets the condition `until`, and returns the answer.

    Raises:
        AssertionError: no answer met the condition in time; the message contains the last answer.
    """
    deadline = time.monotonic() + within
    while True:
        answer = ask()
        if until(answer):
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what or 'the awaited'}; last seen: {answer!r:.3000}")
        time.sleep(0.05)


def trigger_path(namespace: str, name: str) -> str:
    """Returns the path of a ClusterTrigger."""
    return paths.trigger(Key(namespace, name))


def _written(path: Path, data: str) -> Path:
    path.write_bytes(base64.b64decode(data))
    path.chmod(0o600)
    return path
