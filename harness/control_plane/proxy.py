"""Runs a reverse proxy between operator and API server, which records requests and makes selected ones fail.

It forwards the operator's credentials, so that the operator's permissions apply.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import aiohttp
from aiohttp import web
from yarl import URL

_HOP_BY_HOP = frozenset({"connection", "host", "transfer-encoding", "content-length", "keep-alive"})


@dataclass(frozen=True)
class Request:
    """A request of the operator."""

    method: str
    path: str
    query: str
    body: bytes

    @property
    def writes(self) -> bool:
        """Whether the request can change objects."""
        return self.method not in ("GET", "HEAD", "OPTIONS")

    def matches(self, method: str, *parts: str) -> bool:
        """Returns whether the request has this method, and all these parts in its path."""
        return self.method == method and all(part in self.path for part in parts)


@dataclass(frozen=True)
class Answer:
    """A response of the proxy, without a request to the API server."""

    status: int
    reason: str = ""
    retry_after: int | None = None
    text: str | None = None
    """Text of an HTML response, which replaces the JSON of a Status."""


Fault = Answer | Literal["drop", "lose"] | threading.Event
"""drop: the request is not forwarded. lose: it is executed, and its response is lost. An Event: it is executed, and its
response is delayed until the event is set.
"""


class Rule(Protocol):
    """A function that returns how a request fails."""

    def __call__(self, request: Request) -> Fault | None:
        """Returns None if the request does not fail."""


class Proxy:
    """Serves on a port of 127.0.0.1 in a separate thread.

    Attributes:
        requests: All requests so far, in order.
        rule: How requests fail; None if they do not fail. It is called in the proxy's thread, for one request at a
            time.
    """

    def __init__(self, server: str, ca: Path) -> None:
        self.requests: list[Request] = []
        self.rule: Rule | None = None
        self._server = server
        self._is_cut = False
        self._transports: set[asyncio.Transport] = set()
        self._tls = ssl.create_default_context(cafile=str(ca))
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._over: asyncio.Event | None = None
        self._port = 0
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()), daemon=True)

    @property
    def url(self) -> str:
        """URL of the proxy."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Proxy:
        self._thread.start()
        assert self._ready.wait(60), "the proxy does not start"
        return self

    def __exit__(self, *_: object) -> None:
        if self._over is not None:
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    def writes(self, *parts: str) -> list[Request]:
        """Returns the writing requests so far that have all these parts in their path."""
        return [request for request in list(self.requests) if request.writes and all(p in request.path for p in parts)]

    def settled_writes(self) -> list[Request]:
        """Waits until there was no writing request for a second, so that none is overlooked; returns all of them."""
        written = self.writes()
        while True:
            time.sleep(1)
            before, written = written, self.writes()
            if len(written) == len(before):
                return written

    def cut(self) -> None:
        """Closes all connections and accepts no new ones."""
        self._is_cut = True
        for transport in list(self._transports):
            self._loop.call_soon_threadsafe(transport.abort)

    def mend(self) -> None:
        """Undoes `cut`."""
        self._is_cut = False

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:

            async def handle(request: web.Request) -> web.StreamResponse:
                return await self._handle(session, request)

            app = web.Application(client_max_size=2**26)
            app.router.add_route("*", "/{path:.*}", handle)
            runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self._port = int(runner.addresses[0][1])
            self._ready.set()
            await self._over.wait()
            # Watches would keep the server open as long as the operator runs.
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await runner.cleanup()

    async def _handle(self, session: aiohttp.ClientSession, incoming: web.Request) -> web.StreamResponse:
        transport = incoming.transport
        if transport is None or self._is_cut:
            return _broken_off(incoming)
        self._transports.add(transport)
        try:
            return await self._answer(session, incoming)
        finally:
            self._transports.discard(transport)

    async def _answer(self, session: aiohttp.ClientSession, incoming: web.Request) -> web.StreamResponse:
        request = Request(incoming.method, incoming.path, incoming.query_string, await incoming.read())
        self.requests.append(request)
        fault = self.rule(request) if self.rule else None
        if isinstance(fault, Answer):
            return _made_up(fault)
        if fault == "drop":
            return _broken_off(incoming)
        headers = {name: value for name, value in incoming.headers.items() if name.lower() not in _HOP_BY_HOP}
        url = URL(self._server + incoming.raw_path, encoded=True)
        try:
            async with session.request(request.method, url, data=request.body or None, headers=headers) as upstream:
                if "watch=true" in request.query:
                    return await _stream(incoming, upstream)
                payload = await upstream.read()
        except aiohttp.ClientError:
            return _broken_off(incoming)
        if fault == "lose":
            return _broken_off(incoming)
        if isinstance(fault, threading.Event):
            await asyncio.to_thread(fault.wait, 60)
        return web.Response(body=payload, status=upstream.status, headers=_kept(upstream))


def failing(times: int, rule: Callable[[Request], Fault | None]) -> Rule:
    """Returns a rule that applies to this number of requests, and then no longer."""
    left = times

    def limited(request: Request) -> Fault | None:
        nonlocal left
        fault = rule(request) if left else None
        left -= fault is not None
        return fault

    return limited


async def _stream(incoming: web.Request, upstream: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(status=upstream.status, headers=_kept(upstream))
    response.enable_chunked_encoding()
    await response.prepare(incoming)
    try:
        async for chunk in upstream.content.iter_any():
            await response.write(chunk)
    except aiohttp.ClientError:
        _broken_off(incoming)
    return response


def _kept(upstream: aiohttp.ClientResponse) -> dict[str, str]:
    return {name: value for name, value in upstream.headers.items() if name.lower() not in _HOP_BY_HOP}


def _made_up(answer: Answer) -> web.Response:
    body: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": answer.reason,
        "code": answer.status,
        "message": f"the test says {answer.status}",
    }
    headers = {"Retry-After": str(answer.retry_after)} if answer.retry_after is not None else {}
    if answer.text is not None:
        return web.Response(text=answer.text, status=answer.status, headers=headers, content_type="text/html")
    return web.json_response(body, status=answer.status, headers=headers)


def _broken_off(incoming: web.Request) -> web.Response:
    if incoming.transport is not None:
        incoming.transport.abort()
    return web.Response(status=502)
