"""Runs a cluster in a container of a Docker engine with kind."""

import os
import string
from pathlib import Path

from harness.cluster.api import wait_until
from harness.cluster.choose import require_kind_programs
from harness.cluster.commands import find_program, run, succeeds
from harness.cluster.errors import ClusterError
from harness.cluster.progress import stage
from harness.cluster.state import Row, check_directory, remove_directory
from harness.cluster.versions import parse_version

PROVIDER = "kind"
MANIFESTS = "/etc/kubernetes/manifests"
VOLUMES = "/var/local-path-provisioner"
COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
READY_SECONDS = 180
CONFIG = Path(__file__).with_name("kind.yaml")
# The newest first: kind v0.33's default, and what earlier releases of kind built and its newer ones still start.
IMAGES = (
    "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5",
    "kindest/node:v1.36.4@sha256:099e049362a1526b2db71494e1947aae99bd16290d7c895f2b7ea312e3cbfaed",
    "kindest/node:v1.33.1@sha256:050072256b9a903bd914c0b2866828150cb229cea0efe5892e2b644d5dd3b34f",
    "kindest/node:v1.30.13@sha256:397209b3d947d154f6641f2d0ce8d473732bd91c87d9575ade99049aa33cd648",
)


def node_image(requested: str) -> str:
    """Return the node's image.

    Args:
        requested: The variable KUBERNETES; empty: the newest.

    Raises:
        ClusterError: no image of that version is known.
    """
    version = parse_version(requested, "KUBERNETES") if requested else None
    for image in IMAGES:
        if version is None or version.covers(parse_version(image.partition(":")[2].partition("@")[0], "IMAGES")):
            return image
    versions = ", ".join(image.partition(":v")[2].partition("@")[0] for image in IMAGES)
    raise ClusterError(f"KUBERNETES is '{requested}', and the images known for kind are those of {versions}: name one")


def chosen_image() -> str:
    """Return the image that the environment asks for.

    Raises:
        ClusterError: there is none.
    """
    if os.environ.get("KUBERNETES_BINARIES", "").strip():
        raise ClusterError(
            "KUBERNETES_BINARIES is for clusters of plain processes: set CLUSTER=debian too, or unset it"
        )
    return node_image(os.environ.get("KUBERNETES", "").strip())


def render_config(template: str, volumes: Path, image: str) -> str:
    """Fill the directory of the volumes and the node's image into kind's configuration."""
    return string.Template(template).substitute(volumes=volumes, image=image)


def fetch_node_image() -> None:
    """Pull the node's image, unless the engine has it."""
    require_kind_programs()
    image = chosen_image()
    if not succeeds(["docker", "image", "inspect", image]):
        with stage(f"pulling {image.partition('@')[0]}"):
            run(["docker", "pull", "--quiet", image])


class KindCluster:
    """A cluster of one node, run by kind.

    Args:
        name: Its name in `kind get clusters`.
        directory: Where its kubeconfig and its volumes are.
    """

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory.resolve()
        self.kubeconfig = self.directory / "kubeconfig"
        self.node = f"{name}-control-plane"

    def up(self) -> bool:
        """Create the cluster; returns False when it was there."""
        require_kind_programs()
        exists = self.name in run(["kind", "get", "clusters"]).split()
        if exists and self.kubeconfig.exists() and self.ready():
            return False
        check_directory(self.directory, PROVIDER)
        if exists:
            with stage(f"starting the node {self.node} again"):
                succeeds(["docker", "start", self.node])
                run(["kind", "export", "kubeconfig", "--name", self.name, "--kubeconfig", self.kubeconfig])
                self.wait_until_ready()
            return True
        volumes = self.directory / "volumes"
        volumes.mkdir(exist_ok=True)
        config = render_config(CONFIG.read_text(), volumes, chosen_image())
        with stage(f"creating the kind cluster {self.name}"):
            run(
                ["kind", "create", "cluster", "--name", self.name, "--config", "-", "--kubeconfig", self.kubeconfig,
                 "--wait", f"{READY_SECONDS}s"],
                stdin=config,
            )  # fmt: skip
        return True

    def down(self) -> None:
        """Delete the cluster and its volumes."""
        if find_program("kind") and self.name in run(["kind", "get", "clusters"]).split():
            # The files belong to the users of the Pods: on Linux only the node can remove them.
            succeeds(["docker", "exec", self.node, "sh", "-c", f"rm -rf {VOLUMES}/*"])
            run(["kind", "delete", "cluster", "--name", self.name, "--kubeconfig", self.kubeconfig])
        remove_directory(self.directory)

    def status(self) -> list[Row]:
        """Return one row per component of the control plane, and one for the node."""
        logs = f"kind export logs --name {self.name}"
        rows = [Row("node", self.node, "ready" if self.ready() else "not ready", logs)]
        for component in COMPONENTS:
            found = succeeds(
                ["docker", "exec", self.node, "sh", "-c", f"[ -n \"$(crictl ps -q --name '^{component}$')\" ]"]
            )
            rows.append(Row(component, "-", "running" if found else "stopped", logs))
        return rows

    def load_image(self, archive: Path, name: str | None = None) -> None:
        """Import a tar file of `docker save`; an OCI archive without a name in it gets NAME."""
        if not archive.is_file():
            raise ClusterError(f"{archive} is not a file: give a tar of `docker save` or an OCI archive")
        if name is None:
            run(["kind", "load", "image-archive", archive, "--name", self.name])
            return
        run(["docker", "cp", archive, f"{self.node}:/image.tar"])
        ctr = ["docker", "exec", self.node, "ctr", "--namespace", "k8s.io"]
        run([*ctr, "images", "import", "--index-name", name, "/image.tar"])
        run(["docker", "exec", self.node, "rm", "/image.tar"])

    @property
    def host_address(self) -> str:
        """The address under which Pods reach servers on this machine."""
        gateways = "{{range .IPAM.Config}}{{.Gateway}} {{end}}"
        addresses = run(["docker", "network", "inspect", "kind", "--format", gateways]).split()
        return next(address for address in addresses if ":" not in address)

    def ready(self) -> bool:
        """Tell whether the API server answers."""
        return succeeds(["kubectl", "--kubeconfig", self.kubeconfig, "get", "--raw", "/readyz"])

    def wait_until_ready(self) -> None:
        """Wait until the API server answers."""
        wait_until(self.ready, READY_SECONDS, f"kind cluster {self.name}", lambda: f"see docker logs {self.node}")

    def stop_component(self, component: str) -> None:
        """Stop a component: without its manifest the kubelet does not start it again."""
        container = f"crictl ps --quiet --name '^{component}$'"
        script = (
            f"mv {MANIFESTS}/{component}.yaml /etc/kubernetes/; "
            f"for id in $({container}); do crictl stop --timeout 0 $id; done; "
            f'while [ -n "$({container})" ]; do sleep 0.1; done'
        )
        run(["docker", "exec", self.node, "bash", "-c", script], timeout=READY_SECONDS)

    def start_component(self, component: str) -> None:
        """Give a stopped component its manifest back."""
        run(["docker", "exec", self.node, "mv", f"/etc/kubernetes/{component}.yaml", f"{MANIFESTS}/"])
