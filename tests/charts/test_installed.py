"""Tests of the chart on a real API server: accepted values, remaining objects, and the rights of users.

There is no node, so no Pod runs, and Helm does not wait.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from harness.cluster.control_planes import control_plane
from harness.cluster.errors import ClusterError
from harness.control_plane.kube import eventually
from harness.helm import Helm, HelmError, find_helm
from harness.kubectl import Kubectl
from tests.charts.objects import NAMESPACE, RELEASE, Object, parse, values_of

# One process starts the control plane for all of these.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("chart")]

TRIGGER: Object = {
    "apiVersion": "clustertrigger.dev/v1alpha1",
    "kind": "ClusterTrigger",
    "metadata": {"name": "nightly"},
    "spec": {"trigger_type": "cron", "schedule_config": {"cron_expression": "@daily"}, "cluster_id": "cluster_a"},
}
TRIGGERS, LEASES = "clustertriggers.clustertrigger.dev", "leases.coordination.k8s.io"
TOKEN_REVIEWS, ACCESS_REVIEWS = "tokenreviews.authentication.k8s.io", "subjectaccessreviews.authorization.k8s.io"
EVERYWHERE = ""
OPERATOR = f"system:serviceaccount:{NAMESPACE}:{RELEASE}"
PATIENCE = 60.0
WITHOUT_FOREIGN_KINDS = ["webhook-values", "namespaced-values", "single-values", "events-values"]
"""Values that together render all kinds of objects except those of Prometheus and cert-manager."""
KINDS = (
    "configmaps,deployments,ingresses,leases,poddisruptionbudgets,pods,replicasets,rolebindings,roles,secrets,serviceaccounts,"
    "services,networkpolicies,clusterroles,clusterrolebindings,customresourcedefinitions,validatingwebhookconfigurations"
)


@dataclass(frozen=True)
class Access:
    """A request that a user may want to make; the resource is written with its group."""

    verb: str
    resource: str
    namespace: str
    name: str = ""
    subresource: str = ""

    def review(self, user: str) -> Object:
        """The review of whether a user can make the request."""
        resource, _, group = self.resource.partition(".")
        attributes = {
            "verb": self.verb, "group": group, "resource": resource, "subresource": self.subresource,
            "namespace": self.namespace, "name": self.name,
        }  # fmt: skip
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "resourceAttributes": attributes},
        }


@pytest.fixture(scope="module")
def kubectl() -> Iterator[Kubectl]:
    """A cluster for these tests only, because CRDs belong to one release of the whole cluster."""
    with control_plane() as plane:
        kubectl = Kubectl(plane.kubeconfig, NAMESPACE)
        for namespace in (NAMESPACE, "search", "ads"):
            kubectl.in_namespace(namespace).ensure_namespace()
        yield kubectl


@pytest.fixture
def helm(kubectl: Kubectl) -> Iterator[Helm]:
    helm = find_helm(kubectl.kubeconfig, NAMESPACE)
    yield helm
    helm.uninstall(RELEASE)


@pytest.mark.parametrize("values_file", WITHOUT_FOREIGN_KINDS)
def test_the_api_server_accepts_everything_and_only_crds_remain(kubectl: Kubectl, helm: Helm, values_file: str) -> None:
    before = everything(kubectl)
    release = helm.install(RELEASE, values_of(values_file), wait=False)
    assert (release.status, release.revision, release.namespace) == ("deployed", 1, NAMESPACE)
    assert "Apply a Collection" in release.notes
    assert {label(one) for one in parse(release.manifest)} <= everything(kubectl)
    helm.uninstall(RELEASE)
    kept = {label(crd) for crd in parse(release.manifest).all("CustomResourceDefinition")}
    eventually(lambda: everything(kubectl), PATIENCE, until=lambda left: left == before | kept)


def test_an_upgrade_forgets_old_values_and_keeps_the_certificate(kubectl: Kubectl, helm: Helm) -> None:
    image = {"registry": "registry.example.com"}
    helm.install(RELEASE, {"image": image, "webhook": {"enabled": True}, "replicas": 3}, wait=False)
    secret = kubectl.json("get", "secret", f"{RELEASE}-webhook")["data"]
    release = helm.upgrade(RELEASE, {"image": image, "webhook": {"enabled": True, "timeoutSeconds": 7}}, wait=False)
    assert (release.status, release.revision) == ("deployed", 2)
    assert kubectl.json("get", "deployment", RELEASE)["spec"]["replicas"] == 2
    assert kubectl.json("get", "secret", f"{RELEASE}-webhook")["data"] == secret
    webhooks = kubectl.json("get", "validatingwebhookconfiguration", RELEASE)["webhooks"]
    assert {webhook["clientConfig"]["caBundle"] for webhook in webhooks} == {secret["ca.crt"]}
    assert {webhook["timeoutSeconds"] for webhook in webhooks} == {7}
    kubectl("delete", "secret", f"{RELEASE}-webhook")
    helm.upgrade(RELEASE, {"webhook": {"enabled": True}}, wait=False)
    assert kubectl.json("get", "secret", f"{RELEASE}-webhook")["data"] != secret


def test_triggers_outlive_the_release_and_the_next_one_takes_the_crds_over(kubectl: Kubectl, helm: Helm) -> None:
    search = kubectl.in_namespace("search")
    helm.install(RELEASE, wait=False)
    eventually(lambda: applied(search, TRIGGER), PATIENCE, what="the CRDs being served")
    uid = search.json("get", "clustertrigger", "nightly")["metadata"]["uid"]
    helm.uninstall(RELEASE)
    assert search.json("get", "clustertrigger", "nightly")["metadata"]["uid"] == uid
    helm.install(RELEASE, wait=False)
    with pytest.raises(HelmError, match="cannot be imported into the current release"):
        find_helm(kubectl.kubeconfig, "ads").install(RELEASE, {"watchNamespaces": ["ads"]}, wait=False)


def test_the_budget_has_the_servers_api_version(kubectl: Kubectl, helm: Helm) -> None:
    budget = parse(helm.install(RELEASE, wait=False).manifest).one("PodDisruptionBudget")
    versions = kubectl("api-versions").split()
    assert budget["apiVersion"] == ("policy/v1" if "policy/v1" in versions else "policy/v1beta1")


def test_rights_in_all_namespaces(kubectl: Kubectl, helm: Helm) -> None:
    helm.install(RELEASE, wait=False)
    allowed = {
        Access("patch", TRIGGERS, "search", subresource="status"),
        Access("create", "jobs.batch", "search"),
        Access("watch", "pods", EVERYWHERE),
        Access("watch", "podtemplates", EVERYWHERE),
        Access("get", "namespaces", EVERYWHERE, name="kube-system"),
        Access("update", LEASES, NAMESPACE, name=RELEASE),
        Access("create", TOKEN_REVIEWS, EVERYWHERE),
        Access("create", ACCESS_REVIEWS, EVERYWHERE),
    }
    refused = {
        Access("patch", TRIGGERS, "search"),
        Access("get", "secrets", "search"),
        Access("get", "secrets", NAMESPACE),
        Access("create", "pods", "search"),
        Access("create", "podtemplates", "search"),
        Access("get", "namespaces", EVERYWHERE, name="search"),
        Access("update", LEASES, NAMESPACE, name="other"),
        Access("create", LEASES, "search"),
        Access("create", TRIGGERS, "search", subresource="events"),
    }
    assert permitted(kubectl, OPERATOR, allowed | refused) == allowed


def test_rights_in_served_namespaces_only(kubectl: Kubectl, helm: Helm) -> None:
    helm.install(RELEASE, {"watchNamespaces": ["search"]}, wait=False)
    allowed = {Access("create", "jobs.batch", "search"), Access("list", TRIGGERS, "search")}
    refused = {
        Access("create", "jobs.batch", "ads"),
        Access("create", "jobs.batch", NAMESPACE),
        Access("list", TRIGGERS, EVERYWHERE),
        Access("get", "namespaces", EVERYWHERE, name="kube-system"),
    }
    assert permitted(kubectl, OPERATOR, allowed | refused) == allowed


@pytest.mark.parametrize(("role", "verbs"), [("view", {"list"}), ("edit", {"list", "create", "delete"})])
def test_editors_and_viewers_of_a_namespace_have_rights_on_triggers(
    kubectl: Kubectl, helm: Helm, role: str, verbs: set[str]
) -> None:
    helm.install(RELEASE, wait=False)
    search = kubectl.in_namespace("search")
    search.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": role},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": role}],
        }
    )
    asked = {Access(verb, TRIGGERS, "search") for verb in ("list", "create", "delete")}
    expected = {Access(verb, TRIGGERS, "search") for verb in verbs}
    # The controller manager adds the chart's roles to Kubernetes' own a moment later.
    eventually(lambda: permitted(kubectl, role, asked), PATIENCE, until=lambda given: given == expected)
    search("delete", "rolebinding", role)


@pytest.mark.parametrize(
    ("role", "may_send"),
    [("view", False), ("edit", True), (f"{RELEASE}-event-sender", True), (f"{RELEASE}-viewer", False)],
)
def test_senders_of_events(kubectl: Kubectl, helm: Helm, role: str, *, may_send: bool) -> None:
    helm.install(RELEASE, wait=False)
    user = f"{role}-of-search"
    kubectl.in_namespace("search").apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": user},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        }
    )
    asked = {Access("create", TRIGGERS, namespace, subresource="events") for namespace in ("search", "ads")}
    expected = {access for access in asked if may_send and access.namespace == "search"}
    eventually(lambda: permitted(kubectl, user, asked), PATIENCE, until=lambda given: given == expected)
    kubectl.in_namespace("search")("delete", "rolebinding", user)


def applied(kubectl: Kubectl, one: Object) -> bool:
    try:
        kubectl.apply(one)
    except ClusterError:
        return False
    return True


def everything(kubectl: Kubectl) -> set[str]:
    """Every object that a chart could leave, apart from those that the cluster creates itself."""
    return {
        label(one)
        for one in kubectl.items(KINDS, "--all-namespaces")
        if one.get("type") != "kubernetes.io/service-account-token"
        and one["metadata"].get("namespace") != "kube-system"
        and one["metadata"]["name"] not in ("default", "kube-root-ca.crt")
    }


def label(one: Object) -> str:
    return f"{one['kind']} {one['metadata'].get('namespace', '')}/{one['metadata']['name']}"


def permitted(kubectl: Kubectl, user: str, asked: set[Access]) -> set[Access]:
    """Returns those of the requests that the API server would allow for a user."""
    ordered = sorted(asked, key=repr)
    reviews = [access.review(user) for access in ordered]
    listed = {"apiVersion": "v1", "kind": "List", "items": reviews}
    answers = kubectl(
        "create", "--filename=-", "--output=jsonpath={.status.allowed} ", stdin=json.dumps(listed)
    ).split()
    return {access for access, answer in zip(ordered, answers, strict=True) if answer == "true"}
