"""Tests of the dashboard: it uses metrics that exist, shows all of them, and is where Grafana looks for it."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import combinations
from typing import Any

import pytest

from harness.helm import CHART
from tests.charts.objects import render
from tests.charts.promql import exposed, mistakes, read

DASHBOARD: dict[str, Any] = json.loads((CHART / "dashboards" / "clustertrigger.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES: list[dict[str, Any]] = DASHBOARD["templating"]["list"]
INTERVALS = {"$__rate_interval": "5m", "$__range": "6h"}
"""Grafana's own variables, which are in brackets and which the parser of PromQL does not know."""


def expressions(panel: dict[str, Any]) -> list[str]:
    found = [target["expr"] for target in panel["targets"]]
    for name, value in INTERVALS.items():
        found = [expression.replace(name, value) for expression in found]
    return found


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel["title"]))
def test_a_panel_uses_existing_metrics(panel: dict[str, Any]) -> None:
    assert panel["description"]
    for target, expression in zip(panel["targets"], expressions(panel), strict=True):
        assert mistakes(expression) == []
        shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        assert shown <= read(expression).grouped, expression
        assert target["datasource"]["uid"] == "${datasource}"


def test_every_metric_is_shown() -> None:
    asked = {name for panel in PANELS for expression in expressions(panel) for name, _ in read(expression).series}
    families = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in asked}
    known = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in exposed()}
    assert known == families


def test_variables_are_defined_and_used() -> None:
    said = json.dumps(DASHBOARD["panels"]) + json.dumps([variable.get("definition") for variable in VARIABLES])
    used = set(re.findall(r"\$\{?([a-z]\w+)", said)) - {name.strip("$") for name in INTERVALS}
    assert used == {variable["name"] for variable in VARIABLES}
    names = set(exposed())
    for variable in VARIABLES:
        metrics = re.findall(r"clustertrigger_\w+", variable.get("definition", ""))
        assert set(metrics) <= names


def test_panels_do_not_overlap() -> None:
    assert max(Counter(panel["id"] for panel in DASHBOARD["panels"]).values()) == 1
    for one, other in combinations([panel["gridPos"] for panel in DASHBOARD["panels"]], 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)
        assert one["x"] + one["w"] <= 24


def test_config_map() -> None:
    values = {"metrics": {"dashboard": {"enabled": True, "annotations": {"grafana_folder": "Search"}}}}
    config = render(values).one("ConfigMap")
    assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert config["metadata"]["annotations"] == {"grafana_folder": "Search"}
    assert json.loads(config["data"]["clustertrigger.json"]) == DASHBOARD
    assert not render().all("ConfigMap")
