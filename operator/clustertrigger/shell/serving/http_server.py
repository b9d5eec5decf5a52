"""Serves HTTP to untrusted clients: limits connections in total and by source, and their duration.

aiohttp limits the lines of a header, a body, and the requests that wait on one connection. This module limits the
number of connections, the duration of a TLS handshake, a header and idle time, and the time that a client takes to read
its response. It never decompresses a body: a small one can expand to gigabytes, also while it is discarded.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from aiohttp import web
from aiohttp.http import HttpProcessingError

from clustertrigger.net.listening import listen_everywhere
from clustertrigger.net.seldom import SeldomLine
from clustertrigger.net.sources import source_of
from clustertrigger.net.tls import ServerCertificate

logger = logging.getLogger(__name__)

_HANDSHAKE = 10.0
"""Maximum number of seconds for a TLS handshake."""
HEADER = 10.0
"""Maximum number of seconds for a request's header, from the connection or from its first byte."""
IDLE = 75.0
"""Maximum number of seconds between two requests, and for a client to read its response."""
_REST = 5.0
"""Seconds in which the rest of an unwanted body is discarded, so that the client receives the response."""
LARGEST_HEADER = 2**15
_MOST_FIELDS = 64
_READ_AHEAD = 2**14
"""Number of bytes of a body that are read in advance; aiohttp buffers up to twice that."""
_BACKLOG = 1024
_AT_ONCE = 64
"""Number of connections that are accepted before other tasks run."""
_PAUSE = 1.0
"""Seconds without accepting after file descriptors run out."""
_MOST_FILES = 2**16
_END_OF_HEADER = b"\r\n\r\n"
_OVERLAP = len(_END_OF_HEADER) - 1
"""Number of bytes in which the end of a header can begin, before the rest of it arrives."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of connections.

    Attributes:
        altogether: Maximum number of connections. If it is exceeded, the source with the most connections loses one.
        of_a_source: If it is exceeded, the source loses a waiting connection, or the new one is rejected.
        is_proxy: Returns whether an address is a proxy for many sources, so that only `altogether` counts.
    """

    altogether: int
    of_a_source: int
    is_proxy: Callable[[str], bool] = lambda _: False


def allow_many_files() -> None:
    """Raises the limit of open connections of this process to its hard limit; the soft limit is often 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(_MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@asynccontextmanager
async def serve(
    app: web.Application,
    port: int,
    limits: Limits,
    *,
    cert_dir: Path | None = None,
    drain: float = 60.0,
    handler_cancellation: bool = False,
) -> AsyncIterator[int]:
    """Serves while the context lasts; yields the port.

    Args:
        app: Handles the requests.
        port: Port of all addresses of this machine; 0 selects a free one.
        limits: Limits of its connections.
        cert_dir: Directory with tls.crt and tls.key, which are read again when they change; None for plain HTTP.
        drain: Seconds at the end to finish responses.
        handler_cancellation: Whether a handler is cancelled when its client disconnects.
    """
    logging.getLogger("aiohttp.server").addFilter(_leave_out_malformed)
    app.middlewares.append(_telling)
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=drain,
        handler_cancellation=handler_cancellation,
        keepalive_timeout=IDLE,
        lingering_time=_REST,
        max_headers=_MOST_FIELDS,
        read_bufsize=_READ_AHEAD,
        auto_decompress=False,
    )
    await runner.setup()
    certificate = ServerCertificate(cert_dir) if cert_dir else None
    entrance = _Entrance(runner, limits, certificate.context if certificate else None)
    renewing = asyncio.create_task(certificate.follow()) if certificate else None
    try:
        yield entrance.open(port)
    finally:
        if renewing:
            renewing.cancel()
        entrance.close()
        await runner.cleanup()


_malformed = SeldomLine(logger)


def _leave_out_malformed(record: logging.LogRecord) -> bool:
    """Returns whether a line of aiohttp is about anything but a malformed request, which anyone can send."""
    error = record.exc_info[1] if record.exc_info else None
    if not isinstance(error, HttpProcessingError):
        return True
    _malformed.log(f"Rejected a malformed request: {error.message}")
    return False


@web.middleware
async def _telling(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Notifies the connection when a request is being answered, and when it has been answered."""
    connection = request.transport.get_protocol() if request.transport else None
    if not isinstance(connection, _Connection):
        return await handler(request)
    connection.answering()
    try:
        return await handler(request)
    finally:
        is_chunked = "Transfer-Encoding" in request.headers
        connection.answered(
            body_is_read=request.content.is_eof(), body_size=None if is_chunked else request.content.total_bytes
        )


