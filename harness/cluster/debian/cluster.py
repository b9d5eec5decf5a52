"""The full single-node cluster: a control plane and a node, in namespaces of their own."""

import hashlib
from pathlib import Path

from harness.cluster.api import Api
from harness.cluster.debian import network, node, packages
from harness.cluster.debian.binaries import Binaries
from harness.cluster.debian.build import binaries, programs_for, programs_of, recorded, use_kubectl_of
from harness.cluster.debian.cgroups import ControlGroup
from harness.cluster.debian.control_plane import PROVISIONER, Components, Endpoints
from harness.cluster.debian.namespaces import INIT, Namespaces
from harness.cluster.debian.processes import Daemons, strays
from harness.cluster.files import cache_directory
from harness.cluster.progress import stage
from harness.cluster.state import Row, check_directory, remove_directory

PORTS = (6443, 2379, 2380, 10257, 10259)  # in the order of Endpoints; the usual ones: the namespaces are the cluster's
PROVIDER = "debian"
DAEMONS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "containerd",
    "kubelet",
    "kube-proxy",
    PROVISIONER,
)


def cgroup_name(directory: Path) -> str:
    """Return the control group of the cluster in DIRECTORY; `down` finds it even when every file is gone."""
    return f"clustertrigger-{hashlib.sha256(str(directory).encode()).hexdigest()[:8]}"


class DebianCluster:
    """A full cluster on this machine.

    Args:
        directory: Its own directory; everything it writes is in there, until `down` removes it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()
        self.kubeconfig = self.directory / "kubeconfig"
        self._daemons = Daemons(self.directory)
        self._cgroup = ControlGroup(cgroup_name(self.directory))
        self._link = self.directory / "link.json"

    def up(self) -> bool:
        """Start what does not run; returns False when there was nothing to do."""
        programs = programs_for(self.directory)
        use_kubectl_of(programs)
        if self._complete():
            return False
        packages.require_debian()
        packages.require_root("starting a cluster of plain processes")
        packages.install_missing(packages.NODE_PROGRAMS)
        check_directory(self.directory, PROVIDER, **recorded(programs))
        node.load_kernel_modules()
        self._cgroup.create()
        namespaces = self._namespaces(programs)
        with stage("making the cluster's namespaces and its link to this machine"):
            namespaces.start()
            link = network.connect(self._link, namespaces)
        components = self._components(programs, namespaces, link.node)
        worker = node.Node(self.directory, programs, components, self._daemons, namespaces)
        with stage("starting etcd, the API server, containerd and the kubelet"):
            components.start_etcd()
            worker.start_containerd()
            worker.start_kubelet(self._cgroup.name)  # spends its first five seconds looking for Docker
            components.start_api_server()
        with stage("starting controller manager, scheduler, kube-proxy and the provisioner of volumes"):
            components.start_scheduler()
            worker.start_proxy()
            components.start_controller_manager()
            components.create_storage_class()
            components.start_provisioner()
        with stage("waiting for the node to be ready"):
            worker.wait_until_ready()
        return True

    def down(self) -> None:
        """Stop everything and remove every trace, whatever state it is in."""
        for name in (INIT, *self._daemons.names()):
            self._daemons.kill(name)
        for stray in strays(cache_directory(), self.directory):
            stray.kill()
        network.disconnect(self._link)
        self._cgroup.remove()
        with stage(f"removing {self.directory}"):  # images are large
            remove_directory(self.directory)

    def status(self) -> list[Row]:
        """Return one row per component, and one for the node."""
        use_kubectl_of(programs_of(self.directory) or binaries())
        rows = []
        for name in DAEMONS:
            process = self._daemons.find(name)
            state = "running" if process else "stopped"
            if process and name == "kube-apiserver":
                state = "ready" if self._api().ready() else "not ready"
            if process and name == "etcd":
                state = "healthy" if self._api().ready("/healthz/etcd") else "not healthy"
            rows.append(Row(name, str(process.pid) if process else "-", state, str(self._daemons.log(name))))
        ready = self._daemons.find("kube-apiserver") is not None and self._node().ready()
        rows.append(Row("node", "-", "ready" if ready else "not ready", str(self._daemons.log("kubelet"))))
        return rows

    def load_image(self, archive: Path, name: str | None = None) -> None:
        """Import a tar file of `docker save` or of an OCI layout; an archive without a name in it gets NAME."""
        self._node().load_image(archive, name)

    def images(self) -> str:
        """Return the names of the images that Pods can use, one a line."""
        return self._node().ctr("images", "list", "--quiet")

    @property
    def host_address(self) -> str:
        """The address under which Pods reach servers on this machine."""
        return network.load(self._link).host

    def _complete(self) -> bool:
        running = all(self._daemons.find(name) for name in (INIT, *DAEMONS))
        return running and self._api().ready() and self._node().ready()

    def _api(self) -> Api:
        pki = self.directory / "pki"
        server = Endpoints(network.load(self._link).node, *PORTS).server
        return Api(server, pki / "ca.crt", pki / "admin.crt", pki / "admin.key")

    def _node(self) -> node.Node:
        programs = programs_of(self.directory) or binaries()
        namespaces = self._namespaces(programs)
        components = self._components(programs, namespaces, network.load(self._link).node)
        return node.Node(self.directory, programs, components, self._daemons, namespaces)

    def _namespaces(self, programs: Binaries) -> Namespaces:
        return Namespaces(self.directory, programs["pause"], self._daemons)

    def _components(self, programs: Binaries, namespaces: Namespaces, address: str) -> Components:
        endpoints = Endpoints(address, *PORTS)
        return Components(self.directory, programs, endpoints, self._daemons, enter=namespaces.enter, on_node=True)
