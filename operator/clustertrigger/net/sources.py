"""Determines the source of a request as far as possible. Limits for unknown clients apply to each source."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_SITE = 64
"""Number of bits of an IPv6 address that its holder cannot choose."""


@lru_cache(8192)
def source_of(address: str) -> str:
    """Returns the source of an address.

    It is the address itself, the /64 network of an IPv6 address, or the text if it is not an address.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(IPv6Network((found, _SITE), strict=False).network_address)
    return str(found)


class Proxies:
    """The trusted proxies, whose X-Forwarded-For header identifies the client.

    Args:
        networks: Networks of their addresses, in CIDR notation.
    """

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks: list[IPv4Network | IPv6Network] = [ip_network(network) for network in networks]
        self.is_trusted = lru_cache(8192)(self._is_trusted)

    def sender(self, peer: str, forwarded_for: Sequence[str]) -> str:
        """Returns the source of a request: the last address on its path that is not a trusted proxy.

        Args:
            peer: Address of the other end of the connection.
            forwarded_for: The headers X-Forwarded-For, to which each proxy adds its client's address.
        """
        if not self._networks or not self.is_trusted(peer):
            return source_of(peer)
        hops = [step.strip() for header in forwarded_for for step in header.split(",")]
        for step in reversed(hops):
            address = _without_port(step)
            if not _is_address(address):
                break
            if not self.is_trusted(address):
                return source_of(address)
        return source_of(peer)

    def _is_trusted(self, address: str) -> bool:
        try:
            found = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
            return any(found.ipv4_mapped in network for network in self._networks)
        return any(found in network for network in self._networks)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _without_port(step: str) -> str:
    """Removes a port, and the brackets of an IPv6 address, which some proxies write."""
    if step.startswith("["):
        return step[1:].partition("]")[0]
    host, colon, port = step.rpartition(":")
    return host if colon and port.isdigit() and ":" not in host else step
