"""Describes a complete folder of the cache: the programs of a node, and their versions."""

import json
from collections.abc import Mapping
from pathlib import Path

from harness.cluster.debian import program_image
from harness.cluster.errors import ClusterError
from harness.cluster.files import write
from harness.cluster.versions import Version, parse_version

COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
RUNTIME = ("etcd", "containerd", "containerd-shim-runc-v2", "ctr")
VERSIONS = "versions.json"


class Binaries:
    """The programs in a folder.

    Args:
        directory: bin/ has the daemons, client/ kubectl where it was built too, cni/ the network plugins.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cni = directory / "cni"
        self.client = directory / "client"
        self.pause_image = directory / "pause.tar"

    def __getitem__(self, program: str) -> Path:
        return self.directory / "bin" / program

    @property
    def kubernetes(self) -> Version:
        """Version of Kubernetes."""
        return self._version("kubernetes")

    @property
    def containerd(self) -> Version:
        """Version of containerd."""
        return self._version("containerd")

    def _version(self, program: str) -> Version:
        path = self.directory / VERSIONS
        try:
            versions = json.loads(path.read_text())
        except FileNotFoundError as error:
            raise ClusterError(
                f"{self.directory} is gone, and a cluster runs on it: `make cluster-down`, then `make cluster-up`"
            ) from error
        return parse_version(versions[program], str(path))


def complete(directory: Path, pause: Path, architecture: str, versions: Mapping[str, str]) -> None:
    """Adds files that are derived from the programs to their folder.

    These are the image of the Pods' sandboxes, and the versions.

    Args:
        directory: The folder.
        pause: The static program that waits.
        architecture: Go's name of the machine's architecture, for instance amd64.
        versions: Of kubernetes, containerd and etcd.
    """
    program_image.pack(pause, directory / "pause.tar", architecture)
    write(directory / VERSIONS, json.dumps(dict(versions)))
