"""Tests of versions, as people and clusters write them."""

from __future__ import annotations

import re

import pytest

from harness.cluster.errors import ClusterError
from harness.cluster.versions import Version, parse_version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.37", Version(1, 37)),
        ("v1.37.2", Version(1, 37, 2)),
        (" 1.20.2 ", Version(1, 20, 2)),
        ("v1.30.1-eks-1234", Version(1, 30, 1)),
        ("1.33.4+k3s1", Version(1, 33, 4)),
    ],
)
def test_versions_as_people_and_clusters_write_them(text: str, version: Version) -> None:
    assert parse_version(text, "KUBERNETES") == version


@pytest.mark.parametrize("text", ["latest", "1", "1.x", "1.37.2.1", "-1.37", "v"])
def test_an_invalid_version_is_named(text: str) -> None:
    with pytest.raises(ClusterError, match=re.escape(f"KUBERNETES is '{text}', which is not a version")):
        parse_version(text, "KUBERNETES")
