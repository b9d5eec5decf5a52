"""Determines how to access the API server: from a kubeconfig, or in a Pod."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from clustertrigger.cli.kube.credentials import Credentials, read_content
from clustertrigger.cli.kube.kubeconfig import Context, KubeconfigError
from clustertrigger.net.tls import trusting

POD_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class Access:
    """Address of the API server, and the user's credentials.

    Attributes:
        server: URL of the server.
        tls: Verifies the server, and contains the client certificate.
        credentials: The user's credentials.
        impersonation: Headers of kubectl's --as options.
        server_name: Name expected in the server's certificate; None for the host of the URL.
        proxy: URL of an HTTP proxy; None for none.
    """

    server: str
    tls: ssl.SSLContext
    credentials: Credentials
    impersonation: Sequence[tuple[str, str]] = ()
    server_name: str | None = None
    proxy: str | None = None


@dataclass(frozen=True)
class Impersonation:
    """The impersonated user: kubectl's --as and --as-group.

    Attributes:
        user: A user's name; None if no user is impersonated.
        groups: Groups of that user.
    """

    user: str | None = None
    groups: Sequence[str] = field(default_factory=tuple)

    def headers(self) -> list[tuple[str, str]]:
        """Returns the headers of the impersonation."""
        named = [("Impersonate-User", self.user)] if self.user else []
        return [*named, *(("Impersonate-Group", group) for group in self.groups)]


def access_by(context: Context, impersonation: Impersonation) -> Access:
    """Returns how to access the cluster of a kubeconfig's context.

    Raises:
        KubeconfigError: a certificate or a credential cannot be used.
    """
    cluster, user = context.cluster, context.user
    credentials = Credentials(user, cluster)
    server = str(cluster["server"]).rstrip("/")
    tls = _tls(read_content(cluster, "certificate-authority"), verify=not cluster.get("insecure-skip-tls-verify"))
    credentials.load_certificate(tls)
    if not impersonation.user and user.get("as"):
        impersonation = Impersonation(str(user["as"]), tuple(map(str, user.get("as-groups") or ())))
    proxy = cluster.get("proxy-url")
    return Access(
        server,
        tls,
        credentials,
        impersonation.headers(),
        str(cluster["tls-server-name"]) if cluster.get("tls-server-name") else None,
        str(proxy) if proxy else _proxy_of_environment(server),
    )


def access_in_pod(host: str, port: str, impersonation: Impersonation) -> Access:
    """Returns how a Pod accesses its cluster, with its ServiceAccount.

    Args:
        host: KUBERNETES_SERVICE_HOST.
        port: KUBERNETES_SERVICE_PORT.
        impersonation: The impersonated user.

    Raises:
        KubeconfigError: the ServiceAccount's files cannot be used.
    """
    tls = _tls(read_content({"certificate-authority": POD_ACCOUNT / "ca.crt"}, "certificate-authority"), verify=True)
    credentials = Credentials({"tokenFile": POD_ACCOUNT / "token"}, {})
    host = f"[{host}]" if ":" in host else host
    return Access(f"https://{host}:{port}", tls, credentials, impersonation.headers())


def _tls(authority: bytes | None, *, verify: bool) -> ssl.SSLContext:
    try:
        context = trusting(authority.decode() if authority else None)
    except (ssl.SSLError, UnicodeDecodeError, ValueError) as error:
        raise KubeconfigError(f"certificate-authority cannot be used: {error}") from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _proxy_of_environment(server: str) -> str | None:
    """Returns the proxy of HTTPS_PROXY, HTTP_PROXY and NO_PROXY."""
    url = urlsplit(server)
    return None if proxy_bypass(url.netloc) else getproxies().get(url.scheme)
