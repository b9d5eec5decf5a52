"""Tests that every connection has a time limit, and that one client cannot use the connections of others."""

from __future__ import annotations

import socket
import ssl
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from harness.control_plane.event_sender import EventSender, event
from harness.control_plane.kube import eventually
from tests.shell.strangers import ELSEWHERE, PATIENCE, Start, closed_within, request, timed


def test_an_incomplete_header_does_not_keep_a_connection(sending: Start) -> None:
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
            name: closed_within(connection, 60) is not None for name, connection in opened.items()
        } == dict.fromkeys(opened, True)
        assert closed_within(dripping, 60) is not None, "a byte each second is no header"
    assert sender.send(event("a")).status == 202


def test_an_endless_header_is_rejected(sending: Start) -> None:
    process, sender = sending()
    field = b"X-Padding: " + b"x" * 4000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", sender.port)) as stranger:
        stranger.settimeout(60)
        stranger.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + field * 8)
        time.sleep(0.1)
        with suppress(OSError):
            for _ in range(50):
                stranger.sendall(field)
                time.sleep(0.01)
        assert closed_within(stranger, 60) is not None
    assert sender.send(event("a")).status == 202
    assert not process.mistakes()


def test_a_slow_body_times_out(sending: Start) -> None:
    _, sender = sending()
    head, _, body = request(sender, sender.token or "").partition(b"\r\n\r\n")
    with socket.create_connection(("127.0.0.1", sender.port)) as slow:
        slow.sendall(head + b"\r\n\r\n" + body[:10])
        slow.settimeout(90)  # a body has 30 s
        answer = slow.recv(4096)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert closed_within(slow, 60) is not None


def test_the_answer_arrives_before_the_body_is_complete(sending: Start) -> None:
    """A rejected sender that is still sending a large body gets the error instead of a closed connection."""
    _, sender = sending()
    stranger = EventSender(sender.port, sender.namespace, None)
    for _ in range(5):
        assert stranger.post(b"x" * (2**20), "application/cloudevents+json").status == 401
        assert sender.post(b"x" * (2**20 + 1), "application/cloudevents+json").status == 413


def test_connections_of_one_source_do_not_exclude_others(sending: Start) -> None:
    """5,000 silent connections of one source use only the source's share; other sources can connect."""
    process, sender = sending()
    with ExitStack() as stack:
        held = []
        for _ in range(5_000):
            stranger = stack.enter_context(socket.socket())
            stranger.bind((ELSEWHERE, 0))
            stranger.settimeout(60)
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


def test_an_incomplete_handshake_does_not_keep_a_connection(sending: Start, tmp_path: Path) -> None:
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
            assert closed_within(connection, 60) is not None
    assert not process.mistakes()
