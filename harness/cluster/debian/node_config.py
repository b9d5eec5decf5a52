"""Returns the configuration of containerd, the Pods' network, the kubelet and kube-proxy."""

from pathlib import Path
from typing import Any

from harness.cluster.debian import program_image
from harness.cluster.debian.binaries import Binaries
from harness.cluster.debian.namespaces import HOME
from harness.cluster.versions import Version

NAME = "node"
POD_RANGE = "10.244.0.0/16"
KUBELET_PORT = 10250
DNS_ADDRESS = "10.96.0.10"
SOCKET = "/run/containerd/containerd.sock"
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
