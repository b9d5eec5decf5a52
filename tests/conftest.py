"""Fixtures for tests on a real API server: one control plane for each test process, a namespace for each test."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

pytest.register_assert_rewrite("tests.control_plane")

from tests.control_plane.cluster import SYSTEM, Cluster, running_cluster  # noqa: E402
from tests.control_plane.kubelet import BusyKubelet, Kubelet  # noqa: E402
from tests.control_plane.operator_process import OperatorProcess  # noqa: E402
from tests.control_plane.proxy import Proxy  # noqa: E402
from tests.control_plane.sandbox import Sandbox  # noqa: E402

_LONGEST_LOG = 60


def pytest_addoption(parser: pytest.Parser) -> None:
    """--shuffle SEED: in an order that the seed decides on, so that no test rests on what another one left."""
    parser.addoption("--shuffle", metavar="SEED", help="run files, and the tests in each, in a random order")


@pytest.hookimpl(specname="pytest_collection_modifyitems", trylast=True)  # when -k and -m have chosen
def pytest_shuffle_when_asked(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Whole files: what a file's tests share is made once."""
    if (seed := config.getoption("shuffle")) is not None:
        shuffle(items, seed)


def shuffle(items: list[pytest.Item], seed: str) -> None:
    """Orders files at random, and the tests of each; every worker of xdist must come to the same order."""
    chance = random.Random(seed)
    by_file: dict[Path, list[pytest.Item]] = {}
    for item in items:
        by_file.setdefault(item.path, []).append(item)
    files = list(by_file.values())
    chance.shuffle(files)
    for tests in files:
        chance.shuffle(tests)
    items[:] = [item for tests in files for item in tests]


@pytest.hookimpl(tryfirst=True)  # before -m looks at the markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what talks to an API server: `make compat` runs it on the oldest Kubernetes too."""
    for item in items:
        if "cluster" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.control_plane)


class StartOperator(Protocol):
    """Starts an operator for the test's namespace and waits until it is ready; keywords are its settings.

    It reaches the API server `through` a proxy, or as a `kubeconfig` says, and gets the variables of `environ`.
    """

    def __call__(
        self,
        *,
        through: Proxy | None = None,
        kubeconfig: Path | None = None,
        environ: Mapping[str, str] | None = None,
        wait: bool = True,
        **settings: Any,
    ) -> OperatorProcess: ...


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A real control plane, shared by the tests of this process."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def sandbox(cluster: Cluster) -> Iterator[Sandbox]:
    """A namespace of the test's own."""
    sandbox = Sandbox(cluster.kube)
    yield sandbox
    sandbox.close()


@pytest.fixture
def kubelet(sandbox: Sandbox) -> Kubelet:
    """Plays the kubelet for Pods of the namespace: see tests/control_plane/kubelet.py."""
    return Kubelet(sandbox.kube, sandbox.namespace)


@pytest.fixture
def busy_kubelet(sandbox: Sandbox) -> Iterator[None]:
    """Completes every run at once."""
    with BusyKubelet(sandbox.kube, sandbox.namespace):
        yield


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[Proxy]:
    """Between operator and API server, for operators started `through` it."""
    with Proxy(cluster.kube.server, cluster.kube.ca) as proxy:
        yield proxy


@pytest.fixture
def operator(cluster: Cluster, sandbox: Sandbox, tmp_path: Path) -> Iterator[StartOperator]:
    """Starts operators, ends them, and shows their logs where the test fails; none may have made a mistake."""
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
        print(f"--- {process.log.name}", *process.readable_log()[-_LONGEST_LOG:], sep="\n")  # noqa: T201
    mistakes = [line for process in started for line in process.mistakes()]
    assert not mistakes
