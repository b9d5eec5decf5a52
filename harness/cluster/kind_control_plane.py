"""The control plane of a kind cluster behind the interface of debian.ControlPlane, for tests on machines with Docker.

A whole cluster (half a minute to start, where the plain processes take seconds): share one between tests.
"""

import re
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.cluster.commands import run
from harness.cluster.errors import ClusterError
from harness.cluster.kind import KindCluster


class KindControlPlane:
    """A kind cluster whose components can be stopped and started.

    Args:
        directory: Where everything is written, and whose name names the cluster; default: a new one below the
            system's temporary directory.

    Attributes:
        directory: That directory.
        kubeconfig: The administrator's kubeconfig in it.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = (directory or Path(tempfile.mkdtemp(prefix="clustertrigger-control-plane-"))).resolve()
        name = re.sub("[^a-z0-9-]+", "-", self.directory.name.lower()).strip("-")
        self._cluster = KindCluster(name, self.directory)
        self.kubeconfig = self._cluster.kubeconfig

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> bool:
        """Create the cluster; returns False when it was there."""
        return self._cluster.up()

    def stop(self) -> None:
        """Delete the cluster and the directory."""
        self._cluster.down()

    @property
    def server(self) -> str:
        """URL of the API server."""
        jsonpath = "jsonpath={.clusters[0].cluster.server}"
        return run(["kubectl", "--kubeconfig", self.kubeconfig, "config", "view", "--minify", "--output", jsonpath])

    @property
    def etcd_url(self) -> str:
        """Nothing: kind's etcd listens inside the node only, and asks for a certificate."""
        raise ClusterError("kind's etcd cannot be reached from outside its node: set CLUSTER=debian for this test")

    def kill_api_server(self) -> None:
        """Kill the API server; clients see a refused connection until start_api_server."""
        self._cluster.stop_component("kube-apiserver")

    def start_api_server(self) -> None:
        """Start the API server again and wait until it is ready."""
        self._cluster.start_component("kube-apiserver")
        self._cluster.wait_until_ready()

    def restart_api_server(self) -> None:
        """Kill the API server and start it again."""
        self.kill_api_server()
        self.start_api_server()

    def stop_etcd(self) -> None:
        """Stop etcd; requests to the API server then fail or hang."""
        self._cluster.stop_component("etcd")

    def start_etcd(self) -> None:
        """Start etcd again with its data."""
        self._cluster.start_component("etcd")

    def stop_controller_manager(self) -> None:
        """Stop the controllers: Jobs make no Pods, owners' dependents stay, nothing is collected."""
        self._cluster.stop_component("kube-controller-manager")

    def start_controller_manager(self, *, as_shipped: bool = False) -> None:
        """Start the controllers again; kind's always have their default limit of requests."""
        self._cluster.start_component("kube-controller-manager")
