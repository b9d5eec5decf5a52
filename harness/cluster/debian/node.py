"""Starts containerd, the kubelet and kube-proxy, which make the machine a node."""

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

from harness.cluster.api import wait_until
from harness.cluster.commands import run, succeeds
from harness.cluster.debian import program_image
from harness.cluster.debian.binaries import Binaries
from harness.cluster.debian.control_plane import Components
from harness.cluster.debian.namespaces import HOME, Namespaces
from harness.cluster.debian.processes import Daemons
from harness.cluster.errors import ClusterError
from harness.cluster.files import write
from harness.cluster.progress import say
from harness.cluster.versions import Version

NAME = "node"
POD_RANGE = "10.244.0.0/16"
KUBELET_PORT = 10250
DNS_ADDRESS = "10.96.0.10"
SOCKET = "/run/containerd/containerd.sock"
READY_SECONDS = 180.0
CAP_SYS_RESOURCE = 24
# Versions of Kubernetes and containerd that changed something.
ONLY_REMOTE_RUNTIME = Version(1, 24, 0)  # removed Docker's runtime; a later version removed the flag to choose one
RUNTIME_IN_FILE = Version(1, 27, 0)
REFUSES_CGROUP_V1 = Version(1, 31, 0)
CONTAINERD_2 = Version(2, 0, 0)


def containerd_config(programs: Binaries, snapshotter: str, *, restrict_oom_score: bool) -> str:
    """Return containerd's configuration in the format of its version."""
    if programs.containerd >= CONTAINERD_2:
        return _containerd_2_config(programs, snapshotter, restrict_oom_score=restrict_oom_score)
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""\
version = 2
{_CONTAINERD_FRAME}
[{cri}]
  sandbox_image = "{program_image.PAUSE}"
  disable_apparmor = true
  restrict_oom_score_adj = {str(restrict_oom_score).lower()}

  [{cri}.containerd]
    snapshotter = "{snapshotter}"
    default_runtime_name = "runc"

    [{cri}.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [{cri}.containerd.runtimes.runc.options]
        BinaryName = "{programs["runc"]}"
        SystemdCgroup = false

  [{cri}.cni]
    bin_dir = "{programs.cni}"
    conf_dir = "{HOME}/cni"
"""


_CONTAINERD_FRAME = f"""\
root = "{HOME}/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]

[grpc]
  address = "{SOCKET}"
"""


def _containerd_2_config(programs: Binaries, snapshotter: str, *, restrict_oom_score: bool) -> str:
    images, runtime = 'plugins."io.containerd.cri.v1.images"', 'plugins."io.containerd.cri.v1.runtime"'
    return f"""\
version = 3
{_CONTAINERD_FRAME}
[{images}]
  snapshotter = "{snapshotter}"

  [{images}.pinned_images]
    sandbox = "{program_image.PAUSE}"

[{runtime}]
  disable_apparmor = true
  restrict_oom_score_adj = {str(restrict_oom_score).lower()}

  [{runtime}.containerd]
    default_runtime_name = "runc"

    [{runtime}.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [{runtime}.containerd.runtimes.runc.options]
        BinaryName = "{programs["runc"]}"
        SystemdCgroup = false

  [{runtime}.cni]
    bin_dirs = ["{programs.cni}"]
    conf_dir = "{HOME}/cni"
"""


def pod_network() -> dict[str, Any]:
    """Return the CNI configuration: a bridge whose record of assigned addresses ends with the namespaces."""
    addresses = {
        "type": "host-local",
        "dataDir": "/run/cni",
        "ranges": [[{"subnet": POD_RANGE}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": "pods", "isGateway": True, "ipMasq": True, "hairpinMode": True}
    plugins = [{**bridge, "ipam": addresses}, {"type": "portmap", "capabilities": {"portMappings": True}}]
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": plugins}


def kubelet_config(version: Version, address: str, cgroup: str, pki: Path) -> dict[str, Any]:
    """Return the kubelet's configuration.

    Args:
        version: Version of Kubernetes.
        address: The node's IP address.
        cgroup: Name of the control group below which the Pods run.
        pki: Directory with ca.crt, kubelet-server.crt and kubelet-server.key.
    """
    newer: dict[str, Any] = {}
    if version >= RUNTIME_IN_FILE:
        newer["containerRuntimeEndpoint"] = f"unix://{SOCKET}"
    if version >= REFUSES_CGROUP_V1:
        newer["failCgroupV1"] = False
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": address,
        "port": KUBELET_PORT,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{pki}/kubelet-server.crt",
        "tlsPrivateKeyFile": f"{pki}/kubelet-server.key",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup}",
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "resolvConf": f"{HOME}/resolv.conf",
        # No server listens at this address, so queries fail at once. Without it, the kubelet would add a warning to
        # every Pod's events.
        "clusterDNS": [DNS_ADDRESS],
        "clusterDomain": "cluster.local",
        "volumePluginDir": f"{HOME}/kubelet/flexvolume",
        # A nearly full disk of a laptop or a build machine must cause no eviction, and no deletion of images, which
        # cannot be pulled again from a registry.
        "evictionHard": dict.fromkeys(
            ("memory.available", "nodefs.available", "nodefs.inodesFree", "imagefs.available"), "0%"
        ),
        "evictionPressureTransitionPeriod": "0s",
        "imageGCHighThresholdPercent": 100,
        "maxPods": 250,
        # Makes a new node Ready soon; the status is still written only on a change, or every five minutes.
        "nodeStatusUpdateFrequency": "1s",
        "nodeStatusReportFrequency": "5m",
        "serializeImagePulls": False,
        # The defaults (5 per second) would delay the status of many Jobs that start at the same time.
        "kubeAPIQPS": 50,
        "kubeAPIBurst": 100,
        "eventRecordQPS": 50,
        "eventBurst": 100,
        **newer,
    }


def proxy_config(kubeconfig: Path) -> dict[str, Any]:
    """Return kube-proxy's configuration, which does not change the host's conntrack limits."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clusterCIDR": POD_RANGE,
        "hostnameOverride": NAME,
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "metricsBindAddress": "127.0.0.1:10249",
        "healthzBindAddress": "127.0.0.1:10256",
        "oomScoreAdj": 0,
    }


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
