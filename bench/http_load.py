"""Sends HTTP requests in a closed loop over many connections, with as little CPU time as possible."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


@dataclass
class Load:
    """The result of a load.

    Attributes:
        statuses: Number of responses with each HTTP status.
        latencies: Seconds from each request to its complete response.
        seconds: Duration.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def quantile(self, share: float) -> float:
        """Returns the seconds within which this share of the requests was answered."""
        ordered = sorted(self.latencies)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else float("nan")


class _Connection(asyncio.Protocol):
    """Sends a request, waits for its response, and sends the next one."""

    def __init__(self, render: Callable[[], bytes], load: Load, end: float, over: asyncio.Event) -> None:
        self._render = render
        self._load = load
        self._end = end
        self._over = over
        self._buffer = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(_HEAD_END)
        if not found or len(body) < _content_length(head):
            return
        self._buffer = b""
        self._load.statuses[int(head[9:12])] += 1
        self._load.latencies.append(time.perf_counter() - self._sent)
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        self._over.set()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        if self._sent >= self._end:
            self._transport.close()
        else:
            self._transport.write(self._render())


async def post(port: int, path: str, headers: dict[str, str], body: Callable[[], bytes], connections: int,
               seconds: float) -> Load:  # fmt: skip
    """Posts to 127.0.0.1 for a while.

    Args:
        port: Port of the server.
        path: Path of the request.
        headers: Headers of each request.
        body: Returns the body of the next request.
        connections: Number of connections, each with one active request.
        seconds: Duration.
    """
    head = head_of("POST", path, port, headers)

    def render() -> bytes:
        payload = body()
        return b"%sContent-Length: %d\r\n\r\n%s" % (head, len(payload), payload)

    return await send(port, render, connections, seconds)


def head_of(method: str, path: str, port: int, headers: dict[str, str]) -> bytes:
    """Returns the first lines of a request, without the empty line at the end."""
    fields = {"Host": f"127.0.0.1:{port}", **headers}
    text = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return text.encode()


async def send(port: int, render: Callable[[], bytes], connections: int, seconds: float) -> Load:
    """Sends requests to 127.0.0.1 for a while.

    Args:
        port: Port of the server.
        render: Returns the next request.
        connections: Number of connections, each with one active request.
        seconds: Duration.
    """
    load, loop = Load(), asyncio.get_running_loop()
    started = time.perf_counter()
    ends = [asyncio.Event() for _ in range(connections)]
    for over in ends:
        connect = partial(_Connection, render, load, started + seconds, over)
        await loop.create_connection(connect, "127.0.0.1", port)
    for over in ends:
        await over.wait()
    load.seconds = time.perf_counter() - started
    return load


def _content_length(head: bytes) -> int:
    at = head.lower().find(_LENGTH)
    return int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
