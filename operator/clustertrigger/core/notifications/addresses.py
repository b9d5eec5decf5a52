"""Decides which addresses the operator may connect to for a tenant: public ones, and those that its settings allow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = ip_network("64:ff9b::/96")
_SETTING = "notify.allowedNetworks"


@dataclass(frozen=True, slots=True)
class Allowed:
    """Addresses that the operator's settings allow in addition to public ones."""

    networks: tuple[Network, ...] = ()
    """Networks whose addresses are all allowed."""
    hosts: frozenset[str] = frozenset()
    """Names whose addresses may be private, but neither loopback nor link-local, because the owner of a name chooses
    its address.
    """


def why_blocked(host: str, address: str, allowed: Allowed) -> str | None:
    """Returns why the operator does not connect to an address; None if it does.

    Args:
        host: Name that resolved to the address, in lower case.
        address: The address as the resolver or the kernel writes it.
        allowed: What the settings allow.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return f"{address!r} is not an IP address"
    for inner in (parsed, *_embedded(parsed)):
        if (why := _why_not(host, inner, allowed)) is not None:
            return f"{host} has the address {address}, which is {why}"
    return None


def _why_not(host: str, address: Address, allowed: Allowed) -> str | None:
    if any(address.version == network.version and address in network for network in allowed.networks):
        return None
    if kind := _never_by_name(address):
        return f"{kind}: notifications are sent there only if {_SETTING} of the operator's chart contains it"
    if address.is_global or host in allowed.hosts:
        return None
    return (
        "private: notifications are sent to a private address only if notify.allowedHosts or "
        f"{_SETTING} of the operator's chart contains it"
    )


def _never_by_name(address: Address) -> str | None:
    for kind in ("loopback", "link_local", "multicast", "unspecified"):
        if getattr(address, f"is_{kind}"):
            return kind.replace("_", "-")
    return None


def _embedded(address: Address) -> Iterator[Address]:
    """Yields the IPv4 addresses that an IPv6 address reaches through a gateway or the kernel."""
    if isinstance(address, IPv4Address):
        return
    for inner in (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())):
        if inner is not None:
            yield inner
    if address in _NAT64:
        yield IPv4Address(int(address) & 0xFFFF_FFFF)
