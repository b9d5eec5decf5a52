"""Tests that apply to every object, for all values."""

from __future__ import annotations

import re

import pytest

from harness.helm import find_helm
from tests.charts.objects import NAMESPACE, RELEASE, VALUES_FILES, Object, parse, render, values_of

CLUSTER_SCOPED = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "ValidatingWebhookConfiguration"}

ALWAYS = {"Deployment": 1, "Service": 1, "ServiceAccount": 1}
CLUSTER_WIDE = {"ClusterRole": 3, "ClusterRoleBinding": 1, "CustomResourceDefinition": 4}
WITH_EVENTS = {"ClusterRole": 5, "ClusterRoleBinding": 2}
REPLICATED = {"PodDisruptionBudget": 1, "Role": 1, "RoleBinding": 1}
DEFAULT = {**ALWAYS, **CLUSTER_WIDE, **REPLICATED, **WITH_EVENTS}

KINDS = {
    "default": DEFAULT,
    "events-values": {**DEFAULT, "Ingress": 1},
    "api-values": {
        **{kind: DEFAULT[kind] + 1 for kind in ("Deployment", "Service", "ServiceAccount", "PodDisruptionBudget")},
        **{kind: DEFAULT[kind] + 1 for kind in ("ClusterRole", "ClusterRoleBinding")},
        **{kind: DEFAULT[kind] for kind in ("CustomResourceDefinition", "Role", "RoleBinding")},
        "NetworkPolicy": 2,
        "Ingress": 1,
        "HTTPRoute": 1,
    },
    "monitoring-values": {**DEFAULT, "ServiceMonitor": 1, "PrometheusRule": 1, "ConfigMap": 1, "NetworkPolicy": 1},
    "notify-values": {**DEFAULT, "NetworkPolicy": 1},
    "spark-values": {
        **DEFAULT,
        "ClusterRole": DEFAULT["ClusterRole"] + 2,
        "ClusterRoleBinding": DEFAULT["ClusterRoleBinding"] + 1,
    },
    "webhook-values": {
        **DEFAULT,
        "Secret": 1,
        "ValidatingWebhookConfiguration": 1,
        "ConfigMap": 1,
        "NetworkPolicy": 1,
    },
    "cert-manager-values": {**DEFAULT, "Certificate": 1, "ValidatingWebhookConfiguration": 1},
    "single-values": {**ALWAYS, **CLUSTER_WIDE},
    "namespaced-values": {**ALWAYS, "PodDisruptionBudget": 1, "Role": 3, "RoleBinding": 3},
}


def test_every_values_file_has_its_expectation() -> None:
    assert set(KINDS) == set(VALUES_FILES)


@pytest.mark.parametrize("values_file", VALUES_FILES)
def test_kinds(values_file: str) -> None:
    kinds = [one["kind"] for one in render(values_of(values_file))]
    assert {kind: kinds.count(kind) for kind in kinds} == KINDS[values_file]


@pytest.mark.parametrize("values_file", VALUES_FILES)
def test_no_object_is_rendered_twice(values_file: str) -> None:
    identities = [identity(one) for one in render(values_of(values_file))]
    assert len(identities) == len(set(identities))


@pytest.mark.parametrize("values_file", VALUES_FILES)
def test_namespaces_and_labels(values_file: str) -> None:
    values = values_of(values_file)
    for one in render(values):
        assert ("namespace" in one["metadata"]) == (one["kind"] not in CLUSTER_SCOPED), identity(one)
        assert one["metadata"].get("namespace", NAMESPACE) in {NAMESPACE, *values.get("watchNamespaces", [])}
        if one["kind"] != "CustomResourceDefinition":
            labels = one["metadata"]["labels"]
            suffix = "-api" if labels["app.kubernetes.io/component"] == "api" else ""
            assert labels["app.kubernetes.io/name"] == f"clustertrigger{suffix}"
            assert labels["app.kubernetes.io/instance"] == RELEASE
            assert labels["app.kubernetes.io/managed-by"] == "Helm"


def test_rendering_is_deterministic_except_certificates() -> None:
    helm = find_helm(namespace=NAMESPACE)
    for values_file in VALUES_FILES:
        values = values_of(values_file)
        first, second = helm.render(RELEASE, values), helm.render(RELEASE, values)
        if values_file == "webhook-values":
            assert first != second
            certificates = re.compile(r"(caBundle|ca\.crt|tls\.crt|tls\.key): \S+")
            first, second = certificates.sub("", first), certificates.sub("", second)
        assert first == second, values_file


@pytest.mark.parametrize(
    ("release", "values", "expected"),
    [
        ("clustertrigger", {}, "clustertrigger"),
        ("search", {}, "search-clustertrigger"),
        ("my-clustertrigger-2", {}, "my-clustertrigger-2"),
        ("search", {"nameOverride": "ct"}, "search-ct"),
        ("search", {"fullnameOverride": "ct"}, "ct"),
        ("a" * 53, {}, "a" * 47),
    ],
)
def test_names(release: str, values: Object, expected: str) -> None:
    rendered = render({**values, "webhook": {"enabled": True}}, name=release)
    assert rendered.one("Deployment")["metadata"]["name"] == expected
    for one in rendered:
        name = one["metadata"]["name"]
        assert one["kind"] == "CustomResourceDefinition" or (name.startswith(expected) and len(name) <= 63)


@pytest.mark.parametrize("values_file", VALUES_FILES)
def test_selectors_find_the_pods(values_file: str) -> None:
    rendered = render(values_of(values_file))
    for deployment in rendered.all("Deployment"):
        name, labels = deployment["metadata"]["name"], deployment["spec"]["template"]["metadata"]["labels"].items()
        selectors = [
            deployment["spec"]["selector"]["matchLabels"],
            rendered.one("Service", name)["spec"]["selector"],
            *(
                budget["spec"]["selector"]["matchLabels"]
                for budget in rendered.all("PodDisruptionBudget")
                if budget["metadata"]["name"] == name
            ),
        ]
        for selector in selectors:
            assert selector.items() <= labels


def test_every_document_is_an_object() -> None:
    manifest = find_helm(namespace=NAMESPACE).render(RELEASE, values_of("namespaced-values"))
    assert all({"apiVersion", "kind", "metadata"} <= one.keys() for one in parse(manifest))


def identity(one: Object) -> tuple[str, str | None, str]:
    return one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]
