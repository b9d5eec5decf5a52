"""Tests that strangers cannot fill the log."""

from __future__ import annotations

import asyncio
import logging

import pytest

from clustertrigger.net.seldom import SeldomLine
from clustertrigger.shell.serving import http_server
from tests.shell.in_process import FakeApi, ask, message, serving_events, whole

MALFORMED = (
    b"GET /\xff HTTP/1.1\r\n\r\n",
    b"nonsense\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
)


async def test_malformed_requests_cause_one_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "_malformed", SeldomLine(logging.getLogger("clustertrigger.x")))
    async with serving_events(FakeApi()) as port:
        for request in MALFORMED * 5:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            assert (await reader.read()).split()[1] == b"400"
            writer.close()
    assert len(caplog.records) == 1
    assert caplog.records[0].exc_info is None
    assert "Rejected a malformed request: " in caplog.text
    assert len(caplog.text) < 400


async def test_senders_that_cannot_be_authenticated_cause_one_line(caplog: pytest.LogCaptureFixture) -> None:
    api = FakeApi()
    api.status = "x"
    async with serving_events(api) as port:
        answers = [await ask(port, whole(message(), token=f"made-up-{number}")) for number in range(20)]
    assert {status for status, _ in answers} == {503}
    assert len(caplog.records) == 1
