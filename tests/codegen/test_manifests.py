"""Tests that the chart's copies are the CRDs, without fields that an older API server does not know."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_python import Chart

from codegen.crd import KINDS
from codegen.manifests import chart_template

NEW = {"x-kubernetes-validations", "selectableFields"}


def render(folder: Path, *, install: bool = True, keep: bool = True, kubernetes: str | None = None) -> dict[str, Any]:
    """The CRDs, by name, as Helm renders a chart that contains nothing else."""
    templates = folder / "templates"
    shutil.rmtree(folder, ignore_errors=True)
    templates.mkdir(parents=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: crds\nversion: 0.1.0\n")
    for kind in KINDS:
        template = chart_template(kind.custom_resource_definition())
        if kubernetes:
            # Offline, Helm takes the version it was built for.
            template = template.replace("$.Capabilities.KubeVersion.Version", f'"{kubernetes}"')
        (templates / f"{kind.plural}.yaml").write_text(template)
    rendered = Chart.load(folder).render({"crds": {"install": install, "keep": keep}})
    crds = [crd for text in rendered.values() for crd in yaml.safe_load_all(text) if crd]
    return {crd["metadata"]["name"]: crd for crd in crds}


def without(value: Any, keys: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: without(inner, keys) for key, inner in value.items() if key not in keys}
    return [without(inner, keys) for inner in value] if isinstance(value, list) else value


def generated() -> dict[str, Any]:
    return {kind.crd_name: kind.custom_resource_definition() for kind in KINDS}


def test_present_day_server_gets_everything(tmp_path: Path) -> None:
    assert render(tmp_path / "chart", keep=False) == generated()


@pytest.mark.parametrize(
    ("kubernetes", "unknown"),
    [("v1.20.2", NEW), ("v1.28.9", NEW), ("v1.29.0", {"selectableFields"}), ("v1.30.1", set())],
)
def test_older_server_gets_what_it_knows(tmp_path: Path, kubernetes: str, unknown: set[str]) -> None:
    assert render(tmp_path / "chart", keep=False, kubernetes=kubernetes) == without(generated(), unknown)


def test_crds_outlive_the_release(tmp_path: Path) -> None:
    """Deleting a CRD deletes every object of its kind."""
    for crd in render(tmp_path / "chart").values():
        assert crd["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_crds_can_be_left_to_others(tmp_path: Path) -> None:
    assert render(tmp_path / "chart", install=False) == {}


def test_text_that_helm_would_expand_is_refused() -> None:
    crd = {"metadata": {"name": "odd"}, "spec": {"description": "{{ .Values }}"}}
    with pytest.raises(ValueError, match="which Helm would expand"):
        chart_template(crd)
