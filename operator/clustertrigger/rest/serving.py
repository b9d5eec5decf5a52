"""Configures the HTTP server uvicorn.

By itself, it limits neither the duration of a request's header nor the number of connections.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import defaultdict
from http import HTTPStatus

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from clustertrigger.core.json_text import write_json
from clustertrigger.net.listening import listen_everywhere
from clustertrigger.net.seldom import SeldomLine
from clustertrigger.net.sources import source_of
from clustertrigger.net.tls import ServerCertificate
from clustertrigger.rest.errors import RefusedError
from clustertrigger.rest.settings import Settings

logger = logging.getLogger(__name__)

_KEEP_ALIVE = 75
_LEAVING = 20
"""Seconds for active requests when the process ends."""
_BACKLOG = 1024
_LARGEST_HEAD = 2**16
"""Maximum size of a request line and its headers in bytes. Without it, the parser passes on any size."""


class Server(uvicorn.Server):
    """Returns the server of the application.

    Args:
        app: The application.
        settings: Limits, and the directory of the certificate.

    Raises:
        OSError: there is no certificate where it should be.
        ssl.SSLError: it cannot be used.
    """

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        logging.getLogger("uvicorn.error").addFilter(_leave_out_malformed)
        self._certificate = ServerCertificate(settings.cert_dir) if settings.cert_dir else None
        self._looked_at_every = settings.certificate_seconds
        certificate = self._certificate
        self._app = app
        super().__init__(
            uvicorn.Config(
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
                ssl_context_factory=(lambda *_: certificate.context) if certificate else None,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Shuts down. Streams of changes end first, because uvicorn waits for requests to end."""
        self._app.state.leaving.set()
        await super().shutdown(sockets)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves until a signal comes, and reloads a renewed certificate."""
        renewing = asyncio.create_task(self._certificate.follow(self._looked_at_every)) if self._certificate else None
        try:
            await super().serve(sockets)
        finally:
            if renewing is not None:
                renewing.cancel()


def listeners(settings: Settings) -> list[socket.socket]:
    """Returns the sockets to serve on. asyncio would restrict `::` to IPv6, and most clusters use IPv4.

    Raises:
        OSError: the address cannot be listened on.
    """
    if settings.host == "::":
        return listen_everywhere(settings.port, _BACKLOG)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    return [socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)]


_malformed = SeldomLine(logger)


def _leave_out_malformed(record: logging.LogRecord) -> bool:
    """Returns whether a line of uvicorn is an error of the server. Its warnings are about requests of anyone."""
    if record.levelno != logging.WARNING:
        return True
    _malformed.log(f"Rejected a malformed request: {record.getMessage()}")
    return False


class _Guarded(HttpToolsProtocol):
    """Closes connections that exceed the limit, and those whose request header is too large or too slow.

    If there are too many, the source with the most connections loses the one that has waited longest for a request.
    Otherwise, one client could keep all others out.
    """

    settings: Settings
    """Limits of the connection."""
    _cut: asyncio.TimerHandle | None = None
    _head = 0
    """Number of bytes of an incomplete header."""
    _has_begun = False
    """Whether a part of a header has arrived."""
    _waits_since: float | None = None
    """Since when it has waited for a request; None while one is answered."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the timer for the first request."""
        super().connection_made(transport)
        self._waits_since = self.loop.time()
        if not self._has_room():
            transport.abort()
            return
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Starts the timer for the rest of an incomplete header."""
        super().data_received(data)
        if self._cut is None and (self.cycle is None or self.cycle.response_complete):
            self._wait()
        if self._cut is not None:
            self._head += len(data)
            if self._head > _LARGEST_HEAD:
                self._stop_waiting()
                _refuse(self.transport, RefusedError(431, f"the headers are longer than {_LARGEST_HEAD} bytes"))

    def on_message_begin(self) -> None:
        """Notes it, because the request before this one can still be unanswered."""
        self._has_begun = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Stops the timer."""
        self._has_begun = False
        self._stop_waiting()
        self._waits_since = None
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Waits for the next request, or for its rest."""
        self._waits_since = self.loop.time()
        super().on_response_complete()
        if self._has_begun and self.cycle.response_complete:
            self._wait()

    def send_400_response(self, msg: str) -> None:
        """Rejects what is not HTTP."""
        self._stop_waiting()
        _refuse(self.transport, RefusedError(400, msg))

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the timer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _has_room(self) -> bool:
        """Returns whether this new connection can stay, which may close another one."""
        if len(self.connections) <= self.settings.connections:
            return True
        by_source: defaultdict[str, list[_Guarded]] = defaultdict(list)
        count = 0
        for each in self.connections:
            if isinstance(each, _Guarded) and not each.transport.is_closing():
                by_source[each._source].append(each)
                count += 1
        if count <= self.settings.connections:
            return True
        mine = by_source[self._source]
        greediest = max(by_source.values(), key=len)
        if len(greediest) <= len(mine):
            greediest = mine
        waiting = [each for each in greediest if each is not self and each._waits_since is not None]
        if not waiting:
            return False
        min(waiting, key=lambda each: each._waits_since or 0.0).transport.abort()
        return True

    @property
    def _source(self) -> str:
        return source_of(self.client[0]) if self.client else ""

    def _wait(self) -> None:
        self._stop_waiting()
        self._cut = self.loop.call_later(self.settings.sending_seconds, self._end)

    def _stop_waiting(self) -> None:
        if self._cut is not None:
            self._cut.cancel()
            self._cut = None
        self._head = 0

    def _end(self) -> None:
        self._cut = None
        self.transport.close()


def _protocol(settings: Settings) -> type[asyncio.Protocol]:
    return type("Guarded", (_Guarded,), {"settings": settings})


def _refuse(transport: asyncio.Transport, problem: RefusedError) -> None:
    """Responds without the application, and closes the connection."""
    body, status = write_json(problem.envelope()), HTTPStatus(problem.status)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    transport.write(head.encode() + body)
    transport.close()
