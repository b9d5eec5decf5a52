"""The CRD server, where one is named."""

from __future__ import annotations

import os

import pytest

from tests.api.crd_server import KUBECONFIG_VARIABLE, CrdServer


@pytest.fixture(scope="session")
def crd_server() -> CrdServer:
    kubeconfig = os.environ.get(KUBECONFIG_VARIABLE)
    if not kubeconfig:
        pytest.skip(f"set {KUBECONFIG_VARIABLE} to the kubeconfig of a server of Kubernetes 1.30 or later")
    server = CrdServer(kubeconfig)
    server.install()
    return server
