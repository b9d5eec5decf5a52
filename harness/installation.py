"""The project on a real cluster: a cluster, its images on the node, the operator installed by Helm."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cluster.__main__ import DEFAULT_NAME, default_directory
from harness.cluster.__main__ import main as cluster_command
from harness.cluster.clusters import Cluster, existing
from harness.cluster.errors import ClusterError
from harness.cluster.progress import say, stage
from harness.helm import Release, Values, find_helm
from harness.image import Image, Images
from harness.kubectl import Kubectl, Manifest

RELEASE = "clustertrigger"
"""Name of the Helm release; the chart names its objects after it."""
SYSTEM_NAMESPACE = "clustertrigger-system"
_HELM_SECONDS = 180


@dataclass(frozen=True)
class LocalCluster:
    """A cluster by the name that `python3 -m harness.cluster --name` takes."""

    name: str = DEFAULT_NAME

    @property
    def directory(self) -> Path:
        """Where it lives."""
        return default_directory(self.name)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.directory / "kubeconfig"

    @property
    def host_address(self) -> str:
        """The address under which Pods reach servers on this machine."""
        return self._running().host_address

    def exists(self) -> bool:
        """Tell whether it has been started and not been stopped."""
        return existing(self.name, self.directory) is not None

    def up(self) -> None:
        """Start it, unless it runs.

        Raises:
            ClusterError: it did not start.
        """
        self._run("up", "did not start")

    def down(self) -> None:
        """Stop it and remove every trace."""
        self._run("down", "did not stop")

    def load(self, image: Image) -> None:
        """Give the node an image of ours, unless it has it."""
        self.load_archive(image.name, image.archive)

    def load_archive(self, name: str, archive: Path) -> None:
        """Give the node the image in an archive of `docker save`, unless it has it."""
        if name in _images_on_nodes(Kubectl(self.kubeconfig)):
            say(f"  {name} is on the node")
            return
        with stage(f"loading {name} into the cluster"):
            self._running().load_image(archive)

    def _running(self) -> Cluster:
        cluster = existing(self.name, self.directory)
        if cluster is None:
            raise ClusterError(f"no cluster in {self.directory}: start it with `make cluster-up`")
        return cluster

    def _run(self, command: str, failed: str) -> None:
        with redirect_stdout(io.StringIO()):  # the kubeconfig's path, which callers know
            code = cluster_command([command, "--name", self.name])
        if code != 0:
            raise ClusterError(f"the cluster {failed}: the line above says why")


def operator_values(images: Images, extra: Values | None = None) -> dict[str, Any]:
    """Values of the chart for these images."""
    image = {
        role: {"repository": built.repository, "tag": built.tag}
        for role, built in (("operator", images.operator), ("worker", images.worker))
    }
    return _merged({"image": image, "resources": {"requests": {"cpu": "50m", "memory": "96Mi"}}}, extra or {})


def install_operator(kubectl: Kubectl, values: Values) -> Release:
    """Install the chart, or upgrade the release that is there.

    Args:
        kubectl: Its namespace is the release's.
        values: The chart's values.

    Raises:
        HelmError: refused, failed, or not ready in time.
    """
    helm = find_helm(kubectl.kubeconfig, kubectl.namespace)
    state = _release_state(kubectl)
    if state == "deployed":
        return helm.upgrade(RELEASE, values, timeout=_HELM_SECONDS)
    if state is not None:
        say(f"  the release {RELEASE} was left in the state {state}: installing it afresh")
        helm.uninstall(RELEASE)  # CRDs stay, and with them all triggers
    return helm.install(RELEASE, values, timeout=_HELM_SECONDS)


def _release_state(kubectl: Kubectl) -> str | None:
    """State of the release's last revision, as Helm keeps it on its Secrets; None where there is no release."""
    secrets = kubectl.items("secrets", f"--selector=owner=helm,name={RELEASE}")
    revisions = {int(labels["version"]): str(labels["status"]) for s in secrets if (labels := s["metadata"]["labels"])}
    return revisions[max(revisions)] if revisions else None


def _images_on_nodes(kubectl: Kubectl) -> set[str]:
    """Names as Pods write them; the container runtime adds its default registry's host."""
    names = {name for node in kubectl.items("nodes") for image in node["status"]["images"] for name in image["names"]}
    return {name.removeprefix("docker.io/") for name in names}


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Values laid over others, as Helm lays them."""
    merged = dict(below)
    for name, value in above.items():
        under = merged.get(name)
        both = isinstance(under, Mapping) and isinstance(value, Mapping)
        merged[name] = _merged(under, value) if both else value  # type: ignore[arg-type]
    return merged


def editor(name: str, namespace: str) -> list[Manifest]:
    """Return a service account that may see and change the triggers of its namespace, and what allows it."""
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"{RELEASE}-editor"},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }
    return [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}, binding]
