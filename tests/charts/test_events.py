"""Tests of how events reach the operator: port, certificate, Ingress."""

from __future__ import annotations

import pytest

from clustertrigger.shell.events.endpoint import PATH
from tests.charts.objects import NAMESPACE, Object, Rendered, render, values_of

DIRECTORY = "/etc/clustertrigger/events"
OPEN: Object = {"ingress": {"enabled": True}}


def service_port(rendered: Rendered) -> Object:
    (port,) = [port for port in rendered.one("Service")["spec"]["ports"] if port["name"] == "events"]
    found: Object = port
    return found


def container_port(rendered: Rendered) -> int:
    (port,) = [port["containerPort"] for port in rendered.container["ports"] if port["name"] == "events"]
    return int(port)


def test_http_within_the_cluster_by_default() -> None:
    rendered = render()
    assert service_port(rendered) == {
        "name": "events",
        "protocol": "TCP",
        "appProtocol": "http",
        "port": 8081,
        "targetPort": "events",
    }
    assert container_port(rendered) == 8081
    assert rendered.environment["CLUSTERTRIGGER_EVENTS_PORT"] == "8081"
    assert rendered.environment["CLUSTERTRIGGER_EVENTS_CERT_DIR"] == ""
    assert not rendered.all("Ingress")


def test_trusted_proxies() -> None:
    assert render().environment["CLUSTERTRIGGER_EVENTS_TRUSTED_PROXIES"] == ""
    rendered = render({"events": {"trustedProxies": ["10.244.0.0/16", "fd00::/8"]}})
    assert rendered.environment["CLUSTERTRIGGER_EVENTS_TRUSTED_PROXIES"] == "10.244.0.0/16,fd00::/8"


def test_off() -> None:
    rendered = render({"events": {"enabled": False, "tls": {"secretName": "tls"}}})
    assert rendered.environment["CLUSTERTRIGGER_EVENTS_PORT"] == "0"
    assert rendered.environment["CLUSTERTRIGGER_EVENTS_CERT_DIR"] == ""
    assert [port["name"] for port in rendered.container["ports"]] == ["http"]
    assert [port["name"] for port in rendered.one("Service")["spec"]["ports"]] == ["http"]
    assert [volume["name"] for volume in rendered.pod["spec"]["volumes"]] == ["tmp"]


def test_ports_chosen_by_the_user() -> None:
    rendered = render({"events": {"port": 9081, "servicePort": 80}})
    assert (container_port(rendered), service_port(rendered)["port"]) == (9081, 80)
    assert rendered.environment["CLUSTERTRIGGER_EVENTS_PORT"] == "9081"


def test_the_operator_finds_the_certificate() -> None:
    rendered = render({"events": {"tls": {"secretName": "tls"}}})
    (mount,) = [mount for mount in rendered.container["volumeMounts"] if mount["name"] == "events-certificate"]
    (volume,) = [volume for volume in rendered.pod["spec"]["volumes"] if volume["name"] == "events-certificate"]
    assert mount == {"name": "events-certificate", "mountPath": DIRECTORY, "readOnly": True}
    assert volume["secret"] == {"secretName": "tls", "defaultMode": 0o440}
    assert rendered.environment["CLUSTERTRIGGER_EVENTS_CERT_DIR"] == DIRECTORY
    assert service_port(rendered)["appProtocol"] == "https"


def test_certificates_for_events_and_webhook_are_independent() -> None:
    rendered = render({"events": {"tls": {"secretName": "tls"}}, "webhook": {"enabled": True}})
    volumes = {volume["name"]: volume for volume in rendered.pod["spec"]["volumes"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in rendered.container["volumeMounts"]}
    assert volumes.keys() == mounts.keys() == {"tmp", "events-certificate", "webhook-certificate"}
    assert len(set(mounts.values())) == 3


def test_ingress() -> None:
    ingress = render(values_of("events-values")).one("Ingress")
    assert ingress["metadata"]["namespace"] == NAMESPACE
    assert ingress["metadata"]["annotations"] == {"nginx.ingress.kubernetes.io/backend-protocol": "HTTPS"}
    spec = ingress["spec"]
    assert spec["ingressClassName"] == "nginx"
    assert spec["tls"] == [{"secretName": "events-example-com", "hosts": ["events.example.com"]}]
    assert [rule["host"] for rule in spec["rules"]] == ["events.example.com"]


def test_ingress_routes_only_to_events() -> None:
    rendered = render({"events": OPEN})
    spec = rendered.one("Ingress")["spec"]
    (rule,) = spec["rules"]
    (path,) = rule["http"]["paths"]
    assert path["backend"]["service"] == {
        "name": rendered.one("Service")["metadata"]["name"],
        "port": {"name": service_port(rendered)["name"]},
    }
    # What is served there lies below the path, by whole parts, as Prefix wants it.
    assert path["pathType"] == "Prefix"
    assert PATH.startswith(path["path"] + "/")
    assert spec.keys() == {"rules"}
    assert "host" not in rule


@pytest.mark.parametrize(("values", "hosts"), [({"host": ""}, None), ({"host": "*.example.com"}, ["*.example.com"])])
def test_ingress_with_tls(values: Object, hosts: list[str] | None) -> None:
    rendered = render({"events": {"ingress": {"enabled": True, "tlsSecretName": "tls", **values}}})
    (tls,) = rendered.one("Ingress")["spec"]["tls"]
    assert (tls["secretName"], tls.get("hosts")) == ("tls", hosts)


def test_the_service_can_be_found_by_its_labels() -> None:
    """The Service is found as `kubectl clustertrigger send` finds it."""
    labels = render(name="any", values={"nameOverride": "other"}).one("Service")["metadata"]["labels"]
    assert labels["app.kubernetes.io/part-of"] == "clustertrigger"
    assert labels["app.kubernetes.io/component"] == "operator"
