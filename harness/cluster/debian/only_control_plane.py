"""etcd, API server and controller manager without a node, for tests; seconds to start, any number side by side.

Plain processes on ports of 127.0.0.1: nothing here needs root once the binaries are in the cache.
"""

import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.cluster.debian import packages
from harness.cluster.debian.build import binaries, programs_for, programs_of, recorded, use_kubectl_of
from harness.cluster.debian.control_plane import Components, Endpoints, load_endpoints
from harness.cluster.debian.ports import free_ports, listening
from harness.cluster.debian.processes import Daemons, Process, strays
from harness.cluster.errors import ClusterError
from harness.cluster.files import cache_directory, locked
from harness.cluster.state import Row, check_directory, remove_directory, settings_of

PROVIDER = "control-plane"
DAEMONS = ("etcd", "kube-apiserver", "kube-controller-manager")
ATTEMPTS = 3
PREFIX = "clustertrigger-control-plane-"
OWNER = "owner"


class ControlPlane:
    """A control plane of one's own.

    Example:
        with ControlPlane() as cluster:
            subprocess.run(["kubectl", "--kubeconfig", cluster.kubeconfig, "get", "namespaces"])
            cluster.kill_api_server()
            cluster.start_api_server()

    Args:
        directory: Where everything is written; default: a new one below the system's temporary directory.

    Attributes:
        directory: That directory.
        kubeconfig: The administrator's kubeconfig in it.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._own = directory is None
        self.directory = (directory or Path(tempfile.mkdtemp(prefix=PREFIX))).resolve()
        self.kubeconfig = self.directory / "kubeconfig"
        self._daemons = Daemons(self.directory)
        self._components: Components | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._kill_all()  # the directory stays: its logs say why
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> bool:
        """Start what does not run; returns False when there was nothing to do."""
        programs = programs_for(self.directory)
        use_kubectl_of(programs)
        if all(self._daemons.find(name) for name in DAEMONS) and self._parts().api.ready():
            return False
        packages.install_missing(packages.CONTROL_PLANE_PROGRAMS)
        owner: dict[str, str] = {}
        if self._own:
            sweep()
            owner[OWNER] = json.dumps(asdict(Process.of(os.getpid())))
        check_directory(self.directory, PROVIDER, **owner, **recorded(programs))
        known = load_endpoints(self.directory / "endpoints.json")
        if known:
            self._check_ports(known)
        for attempt in range(ATTEMPTS):
            endpoints = known or Endpoints("127.0.0.1", *free_ports(5))
            self._components = Components(self.directory, programs, endpoints, self._daemons)
            try:
                self._start_all(self._components)
            except ClusterError:
                # Another process may have taken a port between choice and use; an old cluster must keep its ports.
                if known or attempt == ATTEMPTS - 1:
                    raise
                self._kill_all()
            else:
                return True
        raise AssertionError("unreachable")

    def stop(self) -> None:
        """Stop everything and remove the directory."""
        self._kill_all()
        remove_directory(self.directory)

    @property
    def server(self) -> str:
        """URL of the API server."""
        return self._parts().endpoints.server

    @property
    def etcd_url(self) -> str:
        """URL of etcd, without TLS, on this machine only."""
        return self._parts().endpoints.etcd_url

    def kill_api_server(self) -> None:
        """Kill the API server with SIGKILL; clients see a refused connection until start_api_server."""
        self._daemons.kill("kube-apiserver")

    def start_api_server(self) -> None:
        """Start the API server on its old port and wait until it is ready."""
        self._parts().start_api_server()

    def restart_api_server(self) -> None:
        """Kill the API server and start it again."""
        self.kill_api_server()
        self.start_api_server()

    def stop_etcd(self) -> None:
        """Stop etcd in good order; requests to the API server then fail or hang."""
        self._daemons.stop("etcd")

    def start_etcd(self) -> None:
        """Start etcd again with its data."""
        self._parts().start_etcd()

    def stop_controller_manager(self) -> None:
        """Stop the controllers: Jobs make no Pods, owners' dependents stay, nothing is collected."""
        self._daemons.stop("kube-controller-manager")

    def start_controller_manager(self, *, as_shipped: bool = False) -> None:
        """Start the controllers again, with their default limit of requests if as_shipped."""
        self._parts().start_controller_manager(as_shipped=as_shipped)

    def log(self, component: str) -> Path:
        """Return the file with the output of a component, for instance kube-apiserver."""
        return self._daemons.log(component)

    def status(self) -> list[Row]:
        """Return one row per component."""
        rows = []
        for name in DAEMONS:
            process = self._daemons.find(name)
            rows.append(
                Row(
                    name, str(process.pid) if process else "-", "running" if process else "stopped", str(self.log(name))
                )
            )
        return rows

    def _parts(self) -> Components:
        if self._components is None:
            endpoints = load_endpoints(self.directory / "endpoints.json")
            if endpoints is None:
                raise ClusterError(
                    f"no control plane runs in {self.directory}: start it with `up --control-plane-only`"
                )
            self._components = Components(
                self.directory, programs_of(self.directory) or binaries(), endpoints, self._daemons
            )
        return self._components

    def _check_ports(self, endpoints: Endpoints) -> None:
        for name, port in zip(DAEMONS, (endpoints.etcd, endpoints.api, endpoints.controller_manager), strict=True):
            if self._daemons.find(name) is None and listening(port):
                raise ClusterError(
                    f"port {port} of {name} in {self.directory} is taken: stop what listens there, or `down` and `up`"
                )

    @staticmethod
    def _start_all(components: Components) -> None:
        components.start_etcd()
        components.start_api_server()
        components.start_controller_manager()
        components.create_storage_class()

    def _kill_all(self) -> None:
        for name in self._daemons.names():
            self._daemons.kill(name)
        for stray in strays(cache_directory(), self.directory):
            stray.kill()


def sweep() -> None:
    """Stop control planes whose test process was killed before it could; one process at a time, they start together."""
    temporary = Path(tempfile.gettempdir())
    with locked(temporary / f"{PREFIX}{os.getuid()}.lock", "another process that clears up"):
        for directory in temporary.glob(f"{PREFIX}*/"):
            owner = settings_of(directory).get(OWNER)
            if owner and not Process(**json.loads(owner)).alive():
                ControlPlane(directory).stop()
