"""The proxy between us and the API server, found once: aiohttp looks for it, and for a .netrc, at every request."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from kubernetes.aio.client import Configuration


def proxy_for(configuration: Configuration) -> str | None:
    """The kubeconfig's proxy-url, else what HTTPS_PROXY, HTTP_PROXY and NO_PROXY say, else None."""
    if configuration.proxy:
        return str(configuration.proxy)
    host = urlsplit(configuration.host)
    if proxy_bypass(host.netloc):
        return None
    return getproxies().get(host.scheme)
