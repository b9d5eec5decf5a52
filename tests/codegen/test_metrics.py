"""Tests that the metrics' reference contains all exposed metrics, and those in the chart's alerts and dashboard."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from clustertrigger.shell.metrics.process import Metrics
from codegen.metrics import metrics_reference
from harness.cluster.files import REPOSITORY

PAGE = metrics_reference()
ROWS = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE))
CHART = REPOSITORY / "charts/clustertrigger"
ASKED_FOR = [CHART / "templates/prometheusrule.yaml", CHART / "dashboards/clustertrigger.json"]


def test_everything_that_a_scrape_shows_is_there() -> None:
    shown = re.findall(r"^# TYPE (\w+) ", generate_latest(Metrics().registry).decode(), re.MULTILINE)
    assert {name for name in shown if not name.endswith("_created")} <= set(re.findall(r"`(\w+)`", PAGE))


@pytest.mark.parametrize("path", ASKED_FOR, ids=lambda path: path.name)
def test_what_queries_name_is_there(path: Path) -> None:
    named = set(re.findall(r"\b(clustertrigger_\w+?)(?:_bucket|_sum|_count)?\{", path.read_text()))
    assert named
    assert named <= ROWS.keys()


def test_labels_and_alerts_of_a_metric() -> None:
    assert ROWS["clustertrigger_fires_total"].startswith("counter by `trigger_type`, `result` | ")
    assert ROWS["clustertrigger_fires_total"].endswith(
        "refused. Alerts: [ClusterTriggerFiresRefused](../how-to/alerts.md#clustertriggerfiresrefused)."
    )
    assert ROWS["clustertrigger_drift_value"].startswith("gauge by `namespace`, `trigger`, `metric` | ")
    assert ROWS["clustertrigger_queue_depth"].endswith("reconciliation.")
