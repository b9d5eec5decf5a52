"""Authenticates the user with a token, a client certificate, a password, or the result of a credential plugin.

See https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from clustertrigger.cli.kube.kubeconfig import KubeconfigError, decoded
from clustertrigger.core.instants import parse_instant
from clustertrigger.core.text import one_line

_PLUGIN_SECONDS = 120
_EARLY = timedelta(seconds=30)
"""How long before its expiry a token is replaced."""


@dataclass(frozen=True)
class _Plugged:
    """What a credential plugin returned."""

    token: str | None
    certificate: bytes | None
    key: bytes | None
    expires_at: datetime | None


class Credentials:
    """The credentials of one kubeconfig user.

    Args:
        user: Fields of the kubeconfig's user entry.
        cluster: Fields of the cluster entry, which a plugin can request.
    """

    def __init__(self, user: Mapping[str, Any], cluster: Mapping[str, Any]) -> None:
        self._user = user
        self._cluster = cluster
        self._plugged: _Plugged | None = None

    def token(self) -> str | None:
        """Returns the bearer token; None if the user has no token.

        Raises:
            KubeconfigError: it is not available.
        """
        user = self._user
        if file := user.get("tokenFile"):
            return _text(Path(str(file))).strip()
        if token := user.get("token"):
            return str(token)
        if user.get("exec"):
            return self._plugin().token
        if provider := user.get("auth-provider"):
            token = (provider.get("config") or {}).get("id-token")
            if not token:
                raise KubeconfigError(f"auth-provider {provider.get('name')!r} is not supported: use a plugin (exec)")
            return str(token)
        return None

    def authorization(self) -> str | None:
        """Returns the Authorization header; None if a client certificate or nothing at all identifies the user.

        Raises:
            KubeconfigError: a token is not available.
        """
        if token := self.token():
            return f"Bearer {token}"
        if name := self._user.get("username"):
            pair = f"{name}:{self._user.get('password') or ''}"
            return "Basic " + base64.b64encode(pair.encode()).decode()
        return None

    def forget(self) -> bool:
        """Drops what a plugin returned, because the server rejected it. Returns False if there is nothing to renew."""
        known, self._plugged = self._plugged, None
        return known is not None or bool(self._user.get("tokenFile"))

    def load_certificate(self, context: ssl.SSLContext) -> None:
        """Loads the user's client certificate, if there is one.

        Raises:
            KubeconfigError: it cannot be loaded.
        """
        pair = self._certificate()
        if pair is None:
            return
        certificate, key = pair
        # OpenSSL reads certificates only from files.
        with tempfile.TemporaryDirectory() as folder:
            files = Path(folder) / "client.crt", Path(folder) / "client.key"
            for file, content in zip(files, (certificate, key), strict=True):
                file.touch(mode=0o600)
                file.write_bytes(content)
            try:
                context.load_cert_chain(*files)
            except (OSError, ssl.SSLError) as error:
                raise KubeconfigError(f"the client certificate cannot be loaded: {error}") from error

    def _certificate(self) -> tuple[bytes, bytes] | None:
        user = self._user
        certificate, key = _content(user, "client-certificate"), _content(user, "client-key")
        if certificate is None and user.get("exec"):
            plugged = self._plugin()
            certificate, key = plugged.certificate, plugged.key
        if certificate is None:
            return None
        if key is None:
            raise KubeconfigError("the user has a client certificate, but no client key")
        return certificate, key

    def _plugin(self) -> _Plugged:
        now = datetime.now(UTC)
        if self._plugged is None or (self._plugged.expires_at and self._plugged.expires_at - _EARLY < now):
            self._plugged = _run_plugin(self._user["exec"], self._cluster)
        return self._plugged


def read_content(entry: Mapping[str, Any], name: str) -> bytes | None:
    """Returns the content of a field or its `…-data` counterpart, which takes precedence.

    Raises:
        KubeconfigError: the file cannot be read, or the data is not base64.
    """
    return _content(entry, name)


def _content(entry: Mapping[str, Any], name: str) -> bytes | None:
    if data := entry.get(f"{name}-data"):
        return decoded(data, f"{name}-data")
    if file := entry.get(name):
        try:
            return Path(str(file)).read_bytes()
        except OSError as error:
            raise KubeconfigError(f"{name}: {str(file)!r}: {error.strerror}") from error
    return None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise KubeconfigError(f"tokenFile: {str(file)!r}: {error.strerror}") from error


def _run_plugin(command: Mapping[str, Any], cluster: Mapping[str, Any]) -> _Plugged:
    program = str(command.get("command") or "")
    version = str(command.get("apiVersion") or "client.authentication.k8s.io/v1")
    added = {str(item["name"]): str(item["value"]) for item in command.get("env") or ()}
    environment = {**os.environ, **added, "KUBERNETES_EXEC_INFO": json.dumps(_exec_info(command, version, cluster))}
    words = [program, *map(str, command.get("args") or ())]
    interactive = command.get("interactiveMode") != "Never" and sys.stdin.isatty()
    try:
        done = subprocess.run(
            words,
            env=environment,
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            timeout=_PLUGIN_SECONDS,
            check=False,
        )
    except OSError as error:
        hint = one_line(command.get("installHint") or "install it")
        raise KubeconfigError(f"credential plugin {program!r}: {error.strerror}: {hint}") from error
    except subprocess.TimeoutExpired as error:
        raise KubeconfigError(f"credential plugin {program!r} did not end within {_PLUGIN_SECONDS} s") from error
    if done.returncode != 0:
        raise KubeconfigError(f"credential plugin {program!r} ended with exit code {done.returncode}")
    return _parse_plugged(program, done.stdout)


def _exec_info(command: Mapping[str, Any], version: str, cluster: Mapping[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = {"interactive": command.get("interactiveMode") != "Never" and sys.stdin.isatty()}
    if command.get("provideClusterInfo"):
        spec["cluster"] = {
            name: cluster[name]
            for name in ("server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data")
            if cluster.get(name)
        }
    return {"apiVersion": version, "kind": "ExecCredential", "spec": spec}


def _parse_plugged(program: str, text: str) -> _Plugged:
    try:
        status = json.loads(text)["status"]
        certificate, key = status.get("clientCertificateData"), status.get("clientKeyData")
        expires_at = None
        with suppress(KeyError, ValueError):
            expires_at = parse_instant(status["expirationTimestamp"])
        return _Plugged(status.get("token"), certificate and certificate.encode(), key and key.encode(), expires_at)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KubeconfigError(f"credential plugin {program!r} printed no ExecCredential") from error
