"""The HTTP server: uvicorn, which waits for a request's head without end, and for any number of connections."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from clustertrigger.rest.settings import Settings

_KEEP_ALIVE = 75
_LEAVING = 20
"""Seconds for requests that are under way when the process is to end."""
_BACKLOG = 1024


def server_of(app: FastAPI, settings: Settings) -> uvicorn.Server:
    """The server of the application."""
    config = uvicorn.Config(
        app,
        http=_protocol(settings),
        ws="none",
        loop="auto",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_LEAVING,
        backlog=_BACKLOG,
        ssl_certfile=str(settings.cert_dir / "tls.crt") if settings.cert_dir else None,
        ssl_keyfile=str(settings.cert_dir / "tls.key") if settings.cert_dir else None,
        ssl_context_factory=_renewing(settings.cert_dir) if settings.cert_dir else None,
    )
    return uvicorn.Server(config)


def listener(settings: Settings) -> socket.socket:
    """The socket to serve on. asyncio would keep `::` to IPv6 alone, and most clusters have IPv4.

    Raises:
        OSError: the address cannot be listened on.
    """
    if settings.host != "::":
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        return socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    try:
        return socket.create_server(
            ("::", settings.port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True
        )
    except (OSError, ValueError):  # a node without IPv6
        return socket.create_server(("0.0.0.0", settings.port), backlog=_BACKLOG)  # noqa: S104 - a Pod's port


def _protocol(settings: Settings) -> type[asyncio.Protocol]:
    class Guarded(HttpToolsProtocol):
        """Closes connections that are too many, and those whose next request's head does not arrive in time."""

        _cut: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            """Begin to wait for the first request."""
            super().connection_made(transport)
            if len(self.connections) > settings.connections:
                transport.abort()
                return
            self._wait()

        def data_received(self, data: bytes) -> None:
            """Begin to wait for the rest of a head, where there is one on its way."""
            super().data_received(data)
            if self._cut is None and (self.cycle is None or self.cycle.response_complete):
                self._wait()

        def on_headers_complete(self) -> None:
            """End waiting."""
            self._stop_waiting()
            super().on_headers_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            """End waiting."""
            self._stop_waiting()
            super().connection_lost(exc)

        def _wait(self) -> None:
            self._stop_waiting()
            self._cut = self.loop.call_later(settings.sending_seconds, self._end)

        def _stop_waiting(self) -> None:
            if self._cut is not None:
                self._cut.cancel()
                self._cut = None

        def _end(self) -> None:
            self._cut = None
            self.transport.close()

    return Guarded


def _renewing(directory: Path) -> Callable[[uvicorn.Config, Callable[[], ssl.SSLContext]], ssl.SSLContext]:
    """A TLS context whose certificate follows the files: they are looked at when somebody connects."""

    def make(_: uvicorn.Config, __: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate, key = directory / "tls.crt", directory / "tls.key"
        loaded = 0.0

        def look(*_: Any) -> None:
            nonlocal loaded
            written = certificate.stat().st_mtime
            if written != loaded:
                context.load_cert_chain(certificate, key)
                loaded = written

        look()
        context.sni_callback = look
        return context

    return make
