"""Starts containerd, the kubelet and kube-proxy, which make the machine a node."""

import json
import os
from functools import partial
from pathlib import Path

from harness.cluster.api import wait_until
from harness.cluster.commands import run, succeeds
from harness.cluster.debian import program_image
from harness.cluster.debian.binaries import Binaries
from harness.cluster.debian.control_plane import Components
from harness.cluster.debian.namespaces import HOME, Namespaces
from harness.cluster.debian.node_config import (
    NAME,
    ONLY_REMOTE_RUNTIME,
    RUNTIME_IN_FILE,
    SOCKET,
    containerd_config,
    kubelet_config,
    pod_network,
    proxy_config,
)
from harness.cluster.debian.processes import Daemons
from harness.cluster.errors import ClusterError
from harness.cluster.files import write
from harness.cluster.progress import say

READY_SECONDS = 180.0
CAP_SYS_RESOURCE = 24


def full_image_name(name: str) -> str:
    """Return NAME completed as by Kubernetes: worker becomes docker.io/library/worker:latest."""
    repository, separator, tag = name.rpartition(":")
    if not separator or "/" in tag:
        repository, tag = name, "latest"
    first = repository.split("/", 1)[0]
    if "/" not in repository:
        repository = f"docker.io/library/{repository}"
    elif not ("." in first or ":" in first or first == "localhost"):
        repository = f"docker.io/{repository}"
    return f"{repository}:{tag}"


def load_kernel_modules() -> None:
    """Load the kernel modules that a node needs, if they are not built into the kernel."""
    if "overlay" not in Path("/proc/filesystems").read_text():
        run(["modprobe", "overlay"])
    # Without br_netfilter, Pods of one bridge cannot reach each other through a Service.
    if not Path("/proc/sys/net/bridge").exists() and not succeeds(["modprobe", "br_netfilter"]):
        say("the kernel has no br_netfilter: Pods will not reach each other through a Service")


class Node:
    """The only node of a full cluster.

    Args:
        directory: The cluster's own directory.
        programs: The binaries.
        components: The control plane, with the certificate authority and the endpoints.
        daemons: The cluster's daemons.
        namespaces: The cluster's namespaces.
    """

    def __init__(
        self, directory: Path, programs: Binaries, components: Components, daemons: Daemons, namespaces: Namespaces
    ) -> None:
        self._directory = directory
        self._programs = programs
        self._components = components
        self._daemons = daemons
        self._namespaces = namespaces
        # containerd finds its shims and runc on PATH; kube-proxy and the CNI plugins find iptables there.
        self._env = {"PATH": f"{programs['runc'].parent}:/usr/sbin:/usr/bin:/sbin:/bin"}

    def start_containerd(self) -> None:
        """Start containerd, and import the image of the Pods' sandboxes."""
        snapshotter = "native" if _file_system(self._directory) == "overlayfs" else "overlayfs"
        text = containerd_config(self._programs, snapshotter, restrict_oom_score=not _has_capability(CAP_SYS_RESOURCE))
        config = write(self._directory / "containerd.toml", text)
        write(self._directory / "cni/pods.conflist", json.dumps(pod_network(), indent=1))
        self._start("containerd", "--config", str(config))
        wait_until(
            lambda: self._answers(["version"]),
            READY_SECONDS,
            "containerd",
            lambda: f"see {self._daemons.log('containerd')}",
        )
        if program_image.PAUSE not in self.ctr("images", "list", "--quiet").split():
            self.load_image(self._programs.pause_image)

    def start_kubelet(self, cgroup: str) -> None:
        """Start the kubelet, which runs Pods below the control group CGROUP."""
        address = self._components.endpoints.address
        pki = self._directory / "pki"
        self._components.authority.server(
            "kubelet-server", f"system:node:{NAME}", [address, NAME], groups=("system:nodes",)
        )
        client = self._components.client_kubeconfig("kubelet", f"system:node:{NAME}", ("system:nodes",))
        # For Pods with dnsPolicy Default, because the namespaces cannot reach the host's nameservers.
        write(self._directory / "resolv.conf", "options timeout:1 attempts:1\n")
        version = self._programs.kubernetes
        settings = kubelet_config(version, address, cgroup, pki)
        config = write(self._directory / "kubelet.json", json.dumps(settings, indent=1))
        runtime = [f"--container-runtime-endpoint=unix://{SOCKET}"] if version < RUNTIME_IN_FILE else []
        if version < ONLY_REMOTE_RUNTIME:
            runtime.append("--container-runtime=remote")
        self._start(
            "kubelet",
            f"--config={config}",
            f"--kubeconfig={client}",
            f"--root-dir={HOME}/kubelet",
            *runtime,
            f"--hostname-override={NAME}",
            f"--node-ip={address}",
        )

    def start_proxy(self) -> None:
        """Start kube-proxy."""
        client = self._components.client_kubeconfig("kube-proxy", "system:kube-proxy")
        config = write(self._directory / "kube-proxy.json", json.dumps(proxy_config(client), indent=1))
        self._start("kube-proxy", f"--config={config}")

    def wait_until_ready(self) -> None:
        """Wait until the node accepts Pods. A status from before a crash does not count."""
        for name in ("kubelet", "kube-proxy", "kube-scheduler"):
            self._daemons.require(name)
        last_words = partial(self._daemons.last_words, "kubelet")
        # The API server forwards this request to the kubelet; the node's status may be that of an earlier kubelet.
        healthy = partial(self._components.api.ready, f"/api/v1/nodes/{NAME}/proxy/healthz")
        wait_until(healthy, READY_SECONDS, "the kubelet", last_words)
        wait_until(self.ready, READY_SECONDS, "the node", last_words)

    def ready(self) -> bool:
        """Return whether the node's Ready condition is true and it has no taints."""
        try:
            node = json.loads(self._components.api.get(f"/api/v1/nodes/{NAME}"))
        except OSError:
            return False
        conditions = {condition["type"]: condition["status"] for condition in node["status"].get("conditions", [])}
        untainted = not node["spec"].get("taints")
        return conditions.get("Ready") == "True" and untainted

    def ctr(self, *arguments: str, stdin: str | None = None) -> str:
        """Run containerd's command ctr on the images and containers of Kubernetes."""
        return self._namespaces.run(
            [self._programs["ctr"], "--address", SOCKET, "--namespace", "k8s.io", *arguments], stdin=stdin
        )

    def load_image(self, archive: Path, name: str | None = None) -> None:
        """Import a tar file of `docker save` or of an OCI layout; NAME is for an archive that contains no name."""
        if not archive.is_file():
            raise ClusterError(f"{archive} is not a file: give a tar of `docker save` or `buildah push oci-archive:`")
        # containerd does not complete `worker:1`, and a Pod's `image: worker:1` would not find the image.
        names = ["--index-name", full_image_name(name)] if name else []
        self.ctr("images", "import", *names, str(archive.resolve()))

    def _answers(self, command: list[str]) -> bool:
        try:
            self.ctr(*command)
        except ClusterError:
            if self._daemons.find("containerd") is None:
                raise
            return False
        return True

    def _start(self, name: str, *flags: str) -> None:
        self._daemons.start(name, [self._programs[name], *flags], env=self._env, enter=self._namespaces.enter)


def _file_system(path: Path) -> str:
    return run(["stat", "--file-system", "--format=%T", path]).strip()


def _has_capability(number: int) -> bool:
    status = Path(f"/proc/{os.getpid()}/status").read_text()
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) >> number & 1)
