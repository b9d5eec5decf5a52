"""Sends one request to a receiver: only to an allowed address, signed, and without following redirects.

Design record: docs/design/notifications.md.
"""

from __future__ import annotations

import asyncio
import re
import socket
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
from clustertrigger.shell.clock import Clock

AT_ONCE = 64
"""Maximum number of concurrent requests."""
_TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=5)
_LONGEST_ERROR = 300
_LONGEST_WAIT = 3600.0
"""Maximum number of seconds that a receiver's Retry-After can delay the next attempt."""
_COME_BACK = (408, 425, 429)
_TOKEN = re.compile(r"[\x21-\x7e]+")
TOKEN, SIGNING_KEY = "token", "signing-key"
"""Files of credentials; either can be missing."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of a request."""

    error: str | None = None
    """Why the notification is not confirmed; empty if it is. It never contains the receiver's response."""
    concerns_message: bool = False
    """Whether the receiver refused this notification, and may accept others."""
    wait: float = 0.0
    """Seconds that the receiver requests until the next attempt."""


class _CredentialsError(Exception):
    """The credentials cannot be used; the message has the reason."""


class Sender:
    """Posts CloudEvents.

    Args:
        permissions: The operator's settings for notifications.
        credentials: Directory with a directory for each of the credentials, such as a mounted Secret.
        authorities: File with CA certificates that are trusted in addition to those of this machine; None for none.
        clock: Returns the time, for signatures. Receivers reject those of another time.

    Raises:
        OSError: the file is missing.
        ssl.SSLError: it has no certificate.
    """

    def __init__(
        self,
        permissions: Permissions,
        credentials: Path,
        authorities: Path | None = None,
        *,
        clock: Clock,
    ) -> None:
        self._permissions = permissions
        self._credentials = credentials
        self._clock = clock
        self._resolver = _Resolver()
        self._tls = trusting(None)
        if authorities is not None:
            self._tls.load_verify_locations(authorities)

    async def send(self, receiver: Receiver, namespace: str, message_id: str, body: bytes) -> Attempt:
        """Posts one CloudEvent. It raises nothing, unless it is cancelled."""
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
        # Each notification uses a new connection. Notifications are rare, and every address must be checked just before
        # it is used.
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
            retry_after = response.headers.get("Retry-After", "")
        if 200 <= status < 300:
            return Attempt()
        wait = min(float(retry_after), _LONGEST_WAIT) if retry_after.isdecimal() and len(retry_after) < 9 else 0.0
        moved = ", and redirects are not followed" if 300 <= status < 400 else ""
        refused = 400 <= status < 500 and status not in _COME_BACK
        return Attempt(f"the receiver answered {status}{moved}", concerns_message=refused, wait=wait)

    def _headers(self, receiver: Receiver, message_id: str, body: bytes) -> dict[str, str]:
        timestamp = int(self._clock().timestamp())
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
        """Returns the token and the keys.

        They are read each time, because the kubelet replaces them when the Secret changes.
        """
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
    """Resolves names in separate threads.

    The event loop has four, which names without a responding server would occupy.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, "resolver")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Returns the addresses of a name.

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
        """Does nothing, because the resolver serves the next request too."""


class _Gate:
    """Opens sockets only to allowed addresses, and checks an address right before it is connected.

    The check uses the address that the kernel gets. So neither a name that resolves to another address the second time
    nor another notation of an address bypasses it.

    Attributes:
        blocked: Why an address was not connected; None if all were.
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
