"""Verifies the certificates of servers, and reloads a server's own certificate."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

logger = logging.getLogger(__name__)

_LOOKED_AT_EVERY = 60.0
"""Interval in seconds at which a certificate is read again. Certificates are renewed weeks before they expire."""


def trusting(authority: str | None) -> ssl.SSLContext:
    """Returns the TLS context that verifies an API server's certificate.

    Args:
        authority: CA certificates as PEM; None uses those of this machine.

    Raises:
        ssl.SSLError: The file is not a certificate.
        ValueError: it is empty.
    """
    context = ssl.create_default_context(cadata=authority)
    # Python 3.13 rejects CA certificates without a key identifier, which kubectl accepts and clusters have.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


class ServerCertificate:
    """The certificate and key of a server, which are renewed in place.

    Args:
        directory: Directory with tls.crt and tls.key, such as a mounted Secret.

    Attributes:
        context: The TLS context of the server.

    Raises:
        OSError: a file is missing.
        ssl.SSLError: The files do not match, or are not a certificate and a key.
    """

    def __init__(self, directory: Path) -> None:
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._directory = directory
        self._load()

    async def follow(self, every: float = _LOOKED_AT_EVERY) -> None:
        """Reloads the files when they change, in an endless loop. Open connections keep the old certificate.

        Args:
            every: Interval of the checks, in seconds.
        """
        while True:
            await asyncio.sleep(every)
            try:
                self._load()
            except Exception as error:
                # Whatever is wrong with the files now, they will be replaced.
                logger.warning("Reloading the certificate in %s failed: %s", self._directory, error)

    def _load(self) -> None:
        self.context.load_cert_chain(self._directory / "tls.crt", self._directory / "tls.key")
