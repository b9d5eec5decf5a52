"""Watches objects for tests and benchmarks, independently of the operator."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from clustertrigger.core.kube.answers import ApiError
from clustertrigger.shell.kube.api_server import ApiServer


async def watch(api: ApiServer, path: str, after: str) -> AsyncIterator[dict[str, Any]]:
    """Yields changes after a resource version, including bookmarks, until the server ends the stream.

    Raises:
        ApiError: the server rejected or interrupted the watch; status 410 means that the version is too old.
    """
    parameters = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": after}
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
    headers = await api.credentials.headers()
    try:
        async with api.session.get(path, params=parameters, headers=headers, timeout=timeout) as answer:
            if answer.status >= 400:
                raise ApiError(answer.status, "", await answer.text())
            async for line in _lines(answer.content):
                change = json.loads(line)
                if change["type"] == "ERROR":
                    status = change["object"]
                    raise ApiError(status.get("code") or 0, status.get("reason") or "", status.get("message") or "")
                yield change
    except (aiohttp.ClientError, TimeoutError) as error:
        raise ApiError(0, type(error).__name__, str(error)) from error


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Yields lines of any length, because aiohttp limits lines to 2 MiB."""
    buffer = b""
    async for chunk in content.iter_any():
        *lines, buffer = (buffer + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield line
