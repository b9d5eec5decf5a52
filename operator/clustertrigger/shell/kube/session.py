"""Creates the connections to the API server for the operator's client and for Kopf's, with the same TLS and proxies."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp import ClientMiddlewareType
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject

_IDLE = 75.0
"""Seconds for which an idle connection is kept, so that a trigger that fires every minute needs one TLS handshake. API
servers keep connections for 90 seconds.
"""
_LONGEST_HEADER = 2**17
"""Maximum size of a header in bytes. The server limits warnings in headers to 4,096 characters, which can have many
bytes and be escaped.
"""
TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)


def open_session(
    configuration: Configuration, connections: int, agent: str, middlewares: Sequence[ClientMiddlewareType] = ()
) -> aiohttp.ClientSession:
    """Returns a session whose requests can name paths only.

    Args:
        configuration: Address of the API server, and the CA certificates that verify its certificate.
        connections: Maximum number of connections; 0 for no limit.
        agent: User-Agent of the requests.
        middlewares: Called for every request.
    """
    # The client library reads every kind of kubeconfig. Only its TLS context is used.
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
    """Returns the kubeconfig's proxy-url, or else the proxy of HTTPS_PROXY, HTTP_PROXY and NO_PROXY, or else None.

    It is read once: with trust_env, aiohttp reads it, and a .netrc, at every request.
    """
    if configuration.proxy:
        return str(configuration.proxy)
    host = urlsplit(configuration.host)
    if proxy_bypass(host.netloc):
        return None
    return getproxies().get(host.scheme)
