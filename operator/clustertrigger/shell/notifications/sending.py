"""One request to a receiver: only to an address that is allowed, signed, and without following where it leads.

Design record: docs/design/notifications.md.
"""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from clustertrigger import __version__
from clustertrigger.api.notification import Receiver
from clustertrigger.core.notifications.addresses import why_blocked
from clustertrigger.core.notifications.cloud_event import CONTENT_TYPE
from clustertrigger.core.notifications.permissions import Permissions, host_of, why_refused
from clustertrigger.core.notifications.signature import KeyFormatError, read_keys, sign
from clustertrigger.core.text import cut, reason
from clustertrigger.net.tls import trusting

AT_ONCE = 64
"""Requests at the same time."""
_TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=5)
_LONGEST_ERROR = 300
_LONGEST_WAIT = 3600.0
"""Seconds for which a receiver may ask to be left alone."""
_COME_BACK = (408, 425, 429)
_TOKEN = re.compile(r"[\x21-\x7e]+")
TOKEN, SIGNING_KEY = "token", "signing-key"
"""Files of credentials; either may be absent."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of a request."""

    error: str | None = None
    """Why it is not confirmed, if it is not. It never contains what the receiver has answered with."""
    concerns_message: bool = False
    """Whether the receiver refused this message, and may take others."""
    wait: float = 0.0
    """Seconds after which the receiver wants to be asked again."""


class _CredentialsError(Exception):
    """The credentials cannot be used; the message says why."""


class Sender:
    """Posts CloudEvents.

    Args:
        permissions: by the operator's settings.
        credentials: directory with a directory for each of the credentials, as a mounted Secret is.
        authorities: file with certificates of authorities that count besides those of this machine; None for none.
        clock: seconds since the Unix epoch, for signatures.

    Raises:
        OSError: the file is missing.
        ssl.SSLError: it has no certificate.
    """

    def __init__(
        self,
        permissions: Permissions,
        credentials: Path,
        authorities: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._permissions = permissions
        self._credentials = credentials
        self._clock = clock
        self._resolver = _Resolver()
        self._tls = trusting(None)
        if authorities is not None:
            self._tls.load_verify_locations(authorities)

    async def send(self, receiver: Receiver, namespace: str, message_id: str, body: bytes) -> Attempt:
        """Posts one CloudEvent; never raises but for being cancelled."""
        if (why := why_refused(receiver, namespace, self._permissions)) is not None:
            return Attempt(why)
        try:
            headers = self._headers(receiver, message_id, body)
        except _CredentialsError as error:
            return Attempt(str(error))
        gate = _Gate(host_of(receiver.uri), self._permissions)
        try:
            return await self._post(receiver, headers, body, gate)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return Attempt(cut(gate.blocked or _in_words(error), _LONGEST_ERROR))

    async def _post(self, receiver: Receiver, headers: dict[str, str], body: bytes, gate: _Gate) -> Attempt:
        # A connection for each message: they are rare, and no address is used that was not checked just now.
        connector = aiohttp.TCPConnector(
            ssl=self._tls,
            use_dns_cache=False,
            force_close=True,
            resolver=self._resolver,
            socket_factory=gate.open_socket,
        )
        async with (
            aiohttp.ClientSession(
                connector=connector, timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            ) as session,
            session.post(receiver.uri, data=body, headers=headers, allow_redirects=False) as response,
        ):
            status = response.status
            asked = response.headers.get("Retry-After", "")
        if 200 <= status < 300:
            return Attempt()
        wait = min(float(asked), _LONGEST_WAIT) if asked.isdecimal() and len(asked) < 9 else 0.0
        moved = ", and redirects are not followed" if 300 <= status < 400 else ""
        refused = 400 <= status < 500 and status not in _COME_BACK
        return Attempt(f"the receiver answered {status}{moved}", concerns_message=refused, wait=wait)

    def _headers(self, receiver: Receiver, message_id: str, body: bytes) -> dict[str, str]:
        timestamp = int(self._clock())
        headers = {
            "Content-Type": CONTENT_TYPE,
            "User-Agent": f"clustertrigger/{__version__}",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
        }
        if receiver.credentials is None:
            return headers
        token, keys = self._read(receiver.credentials)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if keys:
            headers["webhook-signature"] = sign(keys, message_id, timestamp, body)
        return headers

    def _read(self, name: str) -> tuple[str, list[bytes]]:
        """The token and the keys; read each time, because the kubelet replaces them when the Secret changes."""
        directory = self._credentials / name
        token, written = (_text_of(directory / file) for file in (TOKEN, SIGNING_KEY))
        if not token and not written:
            raise _CredentialsError(
                f"credentials {name!r}: their Secret has neither {TOKEN} nor {SIGNING_KEY}: add one of the keys"
            )
        if token and not _TOKEN.fullmatch(token):
            raise _CredentialsError(
                f"credentials {name!r}: {TOKEN} has blanks, or characters that no header can have: write it again"
            )
        try:
            return token, read_keys(written)
        except KeyFormatError as error:
            raise _CredentialsError(f"credentials {name!r}: {SIGNING_KEY}: {error}") from error


class _Resolver(AbstractResolver):
    """Resolves names in threads of its own: the loop has four, and names that no server answers for take them all."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, "resolver")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name.

        Raises:
            OSError: there is none.
        """
        ask = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Nothing: it serves the next request."""


class _Gate:
    """Opens sockets to addresses that are allowed, right before they are connected.

    What is checked is what the kernel gets. So a name that resolves to another address the second time is no way around
    this, nor is another form of writing an address.

    Attributes:
        blocked: why an address was not connected, if one was not.
    """

    def __init__(self, host: str, permissions: Permissions) -> None:
        self._host = host
        self._permissions = permissions
        self.blocked: str | None = None

    def open_socket(self, found: aiohttp.AddrInfoType) -> socket.socket:
        """Opens a socket for an address.

        Raises:
            OSError: the address is not allowed.
        """
        family, kind, protocol, _, address = found
        if (why := why_blocked(self._host, str(address[0]).partition("%")[0], self._permissions.allowed)) is not None:
            self.blocked = why
            raise PermissionError(why)
        return socket.socket(family, kind, protocol)


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise _CredentialsError(
            f"credentials {file.parent.name!r}: {file.name} cannot be read: {reason(error)}"
        ) from None


def _in_words(error: Exception) -> str:
    if isinstance(error, asyncio.TimeoutError):
        return f"the receiver did not answer within {_TIMEOUT.total:.0f} s"
    return reason(error)
