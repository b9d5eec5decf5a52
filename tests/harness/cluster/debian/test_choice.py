"""Tests of the choice of Kubernetes: the newest available version, or the requested one."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from harness.cluster.debian.choice import choose
from harness.cluster.errors import ClusterError
from harness.cluster.versions import Version


@dataclass(frozen=True)
class Offered:
    version: Version
    refused: str | None = None


NEW, OLD = Offered(Version(1, 37, 2)), Offered(Version(1, 20, 2))
NO_GO = Offered(Version(1, 37, 2), "Go is not installed")


@pytest.mark.parametrize(
    ("wish", "offers", "taken"),
    [
        ("", [NEW, OLD], NEW),
        ("", [NO_GO, OLD], OLD),
        ("1.20", [NEW, OLD], OLD),
        ("v1.20.2", [NEW, OLD], OLD),
        ("1.37", [NEW, OLD], NEW),
    ],
)
def test_the_newest_available_version_or_the_requested_one(wish: str, offers: list[Offered], taken: Offered) -> None:
    assert choose(wish, offers, lambda offer: offer.refused) is taken


@pytest.mark.parametrize(
    ("wish", "offers", "says"),
    [
        ("1.37", [NO_GO, OLD], "Kubernetes 1.37.2 is not available: Go is not installed"),
        ("1.30", [NEW, OLD], "'1.30', but the versions available as plain processes are 1.37.2 and 1.20.2"),
        ("1.37.1", [NEW, OLD], "KUBERNETES_BINARIES=DIR"),
        ("newest", [NEW, OLD], "which is not a version"),
    ],
)
def test_an_unavailable_version_is_not_replaced(wish: str, offers: list[Offered], says: str) -> None:
    with pytest.raises(ClusterError, match=re.escape(says)):
        choose(wish, offers, lambda offer: offer.refused)


def test_only_necessary_checks_run() -> None:
    asked: list[Offered] = []
    choose("", [NEW, OLD], asked.append)
    assert asked == [NEW]
