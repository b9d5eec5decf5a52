"""clustertrigger-api as a process of its own, and the tokens of those who ask it."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.control_plane.cluster import SYSTEM, Cluster
from harness.control_plane.kube import Kube, eventually
from harness.control_plane.operator_process import environment

RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"
_LISTENING = re.compile(r"Serving requests on port (\d+)")


def token_of(kube: Kube, namespace: str, account: str, role: str | None = None) -> str:
    """A token of a service account, which is made if it does not exist, and bound to a ClusterRole."""
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    if kube.find(f"{accounts}/{account}") is None:
        kube.create(accounts, {"metadata": {"name": account}})
    if role is not None:
        binding = {
            "metadata": {"name": account},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        }
        kube.create(f"{RBAC}/{namespace}/rolebindings", binding)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 86_400}}
    token: str = kube.create(f"{accounts}/{account}/token", request)["status"]["token"]
    return token


def own_token(cluster: Cluster, directory: Path) -> Path:
    """A file with the token of the service's own account, which the chart has given its rights."""
    file = directory / "own-token"
    file.write_text(token_of(cluster.kube, SYSTEM, "clustertrigger-api"))
    return file


class ApiProcess:
    """One replica.

    Args:
        server: URL of the API server.
        ca: what its certificate is checked against.
        log: file for its output.
        settings: its settings, by field name; the rest has its own defaults.
    """

    def __init__(self, server: str, ca: Path, log: Path, settings: Mapping[str, Any]) -> None:
        self.log = log
        own = {"server": server, "server_ca": ca, "port": 0, "host": "127.0.0.1", **settings}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "clustertrigger.rest.main"],
            env=environment(Path("/nonexistent"), {f"api_{name}": value for name, value in own.items()}),
            stdout=subprocess.DEVNULL,
            stderr=log.open("wb"),
            stdin=subprocess.DEVNULL,
            cwd=log.parent,
        )
        port = eventually(self._port, 60, what="an API that listens")
        self.url = f"{'https' if settings.get('cert_dir') else 'http'}://127.0.0.1:{port}"

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of a path that needs no token."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(self.url + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.request.HTTPError as error:
            return error.code, error.read().decode()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self._process.terminate()
        return self._process.wait(30)

    def mistakes(self) -> list[str]:
        """Lines of its log that speak of a mistake of its own."""
        signs = ("Internal error", "Traceback", "never retrieved", "was never awaited")
        return [
            line for line in self.log.read_text(errors="replace").splitlines() if any(sign in line for sign in signs)
        ]

    def _port(self) -> str | None:
        assert self._process.poll() is None, self.log.read_text()
        found = _LISTENING.search(self.log.read_text())
        return found[1] if found else None
