"""A recent API server for the CRDs: the tests' own, or one that is named."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from harness.cluster.control_planes import control_plane
from harness.cluster.versions import Version
from tests.api.crd_server import KUBECONFIG_VARIABLE, CrdServer

WITH_RULES = Version(1, 30, 0)
"""This API server enforces everything in the CRDs, including their rules and their selectable fields."""


@pytest.fixture(scope="session")
def crd_server() -> Iterator[CrdServer]:
    named = os.environ.get(KUBECONFIG_VARIABLE)
    if named:
        yield _installed(named)
        return
    # Not the one of the other tests: the CRDs are deleted and created again here.
    with control_plane() as plane:
        server = CrdServer(str(plane.kubeconfig))
        if server.kubernetes < WITH_RULES:
            pytest.skip(f"Kubernetes {server.kubernetes} ignores the rules: {WITH_RULES} or later knows all of them")
        server.install()
        yield server


def _installed(kubeconfig: str) -> CrdServer:
    server = CrdServer(kubeconfig)
    server.install()
    return server
