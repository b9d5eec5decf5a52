"""Tests of who can connect to the operator's Pods."""

from __future__ import annotations

from tests.charts.objects import Object, render, values_of

PROMETHEUS = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
API_SERVER = {"ipBlock": {"cidr": "10.0.0.1/32"}}


def policy(**values: object) -> Object:
    found: Object = render({"networkPolicy": {"enabled": True, **values}, "webhook": {"enabled": True}}).one(
        "NetworkPolicy"
    )["spec"]
    return found


def test_off_by_default() -> None:
    assert not render().all("NetworkPolicy")


def test_only_served_ports_are_open() -> None:
    spec = policy()
    assert spec["policyTypes"] == ["Ingress"]
    assert [rule["ports"] for rule in spec["ingress"]] == [
        [{"protocol": "TCP", "port": port}] for port in ("http", "events", "webhook")
    ]
    assert not any("from" in rule for rule in spec["ingress"])
    assert "egress" not in spec
    single = render({**values_of("single-values"), "networkPolicy": {"enabled": True}}).one("NetworkPolicy")["spec"]
    assert [rule["ports"][0]["port"] for rule in single["ingress"]] == ["http"]


def test_peers() -> None:
    spec = policy(metricsFrom=[PROMETHEUS], webhookFrom=[API_SERVER], egressTo=[API_SERVER])
    assert [rule.get("from") for rule in spec["ingress"]] == [[PROMETHEUS], None, [API_SERVER]]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["egress"] == [{"to": [API_SERVER]}]


def test_it_selects_the_operator() -> None:
    rendered = render({"networkPolicy": {"enabled": True}})
    selector = rendered.one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"]
    assert selector.items() <= rendered.pod["metadata"]["labels"].items()
