"""Strangers who flood the door for events: an honest sender does not wait for them, and nothing is held for ever."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from harness.control_plane.event_sender import EventSender, event, free_port, service_account
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.manifests import events
from harness.control_plane.operator_process import OperatorProcess
from harness.control_plane.proxy import Proxy
from harness.control_plane.sandbox import Sandbox

ELSEWHERE = "127.0.0.2"
PATIENCE = 5.0
"""Seconds that an honest sender waits at most, on a machine that does much else."""
Start = Callable[..., tuple[OperatorProcess, EventSender]]


@pytest.fixture
def sending(operator: StartOperator, sandbox: Sandbox) -> Start:
    """Starts an operator with a trigger, and returns it and who may send."""
    token = service_account(sandbox, "sender", may_send=True)

    def start(**settings: Any) -> tuple[OperatorProcess, EventSender]:
        port = free_port()
        process = operator(events_port=port, **settings)
        sandbox.trigger("ingest", events(10**6))
        eventually(lambda: sandbox.status("ingest"))
        return process, EventSender(port, sandbox.namespace, token)

    return start


def request(sender: EventSender, token: str, *headers: str) -> bytes:
    body = json.dumps(event("x")).encode()
    lines = [
        f"POST /v1/namespaces/{sender.namespace}/events HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {token}",
        "Content-Type: application/cloudevents+json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def made_up_jwt(number: int) -> str:
    """It looks like a token of the cluster's, as whoever has one can make them."""
    return f"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ{number:06d}.c2lnbmF0dXJl"


def timed(sender: EventSender, event_id: str) -> float:
    """Seconds until an honest sender's event is stored; told to come back, it comes back."""
    began = time.monotonic()
    eventually(lambda: sender.send(event(event_id)).status == 202, 60)
    return time.monotonic() - began


@contextmanager
def flooding(sender: EventSender, source: str, connections: int, token: Callable[[int], str]) -> Iterator[list[int]]:
    """Sends requests with tokens that are made up, one after the other on so many connections; yields how many."""
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
        eventually(lambda: answered[0] > 0, 30)
        yield answered
    finally:
        over.set()
        thread.join()


def test_reviews_of_senders_who_are_gone_are_not_asked(sending: Start, sandbox: Sandbox, proxy: Proxy) -> None:
    """3,000 made-up tokens, whose senders hang up: each used to be asked about, and everybody else waited."""
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
def test_a_flood_of_made_up_tokens_keeps_nobody_waiting(
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


def test_denials_push_out_no_sender_who_is_known(sending: Start, sandbox: Sandbox, proxy: Proxy) -> None:
    _, sender = sending(through=proxy)
    assert sender.send(event("a")).status == 202
    with flooding(sender, ELSEWHERE, 50, "made-up-{}".format) as answered:
        eventually(lambda: answered[0] > 2_100, 60)
    assert sender.send(event("b")).status == 202
    own = (sender.token or "").encode()
    assert sum(own in review.body for review in proxy.writes("/tokenreviews")) == 1


def closed_within(connection: socket.socket | ssl.SSLSocket, seconds: float) -> float | None:
    """After how many seconds the other end has closed it; None where it has not."""
    began = time.monotonic()
    connection.settimeout(seconds)
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return None
    except OSError:
        pass
    return time.monotonic() - began


def test_half_a_header_holds_no_connection(sending: Start) -> None:
    process, sender = sending()
    http_port = int(eventually(lambda: process.fetch("/livez") and process._address).rpartition(":")[2])  # type: ignore[union-attr]
    whole = request(sender, sender.token or "")
    halves = {
        "nothing": b"",
        "half a line": b"POST /v1/name",
        "half a header": whole[:120],
        "all but its end": whole.partition(b"\r\n\r\n")[0] + b"\r\n",
        "half a second one": whole,
    }
    with ExitStack() as stack:
        opened = {}
        for name, data in halves.items():
            for port in (sender.port, http_port):
                connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                connection.sendall(data)
                if name == "half a second one":
                    assert connection.recv(4096)
                    connection.sendall(data[:120])
                opened[name, port] = connection
        dripping = stack.enter_context(socket.create_connection(("127.0.0.1", sender.port)))
        with suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(10):
                dripping.sendall(b"P")
                time.sleep(1.2)
        assert {
            name: closed_within(connection, 25) is not None for name, connection in opened.items()
        } == dict.fromkeys(opened, True)
        assert closed_within(dripping, 25) is not None, "a byte each second is no header"
    assert sender.send(event("a")).status == 202


def test_a_header_of_any_length_is_not_kept(sending: Start) -> None:
    process, sender = sending()
    field = b"X-Padding: " + b"x" * 4000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", sender.port)) as stranger:
        stranger.settimeout(5)
        stranger.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + field * 8)
        time.sleep(0.1)
        with suppress(OSError):
            for _ in range(50):
                stranger.sendall(field)
                time.sleep(0.01)
        assert closed_within(stranger, 2) is not None
    assert sender.send(event("a")).status == 202
    assert not process.mistakes()


