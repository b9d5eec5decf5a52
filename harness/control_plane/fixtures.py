"""Fixtures for tests on a real API server: one control plane for each test process, one namespace for each test.

A conftest.py imports them, after it has registered `harness.control_plane` for pytest's rewriting of assertions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from harness.control_plane.cluster import LEASE, SYSTEM, Cluster, running_cluster
from harness.control_plane.kubelet import BusyKubelet, Kubelet
from harness.control_plane.operator_process import OperatorProcess
from harness.control_plane.proxy import Proxy
from harness.control_plane.sandbox import Sandbox

_LONGEST_LOG = 60


class StartOperator(Protocol):
    """Starts an operator for the test's namespace, and waits until it is ready.

    It connects to the API server `through` a proxy or with a `kubeconfig`, and gets the variables of `environ`. Other
    keywords are its settings.
    """

    def __call__(
        self,
        *,
        through: Proxy | None = None,
        kubeconfig: Path | None = None,
        environ: Mapping[str, str] | None = None,
        wait: bool = True,
        **settings: Any,
    ) -> OperatorProcess:
        """Starts an operator."""
        ...


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A real control plane, shared by the tests of this process."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def sandbox(cluster: Cluster) -> Iterator[Sandbox]:
    """A separate namespace for the test."""
    sandbox = Sandbox(cluster.kube)
    yield sandbox
    sandbox.close()


@pytest.fixture
def kubelet(sandbox: Sandbox) -> Kubelet:
    """A simulated kubelet for Pods of the namespace; see harness/control_plane/kubelet.py."""
    return Kubelet(sandbox.kube, sandbox.namespace)


@pytest.fixture
def busy_kubelet(sandbox: Sandbox) -> Iterator[None]:
    """Completes every run immediately."""
    with BusyKubelet(sandbox.kube, sandbox.namespace):
        yield


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[Proxy]:
    """A proxy between the API server and operators that are started `through` it."""
    with Proxy(cluster.kube.server, cluster.kube.ca) as proxy:
        yield proxy


@pytest.fixture
def no_lease(cluster: Cluster) -> Iterator[None]:
    """Deletes the Lease before and after the test, because all tests of a control plane share it."""
    cluster.kube.delete(LEASE)
    yield
    cluster.kube.delete(LEASE)


@pytest.fixture
def operator(cluster: Cluster, sandbox: Sandbox, no_lease: None, tmp_path: Path) -> Iterator[StartOperator]:
    """Starts operators, kills them at the end, and prints their logs; none may have logged an internal error."""
    started: list[OperatorProcess] = []

    def start(
        *,
        through: Proxy | None = None,
        kubeconfig: Path | None = None,
        environ: Mapping[str, str] | None = None,
        wait: bool = True,
        **settings: Any,
    ) -> OperatorProcess:
        kubeconfig = kubeconfig or cluster.operator_kubeconfig
        if through is not None:
            kubeconfig = cluster.kubeconfig_by(through.url, tmp_path / f"proxy-{len(started)}.kubeconfig")
        defaults = {
            "worker_image": "worker:test",
            "watch_namespaces": sandbox.namespace,
            "leader_election": False,
            "lease_namespace": SYSTEM,
            "identity": f"operator-{len(started)}",
            "http_port": 0,
            "log_format": "json",
        }
        log = tmp_path / f"operator-{len(started)}.log"
        process = OperatorProcess(kubeconfig, log, {**defaults, **settings}, environ)
        started.append(process)
        if wait:
            process.wait_until_ready()
        return process

    yield start
    for process in started:
        if process.running():
            process.kill()
        print(f"--- {process.log.name}", *process.readable_log()[-_LONGEST_LOG:], sep="\n")
    mistakes = [line for process in started for line in process.mistakes()]
    assert not mistakes
