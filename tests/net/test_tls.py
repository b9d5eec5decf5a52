"""A server's certificate is followed while the server serves."""

from __future__ import annotations

import asyncio
import logging
import ssl
import subprocess
from pathlib import Path

import pytest

from clustertrigger.net.tls import ServerCertificate, trusting


def sign(directory: Path, name: str) -> None:
    """A certificate for this name, and its key, written one after the other, as renewals may be."""
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={name}"]
    made = directory / "new.crt", directory / "new.key"
    subprocess.run([*words, "-out", made[0], "-keyout", made[1]], check=True, capture_output=True)
    made[0].rename(directory / "tls.crt")
    made[1].rename(directory / "tls.key")


async def certificate_of(port: int) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return shown


async def test_a_renewed_certificate_is_shown_and_a_broken_one_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sign(tmp_path, "first")
    certificate = ServerCertificate(tmp_path)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=certificate.context)
    port = server.sockets[0].getsockname()[1]
    following = asyncio.create_task(certificate.follow(every=0.02))
    try:
        first = await certificate_of(port)
        assert first == ssl.PEM_cert_to_DER_cert((tmp_path / "tls.crt").read_text())

        (tmp_path / "tls.key").write_text("no key")
        with caplog.at_level(logging.WARNING):
            for _ in range(500):
                if str(tmp_path) in caplog.text:
                    break
                await asyncio.sleep(0.02)
        assert str(tmp_path) in caplog.text
        assert await certificate_of(port) == first

        sign(tmp_path, "second")
        for _ in range(500):
            if await certificate_of(port) != first:
                break
            await asyncio.sleep(0.02)
        assert await certificate_of(port) == ssl.PEM_cert_to_DER_cert((tmp_path / "tls.crt").read_text())
    finally:
        following.cancel()
        server.close()


def test_what_is_no_certificate(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ServerCertificate(tmp_path)
    sign(tmp_path, "x")
    (tmp_path / "tls.key").write_text("no key")
    with pytest.raises(ssl.SSLError):
        ServerCertificate(tmp_path)
    with pytest.raises((ssl.SSLError, ValueError)):
        trusting("no certificate")


def test_an_authority_is_checked_against_without_strictness(tmp_path: Path) -> None:
    sign(tmp_path, "x")
    context = trusting((tmp_path / "tls.crt").read_text())
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert len(context.get_ca_certs()) == 1


async def test_no_error_ends_the_look_for_a_new_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sign(tmp_path, "x")
    certificate = ServerCertificate(tmp_path)
    looks: list[int] = []

    def load() -> None:
        looks.append(1)
        raise ValueError("embedded null byte")

    monkeypatch.setattr(certificate, "_load", load)
    following = asyncio.create_task(certificate.follow(every=0.001))
    async with asyncio.timeout(60):
        while len(looks) < 3 and not following.done():  # noqa: ASYNC110 - a test may poll
            await asyncio.sleep(0.001)
    assert not following.done()
    following.cancel()
