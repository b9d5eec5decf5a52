"""Tests of the CRDs in the chart: an upgrade updates them, and an uninstallation keeps them."""

from __future__ import annotations

import pytest

from codegen.crd import KINDS
from tests.charts.objects import Object, render

NAMES = {f"{kind.plural}.clustertrigger.dev" for kind in KINDS}
POLICY = "helm.sh/resource-policy"


def names(values: Object) -> set[str]:
    return {crd["metadata"]["name"] for crd in render(values).all("CustomResourceDefinition")}


@pytest.mark.parametrize(("install", "expected"), [(True, NAMES), (False, set())])
def test_install(*, install: bool, expected: set[str]) -> None:
    assert names({"crds": {"install": install}}) == expected


@pytest.mark.parametrize(("keep", "expected"), [(True, {"keep"}), (False, {None})])
def test_keep(*, keep: bool, expected: set[str | None]) -> None:
    crds = render({"crds": {"keep": keep}}).all("CustomResourceDefinition")
    assert {crd["metadata"].get("annotations", {}).get(POLICY) for crd in crds} == expected
