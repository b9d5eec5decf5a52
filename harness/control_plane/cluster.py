"""Runs the control plane that the tests of a process share, with the objects that the chart installs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from clustertrigger.core.kube import paths
from harness.cluster.accounts import service_account_kubeconfig
from harness.cluster.control_planes import ControlPlane, control_plane
from harness.cluster.versions import Version, parse_version
from harness.control_plane.kube import Kube, RefusedError, eventually
from harness.helm import find_helm

CRDS = Path(__file__).parents[2] / "crds"
SYSTEM = "clustertrigger-system"
"""Namespace of the operator's service account and Lease."""
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/clustertrigger"
"""Name of the Lease. The chart permits no other, so all operators of a control plane compete for it."""
RELEASE = "clustertrigger"
_COLLECTIONS = {
    "ServiceAccount": f"/api/v1/namespaces/{SYSTEM}/serviceaccounts",
    "Role": f"/apis/rbac.authorization.k8s.io/v1/namespaces/{SYSTEM}/roles",
    "RoleBinding": f"/apis/rbac.authorization.k8s.io/v1/namespaces/{SYSTEM}/rolebindings",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}
_CRD_COLLECTION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass(frozen=True)
class Cluster:
    """A control plane without nodes that has the CRDs, and the operator's service account with the chart's RBAC.

    Attributes:
        plane: The control plane, whose components can be stopped and started.
        kube: Client of the administrator.
        operator_kubeconfig: Credentials of the operator.
    """

    plane: ControlPlane
    kube: Kube
    operator_kubeconfig: Path

    @property
    def kubernetes(self) -> Version:
        """Version of Kubernetes, from the API server."""
        return parse_version(self.kube.get("/version")["gitVersion"], "the API server's version")

    def kubeconfig_by(self, server: str, path: Path) -> Path:
        """Writes a kubeconfig of the operator that reaches the API server at another address."""
        config = yaml.safe_load(self.operator_kubeconfig.read_text())
        config["clusters"][0]["cluster"] = {"server": server}
        path.write_text(yaml.safe_dump(config))
        return path


@contextmanager
def running_cluster(directory: Path) -> Iterator[Cluster]:
    """Starts a cluster, and removes it at the end of the context."""
    with control_plane() as plane:
        kube = Kube(plane.kubeconfig, directory / "admin")
        for crd in sorted(CRDS.glob("*.yaml")):
            kube.create(_CRD_COLLECTION, yaml.safe_load(crd.read_text()))
        kube.create("/api/v1/namespaces", {"metadata": {"name": SYSTEM}})
        _install_rights(kube)
        kubeconfig = service_account_kubeconfig(plane.kubeconfig, SYSTEM, RELEASE, directory / "operator.kubeconfig")
        eventually(lambda: _served(kube), what="the CRDs being served")
        yield Cluster(plane, kube, kubeconfig)


def _install_rights(kube: Kube) -> None:
    """Creates exactly the permissions of the chart, rendered by Helm."""
    values = {"api": {"enabled": True}}
    rendered: list[dict[str, Any] | None] = list(
        yaml.safe_load_all(find_helm(namespace=SYSTEM).render(RELEASE, values))
    )
    for document in rendered:
        if document and (collection := _COLLECTIONS.get(document["kind"])):
            kube.create(collection, document)


def _served(kube: Kube) -> bool:
    try:
        for plural in ("clustertriggers", "collections", "clusterdefinitions", "taxonomies"):
            kube.get(paths.custom(plural))
    except RefusedError:
        return False
    return True
