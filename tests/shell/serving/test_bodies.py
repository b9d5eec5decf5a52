"""Tests of the bodies of requests with events: none is decompressed, and their space is limited."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
import tracemalloc
import zlib
from contextlib import ExitStack

import pytest

from clustertrigger.shell.events.endpoint import LARGEST_BODY, SPACE_FOR_BODIES
from clustertrigger.shell.serving.bodies import Bodies, BodyError
from tests.shell.in_process import FakeApi, ask, head, message, serving_events, whole

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


async def test_withheld_bodies_of_one_source_take_half_of_the_space() -> None:
    """100 requests of almost 1 MiB that never end; without a limit, all of them stayed in memory for 30 s."""
    most = SPACE_FOR_BODIES // 2 // LARGEST_BODY
    async with serving_events(FakeApi()) as port:
        assert (await ask(port, whole(message())))[0] == 202
        withheld = head(LARGEST_BODY) + b" " * (LARGEST_BODY - 2)
        sending = [asyncio.create_task(ask(port, withheld, source="127.0.0.7")) for _ in range(100)]
        done, waiting = await asyncio.wait(sending, timeout=8)
        assert {task.result()[0] for task in done} == {429}
        assert len(waiting) <= most + 8, "some of which have not arrived yet"
        honest = await asyncio.gather(*(ask(port, whole(message(f"e{n}"))) for n in range(20)))
        large = message("large", padding="x" * (LARGEST_BODY - 1_000))
        honest.append(await ask(port, whole(large)))
        assert {status for status, _ in honest} == {202}
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        await asyncio.sleep(0.2)
        assert (await ask(port, whole(large), source="127.0.0.7"))[0] == 202, "the space is free again"


async def test_little_of_a_body_is_read_before_its_sender_is_authenticated() -> None:
    """4,096 connections are allowed. It was 125 KiB of each."""
    api, number = FakeApi(), 200
    api.delay = 60
    request = head(LARGEST_BODY, token="made-up") + b" " * LARGEST_BODY
    async with serving_events(api) as port:
        tracemalloc.start()
        try:
            with ExitStack() as stack:
                for _ in range(number):
                    stranger = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                    stranger.setblocking(False)
                    stranger.send(request)
                    await asyncio.sleep(0.001)
                await asyncio.sleep(1)
                taken, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert taken / number < 90 * 1024


def test_a_source_leaves_as_much_space_as_it_takes() -> None:
    bodies = Bodies(1_000, 100, 1)
    taken = {}
    with ExitStack() as stack:
        for source in "abc":
            taken[source] = 0
            with pytest.raises(BodyError) as refused:  # noqa: PT012 - which one, is what is looked for
                while True:
                    stack.enter_context(bodies.of(source))._take(50)
                    taken[source] += 50
            assert refused.value.status == 429
    assert taken == {"a": 500, "b": 250, "c": 150}
    assert bodies._taken.free == 1_000
    with bodies.of("a") as body, pytest.raises(BodyError) as refused:  # noqa: PT012 - the third is one too many
        for _ in range(3):
            body._take(50)
    assert refused.value.status == 413
