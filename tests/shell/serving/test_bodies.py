"""Tests of the bodies of requests with events: none is decompressed."""

from __future__ import annotations

import asyncio
import gzip
import time
import zlib

import pytest

from tests.shell.in_process import FakeApi, ask, head, message, serving_events

BOMB = gzip.compress(b" " * (200 * 2**20))
"""204 KB that stand for 200 MiB."""


async def longest_pause(over: asyncio.Event) -> float:
    """Returns how long the event loop ran nothing else."""
    longest = 0.0
    while not over.is_set():
        began = time.monotonic()
        await asyncio.sleep(0.01)
        longest = max(longest, time.monotonic() - began)
    return longest


async def test_compressed_bodies_of_strangers_do_not_stop_the_event_loop() -> None:
    async with serving_events(FakeApi()) as port:
        over = asyncio.Event()
        pausing = asyncio.create_task(longest_pause(over))
        request = head(len(BOMB), "Content-Encoding: gzip", token="made-up") + BOMB
        answers = await asyncio.gather(*(ask(port, request, source=f"127.0.0.{2 + n % 8}") for n in range(20)))
        await asyncio.sleep(1)
        over.set()
        assert {status for status, _ in answers} == {401}
        assert await pausing < 2, "twenty of them took 7 s"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(message())),
        ("gzip", gzip.compress(message())[:-12]),
        ("gzip", b"xxxx"),
        ("deflate", zlib.compress(message())),
        ("deflate", b"xxxxxxxxxxxxx"),
        ("br", b"xxxx"),
        ("zstd", b"xxxx"),
        ("identity, gzip", b"xxxx"),
        ("unheard-of", b"xxxx"),
    ],
)
async def test_compressed_bodies_are_rejected(encoding: str, body: bytes) -> None:
    async with serving_events(FakeApi()) as port:
        status, answer = await ask(port, head(len(body), f"Content-Encoding: {encoding}") + body)
    assert (status, b"send it uncompressed" in answer) == (415, True)


async def test_the_encoding_identity_is_accepted() -> None:
    async with serving_events(FakeApi()) as port:
        assert (await ask(port, head(len(message()), "Content-Encoding: identity") + message()))[0] == 202
