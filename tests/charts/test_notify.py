"""Tests of notifications: the operator's settings, and the credentials that are mounted for them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clustertrigger.core.notifications.addresses import why_blocked
from clustertrigger.shell.settings import PREFIX, Settings
from harness.helm import HelmError
from tests.charts.objects import Object, Rendered, render, values_of

CI: Object = {"name": "ci", "secretName": "ci-webhook", "namespaces": ["search"], "hosts": ["ci.example.com"]}


def settings_of(rendered: Rendered, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in rendered.environment.items():
        if name.startswith(f"{PREFIX}NOTIFY") and name != f"{PREFIX}NOTIFY_CA_FILE":
            monkeypatch.setenv(name, value)
    return Settings(worker_image="worker:1")


def volume(rendered: Rendered, name: str) -> Any:
    return next((one for one in rendered.pod["spec"]["volumes"] if one["name"] == name), None)


def test_by_default_public_receivers_over_https(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = render()
    permissions = settings_of(rendered, monkeypatch).notifications
    assert (permissions.enabled, permissions.plain_http, permissions.credentials) == (True, False, {})
    assert why_blocked("a", "10.0.0.1", permissions.allowed)
    assert volume(rendered, "notify-credentials") is volume(rendered, "notify-ca") is None


def test_the_operator_reads_what_the_chart_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = render(values_of("notify-values"))
    permissions = settings_of(rendered, monkeypatch).notifications
    assert permissions.plain_http
    for host, address, is_reached in (
        ("any.example.com", "10.20.0.7", True),
        ("any.example.com", "10.21.0.7", False),
        ("any.example.com", "fd00:20::7", True),
        ("hooks.tools.svc.cluster.local", "10.96.0.7", True),
    ):
        assert (why_blocked(host, address, permissions.allowed) is None) == is_reached, host
    assert permissions.credentials["ci"].namespaces == ("search", "ads")
    assert permissions.credentials["ci"].hosts == ("ci.example.com", "hooks.tools.svc.cluster.local")
    assert rendered.environment["CLUSTERTRIGGER_NOTIFY_CA_FILE"] == "/etc/clustertrigger/notify-ca/ca.crt"
    assert volume(rendered, "notify-ca")["configMap"]["name"] == "internal-ca"


def test_credentials_are_mounted_by_name_and_are_optional() -> None:
    rendered = render(values_of("notify-values"))
    first, second = volume(rendered, "notify-credentials")["projected"]["sources"]
    assert first["secret"] == {
        "name": "ci-webhook",
        "optional": True,
        "items": [
            {"key": "token", "path": "ci/token"},
            {"key": "signing-key", "path": "ci/signing-key"},
        ],
    }
    assert second["secret"]["name"] == "chat-webhook"
    mounts = {mount["name"]: mount for mount in rendered.container["volumeMounts"]}
    assert mounts["notify-credentials"]["mountPath"] == rendered.environment["CLUSTERTRIGGER_NOTIFY_CREDENTIALS_DIR"]
    assert mounts["notify-credentials"]["readOnly"] is True
    assert "ci-webhook" not in json.dumps(rendered.environment)


@pytest.mark.parametrize(
    ("notify", "says"),
    [
        ({"credentials": [CI, CI]}, 'notify.credentials has two entries named "ci"'),
        ({"credentials": [{**CI, "hosts": []}]}, "hosts"),
        ({"credentials": [{**CI, "namespaces": ["Search"]}]}, "namespaces"),
        ({"credentials": [{"name": "ci"}]}, "secretName"),
        ({"allowedNetworks": ["inside"]}, "allowedNetworks"),
        ({"allowHttps": True}, "allowHttps"),
    ],
)
def test_rejected_values(notify: Object, says: str) -> None:
    with pytest.raises(HelmError, match=says):
        render({"notify": notify})
