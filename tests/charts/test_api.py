"""Tests of the HTTP API in the chart: its Pods, its Service, and its minimal rights."""

from __future__ import annotations

import pytest

from clustertrigger.rest.settings import PREFIX, Settings, read_settings
from harness.helm import HelmError
from tests.charts.objects import NAMESPACE, Object, Rendered, render, values_of

NAME = "clustertrigger-api"
OTHER = values_of("api-values")
NOT_FROM_THE_CHART = {
    "host",
    "server",
    "server_ca",
    "token_file",
    "largest_body",
    "sending_seconds",
    "answering_seconds",
    "certificate_seconds",
    "rights_seconds",
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
    assert {name for name in own if getattr(settings, name) != own[name]} == {"worker_image"}
    assert settings.worker_image.startswith("clustertrigger/worker:")


def test_other_values(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = render(OTHER)
    settings = settings_of(rendered, monkeypatch)
    assert (settings.port, str(settings.cert_dir), settings.override_gitops) == (9082, "/etc/clustertrigger/api", True)
    assert (settings.requests_per_second, settings.burst) == (2.5, 10)
    (container,) = pod(rendered)["spec"]["containers"]
    assert {container[probe]["httpGet"]["scheme"] for probe in container if probe.endswith("Probe")} == {"HTTPS"}
    service = rendered.one("Service", NAME)
    assert service["metadata"]["annotations"] == {"example.com/team": "search"}
    assert service["spec"]["sessionAffinity"] == "None"
    assert enabled().one("Service", NAME)["spec"]["sessionAffinity"] == "ClientIP"
    assert service["spec"]["ports"] == [
        {"name": "api", "protocol": "TCP", "appProtocol": "https", "port": 443, "targetPort": "api"}
    ]
    policy = rendered.one("NetworkPolicy", NAME)["spec"]
    assert policy["ingress"] == [
        {
            "ports": [{"protocol": "TCP", "port": "api"}],
            "from": [{"namespaceSelector": {"matchLabels": {"team": "portal"}}}],
        }
    ]


def test_which_selectors_match_its_pods() -> None:
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


WATCHES = {
    "apiGroups": ["clustertrigger.dev"],
    "resources": ["clustertriggers", "clusterdefinitions"],
    "verbs": ["list", "watch"],
}


def bindings(rendered: Rendered) -> list[tuple[str, str | None]]:
    account = pod(rendered)["spec"]["serviceAccountName"]
    return [
        (binding["metadata"]["name"], binding["metadata"].get("namespace"))
        for kind in ("ClusterRoleBinding", "RoleBinding")
        for binding in rendered.all(kind)
        if {"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE} in binding["subjects"]
    ]


def test_it_can_only_watch_triggers() -> None:
    rendered = enabled()
    assert rendered.one("ClusterRole", NAME)["rules"] == [
        WATCHES,
        {"apiGroups": [""], "resources": ["namespaces"], "resourceNames": ["kube-system"], "verbs": ["get"]},
    ]
    assert bindings(rendered) == [(NAME, None)]


def test_it_can_only_watch_chosen_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = render({"api": {"enabled": True}, "watchNamespaces": ["search", "ads"]})
    assert not [role for role in rendered.all("ClusterRole") if role["metadata"]["name"] == NAME]
    roles = [role for role in rendered.all("Role") if role["metadata"]["name"] == NAME]
    assert {role["metadata"]["namespace"]: role["rules"] for role in roles} == {"search": [WATCHES], "ads": [WATCHES]}
    assert bindings(rendered) == [(NAME, "search"), (NAME, "ads")]
    assert settings_of(rendered, monkeypatch).namespaces == ["search", "ads"]


def test_no_rights_if_rbac_is_disabled() -> None:
    rendered = render({"api": {"enabled": True}, "rbac": {"create": False}})
    assert bindings(rendered) == []


def test_its_pods_are_spread() -> None:
    spread = {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}
    rendered = render({"api": {"enabled": True, "replicas": 3}, "topologySpreadConstraints": [spread]})
    own = pod(rendered)
    (constraint,) = own["spec"]["topologySpreadConstraints"]
    assert {**spread, "labelSelector": constraint["labelSelector"]} == constraint
    assert constraint["labelSelector"]["matchLabels"].items() <= own["metadata"]["labels"].items()
    budget = rendered.one("PodDisruptionBudget", NAME)["spec"]
    assert budget["maxUnavailable"] == 1
    (term,) = own["spec"]["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert term["podAffinityTerm"]["labelSelector"]["matchLabels"] == budget["selector"]["matchLabels"]
    alone = render({"api": {"enabled": True, "replicas": 1}})
    assert not [found for found in alone.all("PodDisruptionBudget") if found["metadata"]["name"] == NAME]


def test_its_pods_are_restricted() -> None:
    spec = pod(enabled())["spec"]
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_ingress_and_route_lead_to_the_service() -> None:
    rendered = render(OTHER)
    service = rendered.one("Service", NAME)
    (port,) = service["spec"]["ports"]
    ingress = rendered.one("Ingress", NAME)
    assert ingress["metadata"]["annotations"] == {"nginx.ingress.kubernetes.io/backend-protocol": "HTTPS"}
    assert ingress["spec"]["ingressClassName"] == "nginx"
    assert ingress["spec"]["tls"] == [{"secretName": "triggers-example-com", "hosts": ["triggers.example.com"]}]
    (rule,) = ingress["spec"]["rules"]
    assert rule["host"] == "triggers.example.com"
    (path,) = rule["http"]["paths"]
    assert path["backend"]["service"] == {"name": NAME, "port": {"name": port["name"]}}
    assert (path["path"], path["pathType"]) == ("/", "Prefix")
    route = rendered.one("HTTPRoute", NAME)
    assert route["apiVersion"] == "gateway.networking.k8s.io/v1"
    assert route["spec"] == {
        "parentRefs": [{"name": "public", "namespace": "gateways", "sectionName": "https"}],
        "hostnames": ["triggers.example.com"],
        "rules": [{"backendRefs": [{"name": NAME, "port": port["port"]}]}],
    }


def test_no_ingress_and_no_route_by_default() -> None:
    rendered = enabled()
    assert not rendered.all("Ingress")
    assert not rendered.all("HTTPRoute")


@pytest.mark.parametrize("values", [{}, {"host": "*.example.com", "tlsSecretName": "tls"}])
def test_a_minimal_ingress(values: Object) -> None:
    spec = enabled(ingress={"enabled": True, **values}).one("Ingress", NAME)["spec"]
    assert spec["rules"][0].get("host") == values.get("host")
    expected = [{"secretName": "tls", "hosts": ["*.example.com"]}] if values else None
    assert spec.get("tls") == expected


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"ingress": {"enabled": True}}, "api.ingress.enabled is true and api.enabled is false"),
        ({"httpRoute": {"enabled": True}}, "api.httpRoute.enabled is true and api.enabled is false"),
        ({"enabled": True, "httpRoute": {"enabled": True}}, "api.httpRoute.parentRefs is empty"),
        ({"httpRoute": {"parentRefs": [{"namespace": "x"}]}}, "at '/api/httpRoute/parentRefs/0'"),
        ({"ingress": {"host": "https://triggers"}}, "at '/api/ingress/host'"),
        ({"service": {"sessionAffinity": "Cookie"}}, "at '/api/service/sessionAffinity'"),
    ],
)
def test_invalid_values(values: Object, named: str) -> None:
    with pytest.raises(HelmError) as refusal:
        render({"api": values})
    assert named in str(refusal.value)
