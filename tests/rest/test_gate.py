"""Tests of the service's limits (rates, sizes, slow clients), of a missing API server, and of its pages."""

from __future__ import annotations

import gzip
import json
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from clustertrigger.rest.errors import RefusedError
from clustertrigger.rest.gate import Rates, Streams
from harness.control_plane.api_process import ApiProcess
from harness.control_plane.kube import eventually
from harness.control_plane.operator_process import environment
from harness.control_plane.sandbox import Sandbox
from harness.control_plane.tokens import token_of
from tests.rest import published
from tests.rest.callers import CLUSTER, UNIFIED, Caller, every, ok, refused

Start = Callable[..., ApiProcess]


def test_rates() -> None:
    rates = Rates(2, 3)
    assert [rates.wait_for("a", 0.0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert rates.wait_for("b", 0.0) == 0
    assert rates.wait_for("a", 0.5) == 0
    assert rates.wait_for("a", 0.5) == 0.5
    assert [rates.wait_for("a", 60.0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert Rates(0, 1).wait_for("a", 0.0) == 0


def test_streams() -> None:
    streams = Streams(2, "pages with this token receive changes already")
    with streams.one("a"), streams.one("b"):
        with streams.one("a"), pytest.raises(RefusedError) as raised, streams.one("a"):
            pass
        with streams.one("a"):
            pass
    assert (raised.value.status, raised.value.code) == (429, "too_many_streams")
    assert raised.value.message.startswith("2 pages with this token receive changes already: close one")


def test_too_many_requests(start_service: Start, sandbox: Sandbox) -> None:
    service = start_service(requests_per_second=1, burst=3)
    token = token_of(sandbox.kube, sandbox.namespace, "editor", role="clustertrigger-editor")
    other = token_of(sandbox.kube, sandbox.namespace, "other", role="clustertrigger-editor")
    with (
        Caller(service.url, sandbox.namespace, token) as caller,
        Caller(service.url, sandbox.namespace, other) as second,
    ):
        answers = [caller.get(UNIFIED) for _ in range(12)]
        assert answers[0].status_code == 200
        refusal = answers[-1]
        assert refused(refusal, 429)["type"] == "rate_limited"
        assert int(refusal.headers["retry-after"]) >= 1
        ok(second.get(UNIFIED))


def test_too_large(caller: Caller) -> None:
    refused(caller.post(CLUSTER, {**every(), "description": "x" * 300_000}), 413)

    def chunks() -> list[bytes]:
        return [b"x" * 65_536] * 8

    refused(caller.http.post(CLUSTER, content=iter(chunks()), headers={"Content-Type": "application/json"}), 413)
    ok(caller.get(UNIFIED))


@pytest.mark.parametrize("encoding", ["gzip", "identity, br", "unheard-of"])
def test_compressed_bodies_are_rejected(caller: Caller, encoding: str) -> None:
    body = gzip.compress(json.dumps(every()).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    error = refused(caller.http.post(CLUSTER, content=body, headers=headers), 415)
    assert error["type"] == "unsupported_media_type"
    ok(caller.http.post(CLUSTER, json=every(), headers={"Content-Encoding": "identity"}))


@pytest.mark.parametrize(
    ("sent", "status", "kind"),
    [
        ([b"GET /v1/triggers HTTP/1.1\r\nHost: x\r\nX: ", *[b"x" * 10_000] * 7], 431, "headers_too_large"),
        ([b"GET /v1/triggers?", *[b"x" * 10_000] * 7], 431, "headers_too_large"),
        ([b"nonsense\r\n\r\n"], 400, "bad_request"),
        ([b"GET /v1/triggers HTTP/1.1\r\nContent-Length: x\r\n\r\n"], 400, "bad_request"),
    ],
)
def test_rejected_headers(shared_service: ApiProcess, sent: list[bytes], status: int, kind: str) -> None:
    url = urlsplit(shared_service.url)
    with socket.create_connection((url.hostname or "", url.port or 0), timeout=60) as connection:
        for part in sent:
            connection.sendall(part)
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-type: application/json" in head
    envelope = published.Error.model_validate_json(body)
    assert (envelope.status, envelope.error.type) == (status, kind)


def test_headers_of_the_maximum_length(shared_service: ApiProcess, caller: Caller) -> None:
    """The request is also tested as the second one of a connection, with a header that arrives in pieces."""
    for _ in range(2):
        assert ok(caller.http.get(UNIFIED, headers={"X-Padding": "x" * 60_000}))["total"] == 0
        refused(caller.http.get(f"/{'x' * 60_000}"), 404)


@pytest.mark.parametrize("sent", [[b""], [b"POST /v1/tri"], [b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /li"]])
def test_slow_headers_are_rejected(start_service: Start, sandbox: Sandbox, sent: list[bytes]) -> None:
    url = urlsplit(start_service(sending_seconds=1).url)
    with socket.create_connection((url.hostname or "", url.port or 0), timeout=60) as connection:
        for part in sent[:-1]:
            connection.sendall(part)
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.sendall(sent[-1])
        begin = time.monotonic()
        while connection.recv(4096):
            pass
        assert time.monotonic() - begin < 8, "of the 10 s that a sender has by default"


def test_slow_bodies_are_rejected(start_service: Start, sandbox: Sandbox) -> None:
    url = urlsplit(start_service(sending_seconds=1).url)
    head = b"POST /v1/triggers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Length: 100\r\n\r\n{"
    with socket.create_connection((url.hostname or "", url.port or 0), timeout=60) as connection:
        connection.sendall(head)
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"success":false' in answer


def test_without_an_api_server(start_service: Start) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        service = start_service(server=f"https://127.0.0.1:{nobody.getsockname()[1]}")
        assert service.get("/livez") == (200, "ok\n")
        assert service.get("/readyz")[0] == 503
        with Caller(service.url, "default", "token") as caller:
            answer = caller.get(UNIFIED)
            assert refused(answer, 503, "api_server_unavailable")["type"] == "unavailable"
            assert answer.headers["retry-after"] == "1"


def test_the_pages_need_no_network(shared_service: ApiProcess, anonymous: httpx.Client) -> None:
    assert shared_service.get("/livez") == (200, "ok\n")
    assert shared_service.get("/readyz") == (200, "ok\n")
    status, page = shared_service.get("/docs")
    assert status == 200
    policy = anonymous.get("/docs").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self' 'sha256-" in policy
    assert "script-src 'self' 'unsafe-inline'" not in policy
    assert "frame-ancestors 'none'" in policy
    named = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert named
    assert all(address.startswith("/") for address in named)
    for address in named:
        assert anonymous.get(address).status_code == 200
    paths = anonymous.get("/openapi.json").json()["paths"]
    assert sorted(f"{method.upper()} {path}" for path, methods in paths.items() for method in methods) == sorted(
        [
            *(
                f"{verb} {prefix}/{{trigger_id}}"
                for verb in ("GET", "PATCH", "DELETE")
                for prefix in (CLUSTER, UNIFIED)
            ),
            *(f"POST {prefix}{rest}" for rest in ("", "/list") for prefix in (CLUSTER, UNIFIED)),
            *(
                f"POST {prefix}/{{trigger_id}}/{verb}"
                for verb in ("pause", "resume", "execute")
                for prefix in (CLUSTER, UNIFIED)
            ),
            f"GET {UNIFIED}",
            f"POST {CLUSTER}/{{trigger_id}}/history",
            f"GET {UNIFIED}/{{trigger_id}}/history",
        ]
    )


def sign(directory: Path) -> str:
    """A certificate for 127.0.0.1; returns it as PEM."""
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=api"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "new.key", "-out", "new.crt"]
    subprocess.run(words, check=True, capture_output=True, cwd=directory)
    (directory / "new.key").rename(directory / "tls.key")
    (directory / "new.crt").rename(directory / "tls.crt")
    return (directory / "tls.crt").read_text()


def test_https_and_a_renewed_certificate(start_service: Start, sandbox: Sandbox, tmp_path: Path) -> None:
    first = sign(tmp_path)
    service = start_service(cert_dir=tmp_path, certificate_seconds=0.1)
    port = int(service.url.rpartition(":")[2])
    assert ssl.get_server_certificate(("127.0.0.1", port)) == first
    trusting = ssl.create_default_context(cadata=first)
    headers = {"Authorization": "Bearer nobody", "X-Namespace": sandbox.namespace}
    with httpx.Client(base_url=service.url, verify=trusting, headers=headers, trust_env=False) as open_before:
        refused(open_before.get(UNIFIED), 401)
        second = sign(tmp_path)
        eventually(lambda: ssl.get_server_certificate(("127.0.0.1", port)), until=lambda shown: shown == second)
        refused(open_before.get(UNIFIED), 401)


def test_a_missing_certificate(start_service: Start, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=f"the certificate in {tmp_path} cannot be used"):
        start_service(cert_dir=tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "CLUSTERTRIGGER_API_SERVER is required"),
        ({"api_server": "https://x", "api_prot": "1"}, "CLUSTERTRIGGER_API_PROT: unknown setting"),
        ({"api_server": "https://x", "api_port": "many"}, "CLUSTERTRIGGER_API_PORT is 'many'"),
    ],
)
def test_settings(tmp_path: Path, settings: dict[str, str], message: str) -> None:
    words = [sys.executable, "-m", "clustertrigger.rest.main"]
    done = subprocess.run(
        words, env=environment(tmp_path, settings), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert message in done.stderr


def test_all_addresses_include_ipv4(start_service: Start) -> None:
    """With uvicorn, :: is IPv6 only, so no probe of an IPv4 cluster reached it."""
    service = start_service(host="::")
    assert service.url.startswith("http://127.0.0.1:")
    assert service.get("/livez")[0] == 200
