"""TLS: how a server's certificate is checked, and how a server follows its own."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

logger = logging.getLogger(__name__)

_LOOKED_AT_EVERY = 60.0
"""Seconds. A certificate is renewed weeks before it expires."""


def trusting(authority: str | None) -> ssl.SSLContext:
    """Checks an API server's certificate.

    Args:
        authority: the certificates that it is checked against, as PEM; None: those of this machine.

    Raises:
        ssl.SSLError: The file is not a certificate.
        ValueError: it is empty.
    """
    context = ssl.create_default_context(cadata=authority)
    # Python 3.13 refuses authorities without a key identifier, which kubectl accepts and clusters have.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


class ServerCertificate:
    """A server's certificate and key, which are renewed where they lie.

    Args:
        directory: holds tls.crt and tls.key, as a mounted Secret does.

    Attributes:
        context: for the server.

    Raises:
        OSError: a file is missing.
        ssl.SSLError: The files do not match, or are not a certificate and a key.
    """

    def __init__(self, directory: Path) -> None:
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._directory = directory
        self._load()

    async def follow(self, every: float = _LOOKED_AT_EVERY) -> None:
        """Read the files again when they change, in an endless loop; open connections keep the old certificate.

        Args:
            every: seconds between two looks.
        """
        while True:
            await asyncio.sleep(every)
            try:
                self._load()
            except Exception as error:
                # Whatever is wrong with the files now, they will be written again.
                logger.warning("Reloading the certificate in %s failed: %s", self._directory, error)

    def _load(self) -> None:
        self.context.load_cert_chain(self._directory / "tls.crt", self._directory / "tls.key")
