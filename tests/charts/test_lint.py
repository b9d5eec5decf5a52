"""Tests that `helm lint` accepts the chart."""

from __future__ import annotations

import tomllib

import pytest
import yaml

import clustertrigger
from harness.cluster.files import REPOSITORY
from harness.helm import CHART, HelmError, find_helm
from tests.charts.objects import VALUES_FILES, values_of


@pytest.mark.parametrize("kube_version", [None, "1.20.2", "1.28.0", "1.36.0"])
@pytest.mark.parametrize("values_file", VALUES_FILES)
def test_lint_reports_nothing(values_file: str, kube_version: str | None) -> None:
    assert find_helm().lint(values_of(values_file), kube_version=kube_version) == []


def test_lint_finds_faults() -> None:
    assert any("replicas" in found for found in find_helm().lint({"replicas": "two"}))


def test_versions_are_the_package_s() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    package = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    assert {chart["version"], chart["appVersion"], clustertrigger.__version__} == {package}


def test_a_folder_without_a_chart_is_named() -> None:
    with pytest.raises(HelmError, match=r"e2e: Chart\.yaml"):
        find_helm().render("x", chart=REPOSITORY / "e2e")
