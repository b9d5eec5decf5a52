"""Tests of the operator's settings, as the chart writes them into the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_network
from pathlib import Path

import pytest

from clustertrigger.core.environment import SettingsError
from clustertrigger.core.notifications.permissions import Credentials
from clustertrigger.shell.settings import PREFIX, Settings, read_settings
from harness.cluster.debian.certificates import Authority

CI = '[{"name": "ci", "namespaces": ["search", "ads"], "hosts": ["CI.example.com"]}]'


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    def from_environment(**settings: str) -> Settings:
        environment: Mapping[str, str] = {
            f"{PREFIX}{name.upper()}": value for name, value in {"worker_image": "worker:1", **settings}.items()
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return read_settings(environment)

    return from_environment


def test_by_default_notifications_go_to_public_addresses_over_https(read: Callable[..., Settings]) -> None:
    found = read(notify_credentials="[]", notify_allowed_networks="", notify_allowed_hosts="", notify_ca_file="")
    permissions = found.notifications
    assert (permissions.enabled, permissions.plain_http, permissions.credentials) == (True, False, {})
    assert (permissions.allowed.networks, permissions.allowed.hosts, found.notify_ca_file) == ((), frozenset(), None)


def test_what_the_chart_allows(read: Callable[..., Settings], tmp_path: Path) -> None:
    authority = Authority(tmp_path).certificate
    found = read(
        notify_enabled="false",
        notify_allow_http="true",
        notify_allowed_networks="10.20.0.0/16, fd00::/64",
        notify_allowed_hosts="Hooks.tools.svc,b.example.com",
        notify_credentials=CI,
        notify_ca_file=str(authority),
    )
    permissions = found.notifications
    assert (permissions.enabled, permissions.plain_http) == (False, True)
    assert permissions.allowed.networks == (ip_network("10.20.0.0/16"), ip_network("fd00::/64"))
    assert permissions.allowed.hosts == {"hooks.tools.svc", "b.example.com"}
    assert permissions.credentials == {"ci": Credentials(namespaces=("search", "ads"), hosts=("ci.example.com",))}
    assert found.notify_ca_file == authority


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        (
            "notify_allowed_networks",
            "10.0.0.1/8",
            "10.0.0.1/8 has host bits set: write networks as 10.0.0.0/8,fd00::/8",
        ),
        ("notify_credentials", "ci", 'write JSON such as [{"name": "ci"'),
        ("notify_credentials", '[{"name": "ci", "namespaces": [], "hosts": ["a"]}]', "at least 1 item"),
        ("notify_credentials", '[{"name": "ci", "namespaces": ["a"], "hosts": ["a"], "secret": "x"}]', "Extra inputs"),
        ("notify_ca_file", "/dev/null", "mount a file with PEM certificates there, or leave it empty"),
        ("notify_enabled", "perhaps", "boolean"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(
    read: Callable[..., Settings], name: str, value: str, says: str
) -> None:
    with pytest.raises(SettingsError) as error:
        read(**{name: value})
    assert f"{PREFIX}{name.upper()} is {value!r}: " in str(error.value)
    assert says in str(error.value)
