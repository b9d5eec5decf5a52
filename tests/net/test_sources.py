"""Tests of the source address of a request."""

from __future__ import annotations

import pytest

from clustertrigger.net.sources import Proxies, source_of


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ("2001:db8:1:3::9", "2001:db8:1:3::"),
        ("fe80::1%eth0", "fe80::"),
        ("::1", "::"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_the_source_of_a_connection(address: str, source: str) -> None:
    assert source_of(address) == source


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "source"),
    [
        ("10.0.0.7", [], "10.0.0.7"),
        ("10.0.0.7", ["203.0.113.9"], "203.0.113.9"),
        ("::ffff:10.0.0.7", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.7", ["6.6.6.6, 203.0.113.9"], "203.0.113.9"),  # the first address can be forged
        ("10.0.0.7", ["6.6.6.6, 203.0.113.9, 10.0.0.8"], "203.0.113.9"),
        ("10.0.0.7", ["6.6.6.6", "203.0.113.9,10.0.0.8"], "203.0.113.9"),
        ("10.0.0.7", ["203.0.113.9:4711"], "203.0.113.9"),
        ("10.0.0.7", ["[2001:db8::9]:4711"], "2001:db8::"),
        ("10.0.0.7", ["2001:db8::9"], "2001:db8::"),
        ("10.0.0.7", ["10.0.0.8, 10.0.0.9"], "10.0.0.7"),
        ("10.0.0.7", ["203.0.113.9, nonsense"], "10.0.0.7"),
        ("10.0.0.7", [""], "10.0.0.7"),
        ("192.0.2.1", ["203.0.113.9"], "192.0.2.1"),  # not a trusted proxy
        ("2001:db8:9::1", ["203.0.113.9"], "203.0.113.9"),
    ],
)
def test_the_source_behind_a_proxy(peer: str, forwarded_for: list[str], source: str) -> None:
    assert Proxies(["10.0.0.0/8", "2001:db8:9::/48"]).sender(peer, forwarded_for) == source


def test_without_trusted_proxies_headers_are_ignored() -> None:
    assert Proxies([]).sender("10.0.0.7", ["203.0.113.9"]) == "10.0.0.7"
    assert not Proxies([]).is_trusted("10.0.0.7")
