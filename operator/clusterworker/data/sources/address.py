"""Parses addresses of servers."""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from clusterworker.process.errors import MisconfiguredError


@dataclass(frozen=True)
class Address:
    """The address of a server; an IPv6 host has no brackets.

    Attributes:
        port: Port; None for the protocol's default.
        path: Path without the leading /.
    """

    scheme: str
    host: str
    port: int | None
    path: str
    query: str


def address_of(uri: str) -> Address:
    """Parses an address.

    Raises:
        MisconfiguredError: it has a port that does not exist.
    """
    parts = urlsplit(uri)
    try:
        port = parts.port
    except ValueError:
        raise MisconfiguredError(f"{uri}: the maximum port is 65535: correct source.uri") from None
    return Address(parts.scheme, parts.hostname or "", port, unquote(parts.path.removeprefix("/")), parts.query)
