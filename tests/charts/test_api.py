"""The HTTP API in the chart: its Pods, its Service, and how little it may do."""

from __future__ import annotations

import pytest

from clustertrigger.rest.settings import PREFIX, Settings, read_settings
from tests.charts.objects import NAMESPACE, Object, Rendered, render

NAME = "clustertrigger-api"
OTHER = {
    "api": {
        "enabled": True,
        "port": 9082,
        "service": {"port": 443, "annotations": {"example.com/team": "search"}},
        "tls": {"secretName": "clustertrigger-api"},
        "overrideGitOps": True,
        "rateLimit": {"requestsPerSecond": 2.5, "burst": 10},
    },
    "networkPolicy": {"enabled": True, "apiFrom": [{"podSelector": {"matchLabels": {"app": "portal"}}}]},
}
NOT_FROM_THE_CHART = {
    "host",
    "server",
    "server_ca",
    "token_file",
    "largest_body",
    "sending_seconds",
    "answering_seconds",
    "connections",
}


def enabled(**values: object) -> Rendered:
    return render({"api": {"enabled": True, **values}})


def pod(rendered: Rendered) -> Object:
    template: Object = rendered.one("Deployment", NAME)["spec"]["template"]
    return template


def settings_of(rendered: Rendered, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    (container,) = pod(rendered)["spec"]["containers"]
    for variable in container["env"]:
        monkeypatch.setenv(variable["name"], variable["value"])
    return read_settings()


def test_off_by_default() -> None:
    assert not [found for found in render() if found["metadata"]["name"] == NAME]


def test_it_reads_what_the_chart_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = enabled()
    names = {variable["name"] for variable in pod(rendered)["spec"]["containers"][0]["env"]}
    assert names == {PREFIX + field.upper() for field in Settings.model_fields.keys() - NOT_FROM_THE_CHART}
    settings = settings_of(rendered, monkeypatch)
    own = {name: field.default for name, field in Settings.model_fields.items()}
    assert {name for name in own if getattr(settings, name) != own[name]} == set()


def test_other_values(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = render(OTHER)
    settings = settings_of(rendered, monkeypatch)
    assert (settings.port, str(settings.cert_dir), settings.override_gitops) == (9082, "/etc/clustertrigger/api", True)
    assert (settings.requests_per_second, settings.burst) == (2.5, 10)
    (container,) = pod(rendered)["spec"]["containers"]
    assert {container[probe]["httpGet"]["scheme"] for probe in container if probe.endswith("Probe")} == {"HTTPS"}
    service = rendered.one("Service", NAME)
    assert service["metadata"]["annotations"] == {"example.com/team": "search"}
    assert service["spec"]["ports"] == [
        {"name": "api", "protocol": "TCP", "appProtocol": "https", "port": 443, "targetPort": "api"}
    ]
    policy = rendered.one("NetworkPolicy", NAME)["spec"]
    assert policy["ingress"] == [
        {
            "ports": [{"protocol": "TCP", "port": "api"}],
            "from": [{"podSelector": {"matchLabels": {"app": "portal"}}}],
        }
    ]


def test_what_selects_it_and_what_does_not() -> None:
    rendered = render({"api": {"enabled": True}, "networkPolicy": {"enabled": True}})
    labels = pod(rendered)["metadata"]["labels"]
    assert labels["app.kubernetes.io/component"] == "api"
    assert labels["app.kubernetes.io/part-of"] == "clustertrigger"
    operators = rendered.pod["metadata"]["labels"]
    for kind, path in (
        ("Service", ("selector",)),
        ("Deployment", ("selector", "matchLabels")),
        ("PodDisruptionBudget", ("selector", "matchLabels")),
        ("NetworkPolicy", ("podSelector", "matchLabels")),
    ):
        for found in rendered.all(kind):
            selector = found["spec"]
            for step in path:
                selector = selector[step]
            assert (selector.items() <= labels.items()) == (found["metadata"]["name"] == NAME), kind
            assert (selector.items() <= operators.items()) == (found["metadata"]["name"] != NAME), kind


def test_it_may_read_one_namespace_and_nothing_else() -> None:
    rendered = enabled()
    rights = rendered.one("ClusterRole", NAME)["rules"]
    assert rights == [
        {"apiGroups": [""], "resources": ["namespaces"], "resourceNames": ["kube-system"], "verbs": ["get"]}
    ]
    account = pod(rendered)["spec"]["serviceAccountName"]
    bound = [
        binding["metadata"]["name"]
        for kind in ("ClusterRoleBinding", "RoleBinding")
        for binding in rendered.all(kind)
        if {"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE} in binding["subjects"]
    ]
    assert bound == [NAME]
    within = render({"api": {"enabled": True}, "watchNamespaces": ["search"]})
    assert not [role for role in within.all("ClusterRole") if role["metadata"]["name"] == NAME]


def test_its_pods_are_restricted() -> None:
    spec = pod(enabled())["spec"]
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
