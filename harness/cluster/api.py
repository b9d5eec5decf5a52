"""The few requests to an API server that starting a cluster needs, with the standard library alone."""

import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.cluster.errors import ClusterError


class Api:
    """An API server, accessed as one user.

    Args:
        server: Its URL.
        ca: File of the CA that signed its certificate.
        certificate: File of the user's certificate.
        key: File of the user's key.
    """

    def __init__(self, server: str, ca: Path, certificate: Path, key: Path) -> None:
        self._server = server
        context = ssl.create_default_context(cafile=str(ca))
        context.load_cert_chain(certificate, key)
        # The server is on this machine, so no proxy is used, whatever the environment says.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    def get(self, path: str, timeout: float = 5) -> str:
        """Return the body of a GET.

        Raises:
            OSError: the server did not answer, or answered an error (urllib.error.HTTPError).
        """
        return self._request("GET", path, timeout)

    def create(self, path: str, manifest: dict[str, Any]) -> dict[str, Any]:
        """POST a manifest; returns what the server made of it, or {} where it exists already."""
        try:
            answer: dict[str, Any] = json.loads(self._request("POST", path, 10, manifest))
        except urllib.error.HTTPError as error:
            if error.code == http.client.CONFLICT:
                return {}
            raise
        return answer

    def delete(self, path: str) -> None:
        """DELETE an object; one that is gone is fine."""
        try:
            self._request("DELETE", path, 10)
        except urllib.error.HTTPError as error:
            if error.code != http.client.NOT_FOUND:
                raise

    def ready(self, path: str = "/readyz") -> bool:
        """Returns whether PATH responds 200."""
        try:
            self.get(path, timeout=2)
        except OSError:
            return False
        return True

    def _request(self, method: str, path: str, timeout: float, body: dict[str, Any] | None = None) -> str:
        request = urllib.request.Request(  # noqa: S310 - always https
            self._server + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=timeout) as response:
                text: str = response.read().decode()
                return text
        except http.client.HTTPException as error:  # The server ended during a response.
            raise ConnectionError(f"{method} {path}: {error!r}") from error


def wait_until(condition: Callable[[], bool], seconds: float, what: str, remedy: Callable[[], str]) -> None:
    """Polls CONDITION until it holds.

    Args:
        condition: Called every 50 ms.
        seconds: Timeout.
        what: What is waited for, for the error message.
        remedy: Called after the timeout; returns what to look at.

    Raises:
        ClusterError: the time is over.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ClusterError(f"{what} not ready after {seconds:.0f} s: {remedy()}")
        time.sleep(0.05)
