"""Tests that senders with invalid tokens cannot delay a sender with a valid token."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from harness.control_plane.event_sender import EventSender, event, service_account
from harness.control_plane.kube import eventually
from harness.control_plane.proxy import Proxy
from harness.control_plane.sandbox import Sandbox
from tests.shell.strangers import ELSEWHERE, PATIENCE, Start, request, timed


def made_up_jwt(number: int) -> str:
    """Returns a token that has the form of the cluster's tokens, but is not valid."""
    return f"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ{number:06d}.c2lnbmF0dXJl"


@contextmanager
def flooding(sender: EventSender, source: str, connections: int, token: Callable[[int], str]) -> Iterator[list[int]]:
    """Sends requests with invalid tokens, one after the other on each of several connections; yields how many."""
    over, answered = Event(), [0]

    async def work(first: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", sender.port, local_addr=(source, 0))
        for number in range(first, 10**9, connections):
            writer.write(request(sender, token(number)))
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            answered[0] += 1

    async def run() -> None:
        workers = [asyncio.create_task(work(first)) for first in range(connections)]
        await asyncio.to_thread(over.wait)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    thread = Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        eventually(lambda: answered[0] > 0)
        yield answered
    finally:
        over.set()
        thread.join()


def test_no_reviews_for_senders_that_disconnected(sending: Start, sandbox: Sandbox, proxy: Proxy) -> None:
    """3,000 clients send an invalid token and disconnect. The operator once reviewed them before other senders."""
    process, sender = sending(through=proxy)
    assert sender.send(event("warm")).status == 202
    late = EventSender(sender.port, sender.namespace, service_account(sandbox, "late", may_send=True))
    before = len(proxy.writes("/tokenreviews"))
    for number in range(3_000):
        with socket.create_connection(("127.0.0.1", sender.port)) as stranger:
            stranger.sendall(request(sender, f"made-up-{number}"))
    took = timed(late, "a")
    asked = len(proxy.writes("/tokenreviews")) - before
    assert took < PATIENCE
    assert asked < 1_000, "of 3,000"
    assert not process.mistakes()


@pytest.mark.parametrize(
    ("source", "token"),
    [
        pytest.param(ELSEWHERE, "made-up-{}".format, id="from another address"),
        pytest.param(ELSEWHERE, made_up_jwt, id="from another address, tokens that look real"),
        pytest.param("127.0.0.1", "made-up-{}".format, id="from the same address"),
    ],
)
def test_many_invalid_tokens_do_not_delay_a_valid_sender(
    sending: Start, sandbox: Sandbox, source: str, token: Callable[[int], str]
) -> None:
    process, sender = sending()
    fresh = [service_account(sandbox, f"honest-{number}", may_send=True) for number in range(3)]
    with flooding(sender, source, 600, token) as answered:
        took = [timed(EventSender(sender.port, sender.namespace, one), f"e{n}") for n, one in enumerate(fresh)]
        known = timed(sender, "again")
    assert max(took) < PATIENCE, f"{took} beside {answered[0]} made-up tokens"
    assert known < PATIENCE
    assert not process.mistakes()


def test_denials_do_not_evict_a_known_sender(sending: Start, sandbox: Sandbox, proxy: Proxy) -> None:
    _, sender = sending(through=proxy)
    assert sender.send(event("a")).status == 202
    with flooding(sender, ELSEWHERE, 50, "made-up-{}".format) as answered:
        eventually(lambda: answered[0] > 2_100)
    assert sender.send(event("b")).status == 202
    own = (sender.token or "").encode()
    assert sum(own in review.body for review in proxy.writes("/tokenreviews")) == 1
