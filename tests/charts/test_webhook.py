"""Tests that the paths, names and certificates of the admission webhook match."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path

import kopf
import pytest

from clustertrigger import handlers
from clustertrigger.core.notifications.permissions import Permissions
from clustertrigger.core.resources.catalog import Catalog
from clustertrigger.core.resources.permitted import NOTHING
from tests.charts.objects import NAMESPACE, RELEASE, Object, Rendered, render, values_of

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def webhooks(rendered: Rendered) -> list[Object]:
    found: list[Object] = rendered.one("ValidatingWebhookConfiguration")["webhooks"]
    return found


def test_off_by_default() -> None:
    rendered = render()
    assert not rendered.all("ValidatingWebhookConfiguration")
    assert not rendered.all("Secret")
    assert [volume["name"] for volume in rendered.pod["spec"]["volumes"]] == ["tmp"]


def test_each_handler_of_the_operator_is_called_at_its_path() -> None:
    registry = kopf.OperatorRegistry()
    handlers.register_webhooks(registry, Catalog(), NOTHING, Permissions(), created=lambda *_: None)
    registered = {
        (f"/{handler.id}", handler.selector.any_name)
        for handler in registry._webhooks.get_all_handlers()  # Kopf has no public attribute for it
        if handler.selector
    }
    configured = {
        (webhook["clientConfig"]["service"]["path"], webhook["rules"][0]["resources"][0])
        for webhook in webhooks(render(values_of("webhook-values")))
    }
    assert configured == registered


def test_configuration() -> None:
    rendered = render(values_of("webhook-values"))
    service = rendered.one("Service")
    (port,) = [port["port"] for port in service["spec"]["ports"] if port["name"] == "webhook"]
    for webhook in webhooks(rendered):
        called = webhook["clientConfig"]["service"]
        assert (called["name"], called["namespace"], called["port"]) == (service["metadata"]["name"], NAMESPACE, port)
        assert webhook["rules"] == [
            {
                "apiGroups": ["clustertrigger.dev"],
                "apiVersions": ["v1alpha1"],
                "resources": webhook["rules"][0]["resources"],
                "operations": ["CREATE", "UPDATE"],
                "scope": "Namespaced",
            }
        ]
        assert (webhook["failurePolicy"], webhook["timeoutSeconds"]) == ("Fail", 3)
        # The operator remembers who created a trigger, but not from a dry run.
        assert webhook["sideEffects"] == "NoneOnDryRun"
        assert webhook["name"].count(".") >= 2


def test_failures_are_ignored_unless_asked_for() -> None:
    assert {webhook["failurePolicy"] for webhook in webhooks(render({"webhook": {"enabled": True}}))} == {"Ignore"}


@pytest.mark.parametrize(("namespaces", "expected"), [([], [None]), (["search"], [["search"]])])
def test_only_served_namespaces_are_checked(namespaces: list[str], expected: list[list[str] | None]) -> None:
    for webhook in webhooks(render({"webhook": {"enabled": True}, "watchNamespaces": namespaces})):
        expressions = webhook.get("namespaceSelector", {}).get("matchExpressions", [{}])
        assert [expression.get("values") for expression in expressions] == expected


def test_the_api_server_trusts_the_certificate_that_helm_signs(tmp_path: Path) -> None:
    """A TLS handshake as between API server and operator, in memory."""
    rendered = render(values_of("webhook-values"))
    data = {name: base64.b64decode(text) for name, text in rendered.one("Secret")["data"].items()}
    bundles = {base64.b64decode(webhook["clientConfig"]["caBundle"]) for webhook in webhooks(rendered)}
    assert bundles == {data["ca.crt"]}
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_bytes(data[name])
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    client = ssl.create_default_context(cadata=data["ca.crt"].decode())
    shake_hands(client, server, f"{RELEASE}.{NAMESPACE}.svc")
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(client, server, f"{RELEASE}.elsewhere.svc")


@pytest.mark.parametrize("values_file", ["webhook-values", "cert-manager-values"])
def test_the_operator_finds_the_certificate(values_file: str) -> None:
    rendered = render(values_of(values_file))
    (mount,) = [mount for mount in rendered.container["volumeMounts"] if mount["name"] == "webhook-certificate"]
    (volume,) = [volume for volume in rendered.pod["spec"]["volumes"] if volume["name"] == "webhook-certificate"]
    assert rendered.environment["CLUSTERTRIGGER_WEBHOOK_CERT_DIR"] == mount["mountPath"]
    assert volume["secret"] == {"secretName": f"{RELEASE}-webhook", "defaultMode": 0o440}
    made = [one["metadata"]["name"] for one in rendered.all("Secret")]
    ordered = [one["spec"]["secretName"] for one in rendered.all("Certificate")]
    assert made + ordered == [volume["secret"]["secretName"]]


def test_cert_manager() -> None:
    rendered = render(values_of("cert-manager-values"))
    certificate = rendered.one("Certificate")
    assert f"{RELEASE}.{NAMESPACE}.svc" in certificate["spec"]["dnsNames"]
    assert certificate["spec"]["issuerRef"] == {"name": "internal-ca", "kind": "ClusterIssuer"}
    annotations = rendered.one("ValidatingWebhookConfiguration")["metadata"]["annotations"]
    assert annotations == {"cert-manager.io/inject-ca-from": f"{NAMESPACE}/{certificate['metadata']['name']}"}
    assert not any("caBundle" in webhook["clientConfig"] for webhook in webhooks(rendered))


def test_cert_manager_without_an_issuer_gets_one() -> None:
    rendered = render({"webhook": {"enabled": True, "certificate": {"certManager": {"enabled": True}}}})
    issuer = rendered.one("Issuer")
    assert rendered.one("Certificate")["spec"]["issuerRef"] == {"name": issuer["metadata"]["name"], "kind": "Issuer"}


def test_a_certificate_of_the_user() -> None:
    certificate = {"existingSecret": "corporate", "caBundle": PEM}
    rendered = render({"webhook": {"enabled": True, "certificate": certificate}})
    assert not rendered.all("Secret")
    assert rendered.pod["spec"]["volumes"][1]["secret"]["secretName"] == "corporate"
    assert {base64.b64decode(w["clientConfig"]["caBundle"]).decode() for w in webhooks(rendered)} == {PEM}


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(10):
        waiting = []
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                waiting.append(side)
        if not waiting:
            return
    raise AssertionError("the handshake does not end")