def test_a_body_that_comes_slowly_ends(sending: Start) -> None:
    _, sender = sending()
    head, _, body = request(sender, sender.token or "").partition(b"\r\n\r\n")
    with socket.create_connection(("127.0.0.1", sender.port)) as slow:
        slow.sendall(head + b"\r\n\r\n" + body[:10])
        slow.settimeout(60)
        began = time.monotonic()
        answer = slow.recv(4096)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert closed_within(slow, 15) is not None
        assert time.monotonic() - began < 45


def test_the_answer_comes_before_the_body_is_through(sending: Start) -> None:
    """A refused sender that still sends a large body sees why, instead of a broken connection."""
    _, sender = sending()
    stranger = EventSender(sender.port, sender.namespace, None)
    for _ in range(5):
        assert stranger.post(b"x" * (2**20), "application/cloudevents+json").status == 401
        assert sender.post(b"x" * (2**20 + 1), "application/cloudevents+json").status == 413


def test_connections_of_one_source_leave_room_for_others(sending: Start) -> None:
    """5,000 connections that say nothing: the source keeps its share of them, and everybody gets in."""
    process, sender = sending()
    with ExitStack() as stack:
        held = []
        for _ in range(5_000):
            stranger = stack.enter_context(socket.socket())
            stranger.bind((ELSEWHERE, 0))
            stranger.settimeout(5)
            stranger.connect(("127.0.0.1", sender.port))
            held.append(stranger)
        assert timed(sender, "a") < PATIENCE
        open_files = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
        assert open_files < 2_048 + 200
        own = stack.enter_context(socket.socket())
        own.bind((ELSEWHERE, 0))
        own.connect(("127.0.0.1", sender.port))
        own.sendall(request(sender, sender.token or ""))
        own.settimeout(PATIENCE)
        assert own.recv(4096).startswith(b"HTTP/1.1 202"), "the source's newest gets in, for its oldest"
    assert not process.mistakes()


def test_half_a_handshake_holds_no_connection(sending: Start, tmp_path: Path) -> None:
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    files = ["-keyout", str(tmp_path / "tls.key"), "-out", str(tmp_path / "tls.crt")]
    subprocess.run([*words, *files], check=True, capture_output=True)
    process, sender = sending(events_cert_dir=tmp_path)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with ExitStack() as stack:
        silent = stack.enter_context(socket.create_connection(("127.0.0.1", sender.port)))
        half = stack.enter_context(socket.create_connection(("127.0.0.1", sender.port)))
        half.sendall(b"\x16\x03\x01\x02\x00\x01")
        plain = stack.enter_context(socket.create_connection(("127.0.0.1", sender.port)))
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        greeted = stack.enter_context(
            context.wrap_socket(stack.enter_context(socket.create_connection(("127.0.0.1", sender.port))))
        )
        greeted.sendall(b"POST /v1")
        crowd = [stack.enter_context(socket.create_connection(("127.0.0.1", sender.port))) for _ in range(2_200)]
        secure = stack.enter_context(
            context.wrap_socket(stack.enter_context(socket.create_connection(("127.0.0.1", sender.port))))
        )
        secure.sendall(request(sender, sender.token or ""))
        secure.settimeout(PATIENCE)
        assert secure.recv(4096).startswith(b"HTTP/1.1 202")
        for connection in (silent, half, plain, greeted, *crowd[::100]):
            assert closed_within(connection, 15) is not None
    assert not process.mistakes()
