"""Connections to the API server, for our own client and for Kopf's: one way through TLS and proxies."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp import ClientMiddlewareType
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject

_IDLE = 75.0
"""Seconds for which a connection is kept: what fires every minute shakes hands once. API servers keep theirs for 90."""
_LONGEST_HEADER = 2**17
"""Bytes. Warnings come in headers: the server cuts them at 4,096 characters, which may be of many bytes and escaped."""
TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)


def open_session(
    configuration: Configuration, connections: int, agent: str, middlewares: Sequence[ClientMiddlewareType] = ()
) -> aiohttp.ClientSession:
    """A session whose requests may name paths only.

    Args:
        configuration: where the API server is, and what its certificate is checked against.
        connections: at most so many; 0 for any number.
        agent: by which the API server knows us.
        middlewares: see every request.
    """
    # The client library knows how to read every kind of kubeconfig; only its TLS context is taken from it.
    tls = RESTClientObject(configuration).ssl_context
    return aiohttp.ClientSession(
        base_url=configuration.host,
        connector=aiohttp.TCPConnector(limit=connections, ssl=tls, keepalive_timeout=_IDLE),
        timeout=TIMEOUT,
        read_bufsize=2**20,
        max_field_size=_LONGEST_HEADER,
        headers={"User-Agent": agent},
        proxy=proxy_for(configuration),
        middlewares=tuple(middlewares),
    )


def proxy_for(configuration: Configuration) -> str | None:
    """The kubeconfig's proxy-url, else what HTTPS_PROXY, HTTP_PROXY and NO_PROXY say, else None.

    It is looked up once: with trust_env, aiohttp looks for it, and for a .netrc, at every request.
    """
    if configuration.proxy:
        return str(configuration.proxy)
    host = urlsplit(configuration.host)
    if proxy_bypass(host.netloc):
        return None
    return getproxies().get(host.scheme)
