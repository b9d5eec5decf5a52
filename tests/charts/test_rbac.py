"""Tests that the rights are exactly those for which docs/how-to/install.md gives a reason."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from harness.cluster.files import REPOSITORY
from tests.charts.objects import NAMESPACE, RELEASE, VALUES_FILES, Object, render, values_of

Right = tuple[str, str, str, str, str]
"""Scope, API group, resource, name of the object or "", verb."""

SERVED, CLUSTER, OWN = "served namespaces", "cluster", "own namespace"
KUBE_SYSTEM: Right = (CLUSTER, "", "namespaces", "kube-system", "get")
REVIEWS: set[Right] = {
    (CLUSTER, "authentication.k8s.io", "tokenreviews", "", "create"),
    (CLUSTER, "authorization.k8s.io", "subjectaccessreviews", "", "create"),
}
DELEGATOR, SENDER, API = f"{RELEASE}-auth-delegator", f"{RELEASE}-event-sender", f"{RELEASE}-api"
DRIVER = f"{RELEASE}-spark-driver"
QUEUES = f"{RELEASE}-queues"
WITH_SPARK: Object = {"spark": {"enabled": True}}
OF_QUEUES: set[Right] = {
    (SERVED, "kueue.x-k8s.io", "workloads", "", "list"),
    (SERVED, "kueue.x-k8s.io", "workloads", "", "create"),
    (SERVED, "kueue.x-k8s.io", "workloads/status", "", "patch"),
    (SERVED, "batch", "jobs/status", "", "patch"),
    (CLUSTER, "kueue.x-k8s.io", "resourceflavors", "", "get"),
    (CLUSTER, "kueue.x-k8s.io", "workloadpriorityclasses", "", "get"),
    (CLUSTER, "scheduling.k8s.io", "priorityclasses", "", "get"),
    (CLUSTER, "scheduling.k8s.io", "priorityclasses", "", "list"),
}


def rights(where: str, role: Object) -> set[Right]:
    return {
        (where, group, resource, name, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    }


def documented() -> set[Right]:
    """The rights in the table of docs/how-to/install.md; every row must give a reason."""
    found = set()
    for line in (REPOSITORY / "docs" / "how-to" / "install.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 5 or cells[0] not in (SERVED, CLUSTER, OWN):
            continue
        where, group, resources, verbs, why = cells
        assert len(why) > 20, line
        kinds, _, name = resources.partition(" named ")
        names = {"": "", "`kube-system`": "kube-system", "as `leaderElection.leaseName`": RELEASE}
        for resource in re.findall(r"`([^`]+)`", kinds):
            for verb in verbs.split():
                found.add((where, "" if group == "core" else group.strip("`"), resource, names[name], verb))
    return found


@pytest.mark.parametrize("spark", [False, True])
def test_cluster_wide_rights_are_the_documented_ones(spark: bool) -> None:
    rendered = render(WITH_SPARK if spark else {})
    granted = rights(SERVED, rendered.one("ClusterRole", RELEASE))
    kube_system = {right for right in granted if right[3] == "kube-system"}
    granted = (granted - kube_system) | {(CLUSTER, *right[1:]) for right in kube_system}
    granted |= rights(CLUSTER, rendered.one("ClusterRole", DELEGATOR))
    granted |= rights(OWN, rendered.one("Role", f"{RELEASE}-leader-election"))
    granted |= rights(CLUSTER, rendered.one("ClusterRole", QUEUES)) if spark else set()
    assert granted == (documented() if spark else documented() - OF_QUEUES)


def test_rights_in_served_namespaces_only() -> None:
    rendered = render(values_of("namespaced-values"))
    assert not rendered.all("ClusterRole")
    assert not rendered.all("ClusterRoleBinding")
    roles = {(role["metadata"]["namespace"], role["metadata"]["name"]): role for role in rendered.all("Role")}
    assert set(roles) == {("search", RELEASE), ("ads", RELEASE), (NAMESPACE, f"{RELEASE}-leader-election")}
    for namespace in ("search", "ads"):
        granted = rights(SERVED, roles[namespace, RELEASE])
        granted |= rights(OWN, roles[NAMESPACE, f"{RELEASE}-leader-election"])
        assert granted == documented() - REVIEWS - {KUBE_SYSTEM} - OF_QUEUES


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, REVIEWS),
        ({"watchNamespaces": ["search"]}, REVIEWS),
        ({"events": {"enabled": False}}, set()),
        ({"rbac": {"authDelegator": False}}, set()),
        ({"rbac": {"create": False}}, set()),
    ],
)
def test_senders_are_looked_up_in_the_whole_cluster(values: Object, expected: set[Right]) -> None:
    """Reviews have no namespace: a Role could not grant them."""
    roles = [role for role in render(values).all("ClusterRole") if role["metadata"]["name"] == DELEGATOR]
    assert {right for role in roles for right in rights(CLUSTER, role)} == expected


@pytest.mark.parametrize("values_file", VALUES_FILES)
def test_every_role_is_bound_once_and_to_its_subject(values_file: str) -> None:
    rendered = render(values_of(values_file))
    account = rendered.pod["spec"]["serviceAccountName"]
    users = {f"{RELEASE}-viewer", f"{RELEASE}-editor", SENDER, DRIVER}
    roles: Counter[tuple[str | None, str]] = Counter()
    for role in (*rendered.all("ClusterRole"), *rendered.all("Role")):
        if role["metadata"]["name"] not in users:
            roles[role["metadata"].get("namespace"), role["metadata"]["name"]] += 1
    bound: Counter[tuple[str | None, str]] = Counter()
    for binding in (*rendered.all("ClusterRoleBinding"), *rendered.all("RoleBinding")):
        bearer = API if binding["metadata"]["name"] == API else account
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": bearer, "namespace": NAMESPACE}]
        assert binding["roleRef"]["kind"] == binding["kind"].removesuffix("Binding")
        bound[binding["metadata"].get("namespace"), binding["roleRef"]["name"]] += 1
    assert bound == roles
    assert set(bound.values()) == {1}


@pytest.mark.parametrize("values_file", VALUES_FILES)
def test_no_wildcards_and_no_access_to_secrets(values_file: str) -> None:
    rendered = render(values_of(values_file))
    for role in (*rendered.all("ClusterRole"), *rendered.all("Role")):
        for _, group, resource, _, verb in rights("", role):
            assert "*" not in (group, resource, verb)
            assert resource not in ("secrets", "configmaps", "pods/exec", "pods/log", "roles", "clusterroles")


def test_the_lease_is_the_one_that_the_operator_takes() -> None:
    rendered = render({"leaderElection": {"leaseName": "search-leader"}})
    assert rendered.environment["CLUSTERTRIGGER_LEASE_NAME"] == "search-leader"
    named = {right[3] for right in rights(OWN, rendered.one("Role"))}
    assert named == {"", "search-leader"}


def test_without_election_no_access_to_leases() -> None:
    assert not render(values_of("single-values")).all("Role")


def test_no_rights_if_rbac_create_is_false() -> None:
    rendered = render({"rbac": {"create": False, "userRoles": False}})
    assert not {one["kind"] for one in rendered} & {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}


@pytest.mark.parametrize(
    ("values", "made"),
    [
        ({}, True),
        ({"events": {"enabled": False}}, False),
        ({"rbac": {"userRoles": False}}, False),
        ({"rbac": {"create": False}}, True),
    ],
)
def test_senders_can_only_send(values: Object, *, made: bool) -> None:
    roles = [role for role in render(values).all("ClusterRole") if role["metadata"]["name"] == SENDER]
    granted = {right for role in roles for right in rights("", role)}
    assert granted == ({("", "clustertrigger.dev", "clustertriggers/events", "", "create")} if made else set())


@pytest.mark.parametrize(
    ("values", "made"),
    [
        ({}, False),
        ({"spark": {"enabled": True}}, True),
        ({"spark": {"enabled": True}, "rbac": {"create": False}}, True),
        ({"spark": {"enabled": True}, "rbac": {"userRoles": False}}, False),
    ],
)
def test_drivers_can_only_create_pods_and_the_role_is_opt_in(values: Object, *, made: bool) -> None:
    rendered = render(values)
    roles = [role for role in rendered.all("ClusterRole") if role["metadata"]["name"] == DRIVER]
    granted = {right for role in roles for right in rights("", role)}
    verbs = ("get", "list", "watch", "create", "delete", "deletecollection")
    assert granted == ({("", "", "pods", "", verb) for verb in verbs} if made else set())
    assert not any("aggregate-to" in label for role in roles for label in role["metadata"]["labels"])


@pytest.mark.parametrize("namespaces", [[], ["search"]])
def test_the_operator_has_no_rights_of_a_driver(namespaces: list[str]) -> None:
    """Spark adds only rights for queues."""
    served: Object = {"watchNamespaces": namespaces}
    kind = "Role" if namespaces else "ClusterRole"
    before, after = (rights(SERVED, render(values).one(kind, RELEASE)) for values in (served, {**served, **WITH_SPARK}))
    added = rights(CLUSTER, render({**served, **WITH_SPARK}).one("ClusterRole", QUEUES))
    assert after - before | added == OF_QUEUES
    assert before <= after


@pytest.mark.parametrize("role", ["viewer", "editor", "event-sender"])
def test_user_roles_are_the_documented_ones(role: str) -> None:
    rendered = render().one("ClusterRole", f"{RELEASE}-{role}")
    text = (REPOSITORY / "docs" / "how-to" / "install.md").read_text()
    row = re.search(rf"^\| `clustertrigger-{role}` \| ([`a-z/ ]+) \| ([a-z ]+) \| ([a-z ]+) \|$", text, re.MULTILINE)
    assert row, f"docs/how-to/install.md has no row for clustertrigger-{role}"
    resources = re.findall(r"`([^`]+)`", row[1])
    expected = {("", "clustertrigger.dev", resource, "", verb) for resource in resources for verb in row[2].split()}
    assert rights("", rendered) == expected
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    added_to = [label.removeprefix(prefix) for label in rendered["metadata"]["labels"] if label.startswith(prefix)]
    assert sorted(added_to) == sorted(row[3].split())
