"""Tests of requests to receivers: their content, their destination, and which answers confirm them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from clustertrigger.api.notification import Receiver
from clustertrigger.core.notifications.addresses import Allowed
from clustertrigger.core.notifications.permissions import Credentials, Permissions
from clustertrigger.shell.notifications.sending import Attempt, Sender
from harness.cluster.debian.certificates import Authority
from harness.servers import webhooks

LOOPBACK = Allowed(networks=(ip_network("127.0.0.0/8"),))
KEY = base64.b64encode(b"k" * 32).decode()
BODY = b'{"id": "1"}'


@dataclass
class Stage:
    """A receiver, and the operator's settings for it."""

    receiver: webhooks.Receiver
    directory: Path
    authorities: Path | None
    permissions: Permissions

    async def send(self, path: str = "/hook", *, host: str = "", credentials: str | None = None) -> Attempt:
        uri = f"{self.receiver.url.replace('127.0.0.1', host or '127.0.0.1')}{path}"
        sender = Sender(
            self.permissions,
            self.directory,
            self.authorities,
            clock=lambda: datetime.fromtimestamp(1_700_000_000.5, UTC),
        )
        return await sender.send(Receiver(uri=uri, credentials=credentials), "search", "products-1-completed", BODY)

    def write(self, **files: str) -> None:
        folder = self.directory / "ci"
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / name.replace("_", "-")).write_text(text)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    authority = Authority(tmp_path / "pki")
    certificate, key = authority.server("receiver", "receiver", ["127.0.0.1", "localhost"])
    known = Credentials(namespaces=("search",), hosts=("127.0.0.1", "localhost"))
    permissions = Permissions(allowed=LOOPBACK, credentials={"ci": known})
    with webhooks.Receiver(certificate=certificate, key=key) as receiver:
        yield Stage(receiver, tmp_path, authority.certificate, permissions)


async def test_a_signed_request_with_a_token(stage: Stage) -> None:
    stage.write(token="t0ken\n", signing_key=f"whsec_{KEY}\n")
    assert await stage.send("/a%2Fhook?b=c", credentials="ci") == Attempt()
    (request,) = stage.receiver.requests
    assert (request.path, request.body) == ("/a%2Fhook?b=c", BODY)
    assert request.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert request.headers["authorization"] == "Bearer t0ken"
    assert request.headers["webhook-id"] == "products-1-completed"
    assert request.headers["webhook-timestamp"] == "1700000000"
    signed = b"products-1-completed.1700000000." + BODY
    digest = hmac.new(b"k" * 32, signed, hashlib.sha256).digest()
    assert request.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"


async def test_without_credentials_no_token_and_no_signature_is_sent(stage: Stage) -> None:
    assert await stage.send() == Attempt()
    headers = stage.receiver.requests[0].headers
    assert not headers.keys() & {"authorization", "webhook-signature", "cookie"}


async def test_a_replaced_token_is_used_for_the_next_request(stage: Stage) -> None:
    for token in ("first", "second"):
        stage.write(token=token)
        await stage.send(credentials="ci")
    assert [request.headers["authorization"] for request in stage.receiver.requests] == [
        "Bearer first",
        "Bearer second",
    ]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "credentials 'ci': their Secret has neither token nor signing-key"),
        ({"token": "two words"}, "credentials 'ci': token has blanks"),
        ({"token": "line\nX-Injected: 1"}, "credentials 'ci': token has blanks"),
        ({"signing_key": "secret"}, "credentials 'ci': signing-key: the key must begin with whsec_"),
    ],
)
async def test_invalid_credentials(stage: Stage, files: dict[str, str], says: str) -> None:
    stage.write(**files)
    attempt = await stage.send(credentials="ci")
    assert (says in str(attempt.error), attempt.concerns_message) == (True, False)
    assert stage.receiver.requests == []


@pytest.mark.parametrize(
    ("status", "error", "concerns_message"),
    [
        (200, None, False),
        (299, None, False),
        (302, "the receiver answered 302, and redirects are not followed", False),
        (400, "the receiver answered 400", True),
        (410, "the receiver answered 410", True),
        (408, "the receiver answered 408", False),
        (429, "the receiver answered 429", False),
        (500, "the receiver answered 500", False),
        (503, "the receiver answered 503", False),
    ],
)
async def test_which_answers_confirm_a_notification(
    stage: Stage, status: int, error: str | None, concerns_message: bool
) -> None:
    stage.receiver.answer = lambda _: status
    stage.receiver.headers = {"Location": "http://169.254.169.254/", "Retry-After": "7"}
    attempt = await stage.send()
    assert (attempt.error, attempt.concerns_message) == (error, concerns_message)
    assert attempt.wait == (7.0 if error else 0.0)
    assert len(stage.receiver.requests) == 1, "a redirect is not followed"


@pytest.mark.parametrize("asked", ["-1", "1e9", "soon", "Sat, 28 Nov 2026 12:00:00 GMT", "9" * 30])
async def test_an_invalid_retry_after_is_ignored(stage: Stage, asked: str) -> None:
    stage.receiver.answer, stage.receiver.headers = (lambda _: 503), {"Retry-After": asked}
    assert (await stage.send()).wait == 0.0


async def test_a_certificate_of_another_authority_is_refused(stage: Stage) -> None:
    stage.authorities = None
    attempt = await stage.send()
    assert "certificate" in str(attempt.error)
    assert stage.receiver.requests == []


async def test_a_receiver_that_does_not_listen(stage: Stage) -> None:
    stage.receiver.down()
    attempt = await stage.send()
    assert attempt.error
    assert not attempt.concerns_message


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1"])
async def test_no_notation_of_a_private_address_is_accepted(stage: Stage, host: str) -> None:
    """The address that the kernel would connect to is checked, whichever resolver returns it."""
    stage.permissions = Permissions()
    attempt = await stage.send(host=host)
    assert attempt.error
    assert "which is loopback" in attempt.error or "is not a canonical IPv4 address" in attempt.error
    assert stage.receiver.requests == []


async def test_a_name_is_resolved_once_and_its_address_is_checked(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name is resolved once, so a second, different answer (DNS rebinding) has no effect."""
    asked = []

    def resolve(host: str, port: int, *_: Any) -> Any:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    stage.permissions = Permissions()
    assert "rebinding.example.com has the address 127.0.0.1, which is loopback" in str(
        (await stage.send(host="rebinding.example.com")).error
    )
    assert (asked, stage.receiver.requests) == (["rebinding.example.com"], [])
