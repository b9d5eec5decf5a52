"""Installs the project on a real cluster: a cluster, its images on the node, and the operator by Helm."""

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
    """A cluster with the name of `python3 -m harness.cluster --name`."""

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
        """Returns whether it was started and not stopped."""
        return existing(self.name, self.directory) is not None

    def up(self) -> None:
        """Starts it, unless it runs.

        Raises:
            ClusterError: it did not start.
        """
        self._run("up", "did not start")

    def down(self) -> None:
        """Stops it and removes all traces."""
        self._run("down", "did not stop")

    def load(self, image: Image) -> None:
        """Loads an image of this project into the node, unless it has it."""
        self.load_archive(image.name, image.archive)

    def load_archive(self, name: str, archive: Path) -> None:
        """Loads the image in an archive of `docker save` into the node, unless it has it."""
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
    """Returns values of the chart for these images."""
    image = {
        role: {"repository": built.repository, "tag": built.tag}
        for role, built in (("operator", images.operator), ("worker", images.worker))
    }
    return _merged({"image": image, "resources": {"requests": {"cpu": "50m", "memory": "96Mi"}}}, extra or {})


def spark_values(repository: str, tag: str) -> dict[str, Any]:
    """Returns values of the chart that allow runs with Spark, by an image that the nodes have or can pull."""
    return {"spark": {"enabled": True, "image": {"repository": repository, "tag": tag}}}


def install_operator(kubectl: Kubectl, values: Values) -> Release:
    """Installs the chart, or upgrades the existing release.

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
        say(f"  the release {RELEASE} was left in the state {state}: installing it again")
        helm.uninstall(RELEASE)  # CRDs are kept, and with them all triggers.
    return helm.install(RELEASE, values, timeout=_HELM_SECONDS)


def _release_state(kubectl: Kubectl) -> str | None:
    """Returns the state of the release's last revision, from Helm's Secrets; None if there is no release."""
    secrets = kubectl.items("secrets", f"--selector=owner=helm,name={RELEASE}")
    revisions = {int(labels["version"]): str(labels["status"]) for s in secrets if (labels := s["metadata"]["labels"])}
    return revisions[max(revisions)] if revisions else None


def _images_on_nodes(kubectl: Kubectl) -> set[str]:
    """Returns names as Pods write them; the container runtime adds its default registry's host."""
    names = {name for node in kubectl.items("nodes") for image in node["status"]["images"] for name in image["names"]}
    return {name.removeprefix("docker.io/") for name in names}


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merges values as Helm does."""
    merged = dict(below)
    for name, value in above.items():
        under = merged.get(name)
        both = isinstance(under, Mapping) and isinstance(value, Mapping)
        merged[name] = _merged(under, value) if both else value  # type: ignore[arg-type]
    return merged


def editor(name: str, namespace: str) -> list[Manifest]:
    """Returns a service account that may read and change the triggers of its namespace, and its permissions."""
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"{RELEASE}-editor"},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }
    return [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}, binding]
