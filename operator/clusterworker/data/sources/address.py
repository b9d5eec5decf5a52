"""Addresses of servers."""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from clusterworker.process.errors import MisconfiguredError


@dataclass(frozen=True)
class Address:
    """Where a server listens; of IPv6 hosts without brackets.

    Attributes:
        port: None: the protocol's own.
        path: without the / it begins with.
    """

    scheme: str
    host: str
    port: int | None
    path: str
    query: str


def address_of(uri: str) -> Address:
    """Take an address apart.

    Raises:
        MisconfiguredError: it has a port that does not exist.
    """
    parts = urlsplit(uri)
    try:
        port = parts.port
    except ValueError:
        raise MisconfiguredError(f"{uri}: the maximum port is 65535: correct source.uri") from None
    return Address(parts.scheme, parts.hostname or "", port, unquote(parts.path.removeprefix("/")), parts.query)
