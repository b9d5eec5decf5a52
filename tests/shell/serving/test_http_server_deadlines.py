"""Tests of when a connection is closed on which no request is being answered."""

from __future__ import annotations

import asyncio

import pytest

from clustertrigger.shell.serving import http_server
from tests.shell.in_process import FakeApi, head, message, serving_events, whole

REQUEST = whole(message())
HALF = b"POST /v1/names"
CHUNKS = head(None) + b"%x\r\n%s\r\n0\r\n\r\n" % (len(message()), message())


@pytest.fixture(autouse=True)
def _shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "HEADER", 0.5)


async def is_closed(*parts: bytes, answers: int) -> bool:
    """Sends parts, reads the answers, and returns whether the connection is closed soon after the last one."""
    async with serving_events(FakeApi()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for part in parts:
                writer.write(part)
                await asyncio.sleep(0.1)
            for _ in range(answers):
                answer = await reader.readuntil(b"}")
                assert answer.startswith(b"HTTP/1.1 202 "), answer
            async with asyncio.timeout(2):
                return await reader.read() == b""
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        finally:
            writer.transport.abort()


@pytest.mark.parametrize(
    ("parts", "answers"),
    [
        ([HALF], 0),
        ([b"\r\n\r\n" + HALF], 0),
        ([REQUEST + HALF], 1),
        ([REQUEST + b"\r\n\r\n" + HALF], 1),
        ([REQUEST[:-5], REQUEST[-5:] + HALF], 1),
        ([REQUEST, HALF], 1),
        ([REQUEST, b"\r\n\r\n" + HALF], 1),
        ([REQUEST, b"\r\n", b"\r\n" + HALF], 1),
        ([REQUEST + HALF, b"paces"], 1),
        ([REQUEST + REQUEST + HALF], 2),
        ([REQUEST + REQUEST, HALF], 2),
        ([CHUNKS + HALF], 1),
        ([CHUNKS + b"\r\n\r\n" + HALF], 1),
        ([REQUEST + CHUNKS[:20], CHUNKS[20:] + HALF], 2),
    ],
)
async def test_half_a_header_is_not_awaited(parts: list[bytes], answers: int) -> None:
    assert await is_closed(*parts, answers=answers)


@pytest.mark.parametrize(
    ("parts", "answers"),
    [
        ([REQUEST], 1),
        ([REQUEST[:100], REQUEST[100:-5], REQUEST[-5:]], 1),
        ([REQUEST, REQUEST], 2),
        ([b"\r\n" + REQUEST, b"\r\n" + REQUEST], 2),
        ([REQUEST + REQUEST[:100], REQUEST[100:]], 2),
        ([CHUNKS], 1),
        ([CHUNKS, REQUEST], 2),
        ([CHUNKS[:-3], CHUNKS[-3:]], 1),
    ],
)
async def test_a_connection_between_two_requests_stays_open(parts: list[bytes], answers: int) -> None:
    assert not await is_closed(*parts, answers=answers)


async def test_a_header_that_arrives_at_once_is_limited_too() -> None:
    fields = [f"X-{number}: {'x' * 8_000}" for number in range(5)]
    assert await is_closed(whole(message(), *fields), answers=0)
    assert not await is_closed(whole(message(), *fields[:3]), answers=1)
