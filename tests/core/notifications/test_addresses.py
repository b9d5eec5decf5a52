"""Tests of the addresses that notifications can reach."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from clustertrigger.core.notifications.addresses import Allowed, why_blocked

NOTHING = Allowed()
PRIVATE = Allowed(networks=(ip_network("10.20.0.0/16"), ip_network("fd00:20::/64")))
LOOPBACK = Allowed(networks=(ip_network("127.0.0.0/8"),))
NAMED = Allowed(hosts=frozenset({"hooks.tools.svc"}))


@pytest.mark.parametrize(
    ("address", "allowed", "says"),
    [
        ("93.184.215.14", NOTHING, None),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", NOTHING, None),
        ("10.20.1.2", NOTHING, "private"),
        ("172.16.0.1", NOTHING, "private"),
        ("192.168.1.1", NOTHING, "private"),
        ("100.64.0.1", NOTHING, "private"),
        ("fd00::1", NOTHING, "private"),
        ("240.0.0.1", NOTHING, "private"),
        ("127.0.0.1", NOTHING, "loopback"),
        ("127.8.9.10", NOTHING, "loopback"),
        ("::1", NOTHING, "loopback"),
        ("169.254.169.254", NOTHING, "link-local"),
        ("fe80::1", NOTHING, "link-local"),
        ("224.0.1.1", NOTHING, "multicast"),
        ("ff02::1", NOTHING, "multicast"),
        ("0.0.0.0", NOTHING, "unspecified"),  # noqa: S104 - nothing is bound
        ("::", NOTHING, "unspecified"),
        ("::ffff:127.0.0.1", NOTHING, ""),
        ("::ffff:169.254.169.254", NOTHING, ""),
        ("::ffff:10.0.0.1", NOTHING, ""),
        ("64:ff9b::7f00:1", NOTHING, "loopback"),
        ("64:ff9b::a9fe:a9fe", NOTHING, "link-local"),
        ("2002:7f00:1::", NOTHING, ""),
        ("10.20.1.2", PRIVATE, None),
        ("10.21.1.2", PRIVATE, "private"),
        ("fd00:20::7", PRIVATE, None),
        ("127.0.0.1", PRIVATE, "loopback"),
        ("127.0.0.1", LOOPBACK, None),
        ("169.254.169.254", LOOPBACK, "link-local"),
        ("10.96.0.7", NAMED, None),
        ("169.254.169.254", NAMED, "link-local"),
        ("127.0.0.1", NAMED, "loopback"),
        ("localhost", NOTHING, "is not an IP address"),
    ],
)
def test_which_addresses_are_allowed(address: str, allowed: Allowed, says: str | None) -> None:
    why = why_blocked("hooks.tools.svc", address, allowed)
    assert (why is None) == (says is None), why
    if says:
        assert why is not None
        assert says in why


def test_an_allowed_name_does_not_allow_others() -> None:
    assert why_blocked("other.tools.svc", "10.96.0.7", NAMED) == (
        "other.tools.svc has the address 10.96.0.7, which is private: notifications are sent to a private "
        "address only if notify.allowedHosts or notify.allowedNetworks of the operator's chart contains it"
    )
