"""Tests of the limits of connections, in number and in time: one client cannot keep others out."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI

from clustertrigger.net.seldom import SeldomLine
from clustertrigger.rest import serving as serving_module
from clustertrigger.rest.serving import Server
from clustertrigger.rest.settings import Settings

MOST = 20
ELSEWHERE = "127.0.0.2"
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@asynccontextmanager
async def serving(tmp_path: Path, sending_seconds: float) -> AsyncIterator[int]:
    app = FastAPI()
    app.state.leaving = asyncio.Event()
    slow = asyncio.Event()

    @app.get("/")
    async def fast() -> str:
        return "ok"

    @app.get("/slow")
    async def wait() -> str:
        await slow.wait()
        return "ok"

    settings = Settings(
        server="http://127.0.0.1:1", token_file=tmp_path, connections=MOST, sending_seconds=sending_seconds
    )
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(app, settings)
    running = asyncio.create_task(server.serve([listener]))
    while not server.started:  # noqa: ASYNC110 - a test may poll
        await asyncio.sleep(0.01)
    yield listener.getsockname()[1]
    slow.set()
    server.should_exit = True
    await running


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    async with serving(tmp_path, 60) as port:
        yield port


async def connect(stack: ExitStack, port: int, source: str) -> socket.socket:
    connection = stack.enter_context(socket.socket())
    connection.bind((source, 0))
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    await asyncio.sleep(0.01)
    return connection


async def answer(connection: socket.socket, request: bytes = REQUEST) -> bytes:
    """Returns the first 12 bytes of the answer; nothing if the connection is closed."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(30):
            await loop.sock_sendall(connection, request)
            return (await loop.sock_recv(connection, 4096))[:12]
    except ConnectionError:
        return b""


async def test_silent_connections_of_one_client_exclude_no_other(port: int) -> None:
    with ExitStack() as stack:
        held = [await connect(stack, port, ELSEWHERE) for _ in range(2 * MOST)]
        other = await connect(stack, port, "127.0.0.1")
        assert await answer(other) == b"HTTP/1.1 200"
        assert await answer(held[0]) == b"", "the oldest had to go"
        assert await answer(held[-1]) == b"HTTP/1.1 200"


async def test_a_connection_whose_request_is_answered_is_kept(port: int) -> None:
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        busy = [await connect(stack, port, ELSEWHERE) for _ in range(MOST - 1)]
        for connection in busy:
            await loop.sock_sendall(connection, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        other = await connect(stack, port, "127.0.0.1")
        assert await answer(other) == b"HTTP/1.1 200"
        surplus = await connect(stack, port, ELSEWHERE)
        assert await answer(surplus) == b"", "all others of its source are busy"
        assert await answer(other) == b"HTTP/1.1 200"


HALF = b"GET /li"


@pytest.mark.parametrize(
    ("parts", "is_closed"),
    [
        ([REQUEST + HALF], True),
        ([REQUEST + b"\r\n\r\n" + HALF], True),
        ([REQUEST + REQUEST + HALF], True),
        ([REQUEST, HALF], True),
        ([REQUEST, b"\r\n\r\n" + HALF], True),
        ([REQUEST], False),
        ([REQUEST + REQUEST[:10], REQUEST[10:]], False),
        ([REQUEST + REQUEST], False),
    ],
)
async def test_half_a_header_is_not_awaited(tmp_path: Path, parts: list[bytes], *, is_closed: bool) -> None:
    async with serving(tmp_path, 0.5) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for part in parts:
                writer.write(part)
                await asyncio.sleep(0.2)
            async with asyncio.timeout(2):
                answers = await reader.read()
            assert is_closed
            assert answers.startswith(b"HTTP/1.1 200")
        except TimeoutError:
            assert not is_closed
        finally:
            writer.transport.abort()


async def test_malformed_requests_cause_one_line(
    port: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_module, "_malformed", SeldomLine(logging.getLogger("clustertrigger.x")))
    with ExitStack() as stack:
        for request in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n") * 5:
            assert await answer(await connect(stack, port, "127.0.0.1"), request) == b"HTTP/1.1 400"
        upgrade = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        await answer(await connect(stack, port, "127.0.0.1"), upgrade)
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1