class _Connection(asyncio.BufferedProtocol):
    """Measures time between a transport and aiohttp's protocol, and passes everything else on.

    It receives in small pieces. Otherwise, up to 256 KiB of each connection would be in memory before aiohttp pauses
    it, while thousands of requests wait for authentication.

    Attributes:
        source: Source of the connection.
        waits: Whether it waits for a request, so that closing it interrupts nothing.
    """

    __slots__ = (
        "_after_header", "_deadline", "_entrance", "_header_size", "_inner", "_loop", "_reads_header", "_tail",
        "_timer", "_transport", "opening", "source", "waits",
    )  # fmt: skip

    def __init__(self, entrance: _Entrance, source: str, inner: asyncio.Protocol) -> None:
        self.source = source
        self.waits = True
        self.opening: asyncio.Task[None] | None = None
        self._entrance = entrance
        self._inner = inner
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline: float | None = None
        self._reads_header = True
        self._header_size = 0
        self._after_header: int | None = None
        """Number of bytes behind the header of the request that is answered; None if that is unknown."""
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transport has another class.
        self._end_at(self._loop.time() + HEADER)
        self._inner.connection_made(transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Returns where to put what is received next."""
        return self._entrance.buffer

    def buffer_updated(self, nbytes: int) -> None:
        data = bytes(self._entrance.buffer[:nbytes])
        if self._reads_header:
            self._look_for_end(data)
            if self._header_size > LARGEST_HEADER:
                self.abort()
                return
        else:
            self._tail = (self._tail + data)[-_OVERLAP:]
            if self._after_header is not None:
                self._after_header += nbytes
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._transport = None
        self._entrance.forget(self)
        self._inner.connection_lost(exc)

    def answering(self) -> None:
        """A request has arrived, except its body. The handler limits the time for the body."""
        self.waits = False
        self._reads_header = False
        self._deadline = None

    def answered(self, *, body_is_read: bool, body_size: int | None) -> None:
        """The response is being sent; the next request may come, or has already begun.

        Args:
            body_is_read: Whether the body has arrived.
            body_size: Its size in bytes; None if it came in chunks.
        """
        self.waits = True
        # The rest of a body is not a header. A client that takes too long to send it is disconnected.
        self._reads_header = body_is_read
        self._header_size = 0
        if not body_is_read:
            self._end_at(self._loop.time() + 2 * _REST)
        elif self._has_begun_another(body_size):
            self._header_size = len(self._tail)
            self._end_at(self._loop.time() + HEADER)
        else:
            self._tail = b""
            self._deadline = self._loop.time() + IDLE
        self._after_header = None
        self._entrance.waits_again(self)

    def abort(self) -> None:
        """Closes the connection at once."""
        if self._transport is not None:
            self._transport.abort()
        elif self.opening is not None:
            self.opening.cancel()

    def _has_begun_another(self, body_size: int | None) -> bool:
        """Returns whether the client has sent more than the request that is answered.

        It is assumed if it is unknown: such a connection has less time to be idle.
        """
        if self._after_header is None:
            return True
        if body_size is None:  # The last of the chunks ends like a header, so that there is no half one behind it.
            return self._tail != _END_OF_HEADER[-_OVERLAP:]
        return self._after_header > body_size

    def _look_for_end(self, data: bytes) -> None:
        """Looks whether a header ends here. An incomplete header has limited time and size."""
        if not self._header_size:
            data = data.lstrip(b"\r\n")  # Empty lines before a request are ignored.
            if not data:
                return
            if self._deadline is not None:
                self._end_at(min(self._deadline, self._loop.time() + HEADER))
        _, end, after = (self._tail + data).partition(_END_OF_HEADER)
        self._header_size += len(data) - len(after)
        self._tail = (self._tail + data)[-_OVERLAP:]
        if end:
            self._reads_header = False
            self._after_header = len(after)

    def _end_at(self, deadline: float) -> None:
        self._deadline = deadline
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._timer = self._loop.call_at(deadline, self._look)

    def _look(self) -> None:
        """Checks the deadline, which moves with every request, when the timer expires."""
        now = self._loop.time()
        if self._deadline is not None and self._deadline <= now:
            self.abort()
            return
        self._timer = self._loop.call_at(self._deadline or now + HEADER, self._look)


class _Entrance:
    """Accepts connections, counts them, and closes some if there are too many."""

    def __init__(self, runner: web.AppRunner, limits: Limits, tls: ssl.SSLContext | None) -> None:
        self._runner = runner
        self._limits = limits
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._listeners: list[socket.socket] = []
        self._by_source: defaultdict[str, dict[_Connection, None]] = defaultdict(dict)
        """Connections by source; those that have waited longest come first."""
        self._count = 0
        self.buffer = memoryview(bytearray(_READ_AHEAD))
        """What a connection receives. It copies that at once, so that all connections share the buffer."""

    def open(self, port: int) -> int:
        """Listens on all addresses."""
        self._listeners = listen_everywhere(port, _BACKLOG)
        for listener in self._listeners:
            self._loop.add_reader(listener, self._accept, listener)
        return int(self._listeners[0].getsockname()[1])

    def close(self) -> None:
        """Stops accepting connections."""
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            self._loop.remove_reader(listener)
            listener.close()

    def forget(self, connection: _Connection) -> None:
        """Removes a connection that was closed."""
        known = self._by_source.get(connection.source, {})
        if connection in known:
            del known[connection]
            self._count -= 1
        if not known:
            self._by_source.pop(connection.source, None)

    def waits_again(self, connection: _Connection) -> None:
        """Moves a connection to the end, so that it is the last of its source to be closed."""
        known = self._by_source.get(connection.source, {})
        if connection in known:
            del known[connection]
            known[connection] = None

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                accepted, address = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:
                continue
            except OSError as error:
                logger.warning("Accepting no connections for %.0f s: %s", _PAUSE, error)
                self._loop.remove_reader(listener)
                self._loop.call_later(_PAUSE, self._accept_again, listener)
                return
            self._admit(accepted, address[0])

    def _accept_again(self, listener: socket.socket) -> None:
        if listener in self._listeners:
            self._loop.add_reader(listener, self._accept, listener)

    def _admit(self, accepted: socket.socket, address: str) -> None:
        source = source_of(address)
        server = self._runner.server
        if server is None or not self._make_room(source, self._limits.is_proxy(address)):
            accepted.close()
            return
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(self, source, server())
        self._by_source[source][connection] = None
        self._count += 1
        connection.opening = self._loop.create_task(self._set_up(accepted, connection))

    async def _set_up(self, accepted: socket.socket, connection: _Connection) -> None:
        try:
            await self._loop.connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=self._tls,
                ssl_handshake_timeout=_HANDSHAKE if self._tls else None,
            )
        except (Exception, asyncio.CancelledError):  # An error of a client must not keep its place occupied.
            self.forget(connection)
            accepted.close()
        finally:
            connection.opening = None

    def _make_room(self, source: str, is_proxy: bool) -> bool:
        """Returns whether there is room for another connection of a source, which may close another one."""
        of_source = self._by_source.get(source, {})
        if not is_proxy and len(of_source) >= self._limits.of_a_source:
            return self._end_one(of_source, only_waiting=True)
        if self._count < self._limits.altogether:
            return True
        greediest = max(self._by_source.values(), key=len, default={})
        return self._end_one(greediest, only_waiting=len(greediest) <= len(of_source) + 1)

    def _end_one(self, connections: dict[_Connection, None], *, only_waiting: bool) -> bool:
        """Closes the connection that has waited longest, or else the oldest. Returns False if there is none."""
        victim = next((connection for connection in connections if connection.waits), None)
        if victim is None and not only_waiting:
            victim = next(iter(connections), None)
        if victim is None:
            return False
        self.forget(victim)
        victim.abort()
        return True
