"""Tests that alerts use metrics that exist, and that each alert is documented."""

from __future__ import annotations

import re

import pytest

from harness.cluster.files import REPOSITORY
from tests.charts.objects import NAMESPACE, RELEASE, Object, render
from tests.charts.promql import mistakes, read

VALUES: Object = {"metrics": {"alerts": {"enabled": True, "labels": {"release": "prometheus"}}}}
OWN = {"clustertrigger_trigger_not_ready"}
"""Metrics whose label `namespace` is a trigger's rather than the operator's."""


def spec() -> Object:
    found: Object = render(VALUES).one("PrometheusRule")["spec"]
    return found


def rules() -> list[Object]:
    (group,) = spec()["groups"]
    found: list[Object] = group["rules"]
    return found


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_uses_existing_metrics(rule: Object) -> None:
    assert mistakes(rule["expr"]) == []
    asked = read(rule["expr"])
    assert asked.series
    for name, matchers in asked.series:
        wanted = {"job": RELEASE} if name in OWN else {"job": RELEASE, "namespace": NAMESPACE}
        given = {matcher.label: set(matcher.values) for matcher in matchers}
        assert {label: {value} for label, value in wanted.items()}.items() <= given.items(), name
    assert set(rule["labels"]) == {"severity"}
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    text = " ".join(rule["annotations"].values())
    assert set(re.findall(r"\$labels\.(\w+)", text)) <= asked.grouped
    assert set(rule["annotations"]) == {"summary", "description"}


def test_the_documented_alerts_are_those_of_the_chart() -> None:
    page = (REPOSITORY / "docs" / "how-to" / "alerts.md").read_text()
    assert re.findall(r"^### (ClusterTrigger\w+)$", page, re.MULTILINE) == [rule["alert"] for rule in rules()]


def test_found_by_prometheus_and_off_by_default() -> None:
    assert render(VALUES).one("PrometheusRule")["metadata"]["labels"]["release"] == "prometheus"
    assert not render().all("PrometheusRule")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("sum(clustertrigger_leader)", []),
        ("sum(clustertrigger_leaders)", ["no metric clustertrigger_leaders"]),
        ("clustertrigger_runs{}", ["no metric clustertrigger_runs"]),
        ('clustertrigger_runs_total{trigger="a"}', ["clustertrigger_runs_total has no label trigger"]),
        ('clustertrigger_runs_total{result="lost"}', ["clustertrigger_runs_total has no result lost"]),
        ('clustertrigger_fire_lateness_seconds_bucket{le="31.0"}',
         ["clustertrigger_fire_lateness_seconds_bucket has no bucket 31.0"]),
        ("sum by (reason) (rate(clustertrigger_runs_total[5m]))", ["nothing has the label reason"]),
    ],
)  # fmt: skip
def test_unknown_metrics_are_found(expression: str, expected: list[str]) -> None:
    assert mistakes(expression) == expected


def test_invalid_promql_is_rejected() -> None:
    with pytest.raises(ValueError, match="unclosed"):
        read("sum(clustertrigger_leader")
