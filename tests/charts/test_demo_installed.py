"""Tests of the example on a real API server: its Job's program, with the rights that the chart gives it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kubernetes.client import ApiClient, ApiException, Configuration
from kubernetes.config import load_kube_config

from clustertrigger.example import apply
from harness.cluster.control_planes import control_plane
from harness.control_plane.kube import eventually
from harness.helm import CHART, find_helm
from harness.kubectl import Kubectl
from tests.charts.objects import NAMESPACE, RELEASE, Object

# One process starts the control plane for all tests of the chart.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("chart")]

OWNER = f"{RELEASE}-demo"
VALUES: Object = {"image": {"registry": "registry.example.com/team"}, "demo": {"enabled": True}}
APPLIED = {
    "collection/packages", "collection/reviews", "collection/sections", "clusterdefinition/topics",
    "taxonomy/sections", "clustertrigger/missing-file", "clustertrigger/nightly-topics", "clustertrigger/on-drift",
    "clustertrigger/on-new-documents", "clustertrigger/packages-by-section", "clustertrigger/paused",
}  # fmt: skip
PATIENCE = 60.0


@pytest.fixture(scope="module")
def kubectl() -> Iterator[Kubectl]:
    with control_plane() as plane:
        kubectl = Kubectl(plane.kubeconfig, NAMESPACE)
        kubectl.ensure_namespace()
        yield kubectl


def as_the_job(kubectl: Kubectl) -> ApiClient:
    """Sends requests as the Job's account: the administrator impersonates it."""
    configuration = Configuration()
    load_kube_config(str(kubectl.kubeconfig), client_configuration=configuration)  # type: ignore[no-untyped-call]
    client = ApiClient(configuration)
    client.default_headers |= {
        "Impersonate-User": f"system:serviceaccount:{NAMESPACE}:{OWNER}",
        "Impersonate-Group": "system:serviceaccounts",
    }
    return client


def test_one_installation_creates_everything_and_one_value_removes_it(kubectl: Kubectl) -> None:
    helm = find_helm(kubectl.kubeconfig, NAMESPACE)
    helm.install(RELEASE, VALUES, wait=False)
    with as_the_job(kubectl) as client:
        applied = apply(client, NAMESPACE, OWNER, CHART / "demo")
        assert set(applied) == APPLIED
        assert apply(client, NAMESPACE, OWNER, CHART / "demo") == applied, "an upgrade applies it again"
    assert triggers(kubectl) == {name.partition("/")[2] for name in APPLIED if name.startswith("clustertrigger/")}
    helm.upgrade(RELEASE, {**VALUES, "demo": {"enabled": False}}, wait=False)
    eventually(lambda: triggers(kubectl), PATIENCE, until=lambda left: left == set())
    helm.uninstall(RELEASE)


def test_a_refused_request_fails_at_once(kubectl: Kubectl) -> None:
    with as_the_job(kubectl) as client, pytest.raises(ApiException, match="Forbidden"):
        apply(client, "default", OWNER, CHART / "demo")


def triggers(kubectl: Kubectl) -> set[str]:
    return {one["metadata"]["name"] for one in kubectl.items("clustertriggers")}
