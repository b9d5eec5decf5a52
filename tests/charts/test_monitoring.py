"""Tests that Prometheus finds the metrics."""

from __future__ import annotations

from tests.charts.objects import NAMESPACE, render, values_of


def test_service_monitor() -> None:
    rendered = render(values_of("monitoring-values"))
    monitor, service = rendered.one("ServiceMonitor"), rendered.one("Service")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": [NAMESPACE]}
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint == {
        "port": "http",
        "path": "/metrics",
        "honorLabels": True,
        "interval": "15s",
        "scrapeTimeout": "10s",
    }
    assert {port["name"]: port["port"] for port in service["spec"]["ports"]} == {"http": 80, "events": 8081}
    assert service["metadata"]["annotations"] == {"example.com/team": "search"}


def test_off_by_default() -> None:
    assert not render().all("ServiceMonitor")
