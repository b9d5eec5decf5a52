"""Tests of requests to the webhook that no API server sends, by anyone who reaches its port."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from clustertrigger.shell.admission.server import AdmissionServer
from harness.control_plane.event_sender import free_port

REVIEW: dict[str, Any] = {
    "request": {
        "uid": "u",
        "resource": {"group": "clustertrigger.dev", "version": "v1alpha1", "resource": "clustertriggers"},
        "userInfo": {"username": "me"},
        "object": {"metadata": {"name": "x"}},
    }
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("certificates")
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    files = ["-keyout", str(found / "tls.key"), "-out", str(found / "tls.crt")]
    subprocess.run([*words, *files], check=True, capture_output=True)
    return found


@asynccontextmanager
async def serving(certificates: Path, answer: Any) -> AsyncIterator[int]:
    port = free_port()
    server = AdmissionServer(port, certificates)
    serving = server(answer)
    await anext(serving)
    try:
        yield port
    finally:
        await serving.aclose()  # type: ignore[attr-defined]


async def post(port: int, body: bytes, *headers: str) -> int:
    """Returns the status of the answer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        lines = ["POST /validate-clustertrigger HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        async with asyncio.timeout(30):
            return int((await reader.readuntil(b"\r\n")).split()[1])
    finally:
        writer.transport.abort()


async def allow(review: Any, **_: Any) -> Any:
    return {"response": {"uid": review["request"]["uid"], "allowed": True}}


def but(**changes: object) -> object:
    return {"request": {**REVIEW["request"], **changes}}


@pytest.mark.parametrize(
    "review",
    [
        None,
        [],
        "x",
        {},
        {"request": None},
        {"request": []},
        but(resource=None),
        but(resource={"group": ["x"], "version": "v1", "resource": "x"}),
        but(userInfo=None),
        but(userInfo={}),
        but(userInfo={"username": {}}),
        but(object=None),
        but(object=[]),
        but(object={"metadata": "x"}),
        but(oldObject={"metadata": []}),
    ],
)
async def test_malformed_reviews_are_rejected(
    certificates: Path, review: object, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(certificates, allow) as port:
        assert await post(port, json.dumps(review).encode()) == 400
        assert await post(port, json.dumps(REVIEW).encode()) == 200
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", [], 400),
        (b'"\xff"', [], 400),
        (b"[" * 200_000, [], 400),
        (b"{}", ["Content-Type: application/json; charset=unheard-of"], 415),
        (gzip.compress(json.dumps(REVIEW).encode()), ["Content-Encoding: gzip"], 415),
        (b"xxxx", ["Content-Encoding: deflate"], 415),
    ],
)
async def test_bodies_that_are_no_json_are_rejected(
    certificates: Path, body: bytes, headers: list[str], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(certificates, allow) as port:
        assert await post(port, body, *headers) == status
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_turn_lasts_until_the_answer(certificates: Path) -> None:
    """The body of a request is in memory until then."""
    going, over = [0], asyncio.Event()

    async def slowly(review: Any, **_: Any) -> Any:
        going[0] += 1
        await over.wait()
        return await allow(review)

    async with serving(certificates, slowly) as port:
        asking = [asyncio.create_task(post(port, json.dumps(REVIEW).encode())) for _ in range(40)]
        async with asyncio.timeout(60):
            while going[0] < 16:  # noqa: ASYNC110 - a test may poll
                await asyncio.sleep(0.1)
        await asyncio.sleep(1)
        assert going == [16]
        over.set()
        assert set(await asyncio.gather(*asking)) == {200}
