"""Defines the interface of all clusters, and finds the cluster in a directory."""

import json
from pathlib import Path
from typing import Protocol

from harness.cluster import state
from harness.cluster.choose import KIND, chosen
from harness.cluster.commands import run
from harness.cluster.debian import ControlPlane, DebianCluster
from harness.cluster.debian.build import binaries
from harness.cluster.errors import ClusterError
from harness.cluster.kind import KindCluster, fetch_node_image
from harness.cluster.state import Row


class Cluster(Protocol):
    """The functions of a cluster that the command line and the stories use."""

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""

    @property
    def host_address(self) -> str:
        """The address at which Pods reach servers on this machine that listen on every address."""

    def up(self) -> bool:
        """Starts what does not run; returns False if there was nothing to do."""

    def down(self) -> None:
        """Stops everything and removes all traces."""

    def status(self) -> list[Row]:
        """Returns the state of each part."""

    def load_image(self, archive: Path, name: str | None = None) -> None:
        """Loads an image into the cluster's node."""


def existing(name: str, directory: Path) -> Cluster | None:
    """Returns the cluster in DIRECTORY, running or not."""
    provider = state.provider_of(directory)
    return None if provider is None else _of(provider, name, directory)


def make(name: str, directory: Path, *, control_plane_only: bool = False) -> Cluster:
    """Return a cluster of the kind that fits this machine, not yet started."""
    provider = chosen()
    if control_plane_only and provider != KIND:  # kind has no separate control plane, so a whole cluster is used.
        provider = "control-plane"
    return _of(provider, name, directory)


def kubernetes_version(cluster: Cluster) -> str:
    """Return the version that the API server gives, for instance v1.37.2; empty where it does not answer."""
    kubectl = ["kubectl", f"--kubeconfig={cluster.kubeconfig}", "--request-timeout=5s"]
    try:
        return str(json.loads(run([*kubectl, "get", "--raw", "/version"]))["gitVersion"])
    except (ClusterError, ValueError, KeyError):
        return ""


def prepare() -> None:
    """Builds or fetches the programs of clusters on this machine, if they are missing."""
    if chosen() == KIND:
        fetch_node_image()
    else:
        binaries()


def _of(provider: str, name: str, directory: Path) -> Cluster:
    if provider == KIND:
        return KindCluster(name, directory)
    if provider == "control-plane":
        return _WithoutNode(directory)
    return DebianCluster(directory)


class _WithoutNode:
    def __init__(self, directory: Path) -> None:
        self._plane = ControlPlane(directory)
        self.kubeconfig = self._plane.kubeconfig
        self.host_address = "127.0.0.1"

    def up(self) -> bool:
        return self._plane.start()

    def down(self) -> None:
        self._plane.stop()

    def status(self) -> list[Row]:
        return self._plane.status()

    def load_image(self, archive: Path, name: str | None = None) -> None:
        raise ClusterError(
            f"a control plane without a node runs no images: start a whole cluster to load {name or archive}"
        )
