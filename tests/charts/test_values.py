"""Tests that all values are documented, and that unknown values are rejected."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from harness.helm import CHART, HelmError
from tests.charts.objects import render

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
DEFAULTS: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
PEM = "-----BEGIN CERTIFICATE-----"


def leaves(schema: dict[str, Any], values: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any, str]]:
    """Path, default and description of each value that a user can set."""
    for name, default in values.items():
        field = schema["properties"][name]
        if "properties" in field and default:
            yield from leaves(field, default, f"{path}{name}.")
        else:
            yield f"{path}{name}", default, field["description"]


def test_the_schema_has_the_values_of_the_file() -> None:
    """A value without a schema would be a KeyError in `leaves`; this test checks the opposite direction."""

    def compare(schema: dict[str, Any], values: dict[str, Any], path: str) -> None:
        assert schema["additionalProperties"] is False, path
        beside = {"": {"global"}, ".resources": {"claims"}}.get(path, set())
        assert set(schema["properties"]) - beside == set(values), path
        for name, field in schema["properties"].items():
            assert field["description"], f"{path}.{name}"
            if "properties" in field and values[name]:
                compare(field, values[name], f"{path}.{name}")

    compare(SCHEMA, DEFAULTS, "")


def test_the_readme_lists_every_value() -> None:
    rows = re.findall(r"^\| `(\S+)` \| `(.*)` \| (.+) \|$", (CHART / "README.md").read_text(), re.MULTILINE)
    expected = [(path, json.dumps(value), description) for path, value, description in leaves(SCHEMA, DEFAULTS)]
    assert rows == expected


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"replica": 3}, "'replica' not allowed"),
        ({"image": {"operator": {"name": "x"}}}, "at '/image/operator': additional properties 'name' not allowed"),
        ({"webhook": {"certificate": {"selfSigned": True}}}, "at '/webhook/certificate'"),
        ({"replicas": "two"}, "at '/replicas'"),
        ({"replicas": -1}, "at '/replicas'"),
        ({"replicas": 1.5}, "at '/replicas'"),
        ({"log": {"level": "TRACE"}}, "at '/log/level'"),
        ({"log": {"format": "xml"}}, "at '/log/format'"),
        ({"image": {"worker": {"tag": "a b"}}}, "at '/image/worker/tag'"),
        ({"image": {"worker": {"digest": "9f86d0"}}}, "at '/image/worker/digest'"),
        ({"image": {"worker": {"pullPolicy": "Sometimes"}}}, "at '/image/worker/pullPolicy'"),
        ({"image": {"operator": {"repository": ""}}}, "at '/image/operator/repository'"),
        ({"worker": {"allowedPriorityClasses": ["High!"]}}, "at '/worker/allowedPriorityClasses/0'"),
        ({"watchNamespaces": ["Search"]}, "at '/watchNamespaces/0'"),
        ({"watchNamespaces": ["a", "a"]}, "at '/watchNamespaces'"),
        ({"watchNamespaces": "search"}, "at '/watchNamespaces'"),
        ({"results": {"uri": "/absolute"}}, "at '/results/uri'"),
        ({"results": {"uri": "gs://bucket"}}, "at '/results/uri'"),
        ({"results": {"uri": "s3://"}}, "at '/results/uri'"),
        ({"results": {"volume": ""}}, "at '/results/volume'"),
        ({"http": {"port": 80}}, "at '/http/port'"),
        ({"concurrency": 0}, "at '/concurrency'"),
        ({"webhook": {"failurePolicy": "ignore"}}, "at '/webhook/failurePolicy'"),
        ({"webhook": {"timeoutSeconds": 31}}, "at '/webhook/timeoutSeconds'"),
        ({"webhook": {"certificate": {"caBundle": "MIIB"}}}, "at '/webhook/certificate/caBundle'"),
        ({"metrics": {"serviceMonitor": {"interval": 30}}}, "at '/metrics/serviceMonitor/interval'"),
        ({"podDisruptionBudget": {"maxUnavailable": "half"}}, "at '/podDisruptionBudget/maxUnavailable'"),
        ({"podLabels": {"build": 7}}, "at '/podLabels/build'"),
        ({"crds": {"install": "yes"}}, "at '/crds/install'"),
        ({"events": {"port": 443}}, "at '/events/port'"),
        ({"events": {"tls": {"secretName": "TLS"}}}, "at '/events/tls/secretName'"),
        ({"events": {"ingress": {"host": "https://events"}}}, "at '/events/ingress/host'"),
        ({"events": {"ingress": {"hosts": []}}}, "additional properties 'hosts' not allowed"),
    ],
)
def test_the_schema_refuses_wrong_values_by_name(values: dict[str, Any], named: str) -> None:
    with pytest.raises(HelmError) as refused:
        render(values)
    assert named in str(refused.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"replicas": 3, "leaderElection": {"enabled": False}},
            "replicas is 3 and leaderElection.enabled is false, so that all of them would work: set replicas to 1, or",
        ),
        (
            {"leaderElection": {"leaseDurationSeconds": 10}},
            "leaderElection.leaseDurationSeconds is 10, which must exceed leaderElection.renewDeadlineSeconds (10)",
        ),
        (
            {"leaderElection": {"retryPeriodSeconds": 9}},
            "leaderElection.renewDeadlineSeconds is 10, which must exceed 1.2 times leaderElection.retryPeriodSeconds",
        ),
        ({"webhook": {"port": 8080}}, "webhook.port and http.port are both 8080: give them two ports"),
        ({"http": {"port": 8081}}, "events.port and http.port are both 8081: give them two ports"),
        ({"webhook": {"port": 8081}}, "events.port and webhook.port are both 8081: give them two ports"),
        ({"service": {"port": 8081}}, "events.servicePort and service.port are both 8081: give them two ports"),
        (
            {"events": {"servicePort": 443}, "webhook": {"enabled": True}},
            "events.servicePort is 443, which is the webhook's: choose another, or set webhook.enabled to false",
        ),
        (
            {"events": {"enabled": False, "ingress": {"enabled": True}}},
            "events.ingress.enabled is true and events.enabled is false, so that nothing would answer: set both, or",
        ),
    ],
)
def test_the_templates_reject_contradicting_values(values: dict[str, Any], said: str) -> None:
    with pytest.raises(HelmError) as refused:
        render(values)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("certificate", "said"),
    [
        ({"existingSecret": "tls"}, 'existingSecret ("tls") and webhook.certificate.caBundle go together: set both'),
        ({"caBundle": PEM}, 'existingSecret ("") and webhook.certificate.caBundle go together: set both'),
        (
            {"existingSecret": "tls", "caBundle": PEM, "certManager": {"enabled": True}},
            'existingSecret is "tls" and webhook.certificate.certManager.enabled is true: keep one of them',
        ),
    ],
)
def test_a_certificate_has_one_source(certificate: dict[str, Any], said: str) -> None:
    with pytest.raises(HelmError) as refused:
        render({"webhook": {"certificate": certificate}})
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "values",
    [
        {"global": {"anything": "a parent chart shares"}},
        {"results": {"uri": "s3://bucket"}},
        {"results": {"uri": "a/b"}},
        {"resources": {"limits": {"cpu": 2, "memory": "1Gi"}}},
        {"resources": {"requests": None, "limits": None}},
        {"leaderElection": {"leaseDurationSeconds": 60, "renewDeadlineSeconds": 40, "retryPeriodSeconds": 5}},
        {"podDisruptionBudget": {"maxUnavailable": "25%"}},
    ],
)
def test_valid_values_are_accepted(values: dict[str, Any]) -> None:
    assert render(values).one("Deployment")
