"""Tests of which proxy requests to the API server use."""

from __future__ import annotations

import os

import pytest
from kubernetes.aio.client import Configuration

from clustertrigger.shell.kube.session import proxy_for

IN_ENVIRONMENT, IN_KUBECONFIG = "http://gate.example:3128", "http://other.example:3128"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("host", "environment", "in_kubeconfig", "expected"),
    [
        ("https://api.example:6443", {}, None, None),
        ("https://api.example:6443", {"HTTPS_PROXY": IN_ENVIRONMENT}, None, IN_ENVIRONMENT),
        ("https://api.example:6443", {"https_proxy": IN_ENVIRONMENT}, None, IN_ENVIRONMENT),
        ("https://api.example:6443", {"HTTP_PROXY": IN_ENVIRONMENT}, None, None),
        ("https://api.example:6443", {"HTTPS_PROXY": IN_ENVIRONMENT, "NO_PROXY": ".example"}, None, None),
        ("https://10.0.0.1:443", {"HTTPS_PROXY": IN_ENVIRONMENT, "NO_PROXY": "10.0.0.1"}, None, None),
        ("https://10.0.0.1:443", {"HTTPS_PROXY": IN_ENVIRONMENT, "NO_PROXY": "*"}, None, None),
        ("https://api.example:6443", {}, IN_KUBECONFIG, IN_KUBECONFIG),
        ("https://api.example:6443", {"HTTPS_PROXY": IN_ENVIRONMENT}, IN_KUBECONFIG, IN_KUBECONFIG),
        ("https://api.example:6443", {"NO_PROXY": "*"}, IN_KUBECONFIG, IN_KUBECONFIG),
    ],
)
def test_proxy(
    host: str,
    environment: dict[str, str],
    in_kubeconfig: str | None,
    expected: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kubeconfig's proxy takes precedence, as with kubectl; otherwise the environment's proxy is used."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    configuration = Configuration(host=host, proxy=in_kubeconfig)
    assert proxy_for(configuration) == expected
