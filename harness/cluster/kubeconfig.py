"""kubeconfig files."""

import base64
from pathlib import Path

from harness.cluster.files import write


def with_certificate(path: Path, name: str, server: str, ca: Path, certificate: Path, key: Path) -> Path:
    """Write a kubeconfig whose user is known by a client certificate; every file is inlined."""
    user = f"client-certificate-data: {_base64(certificate)}\n    client-key-data: {_base64(key)}"
    return write(path, _render(name, server, _base64(ca), user), 0o600)


def with_token(path: Path, name: str, server: str, ca: str, token: str) -> Path:
    """Write a kubeconfig whose user is known by a bearer token.

    Args:
        path: The file.
        name: Name of cluster, user and context in it.
        server: URL of the API server.
        ca: The server's CA, base64 of PEM as in `certificate-authority-data`.
        token: The bearer token.
    """
    return write(path, _render(name, server, ca, f"token: {token}"), 0o600)


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _render(name: str, server: str, ca: str, user: str) -> str:
    return f"""\
apiVersion: v1
kind: Config
clusters:
- name: {name}
  cluster:
    server: {server}
    certificate-authority-data: {ca}
users:
- name: {name}
  user:
    {user}
contexts:
- name: {name}
  context:
    cluster: {name}
    user: {name}
current-context: {name}
"""
