"""Tests of which GitOps tool applies an object, and from which source, according to the marks that the tools leave."""

from __future__ import annotations

from typing import Any

import pytest

from clustertrigger.core.resources.gitops import managed_by, source_of


@pytest.mark.parametrize(
    ("metadata", "tool"),
    [
        ({}, None),
        ({"labels": None, "annotations": None}, None),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "x"}}, "Argo CD"),
        ({"labels": {"helm.toolkit.fluxcd.io/name": "x"}}, "Flux"),
        ({"managedFields": [{"manager": "argocd-controller", "fieldsV1": {"f:spec": {}}}]}, "Argo CD"),
        ({"managedFields": [{"manager": "kustomize-controller", "fieldsV1": {"f:metadata": {}}}]}, None),
        ({"managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}, {"manager": "x"}]}, None),
    ],
)
def test_who_manages_it(metadata: dict[str, Any], tool: str | None) -> None:
    assert managed_by(metadata) == tool


@pytest.mark.parametrize(
    ("metadata", "source"),
    [
        ({}, None),
        (
            {"annotations": {"argocd.argoproj.io/tracking-id": "shop:clustertrigger.dev/ClusterTrigger:a/b"}},
            "Application shop",
        ),
        ({"labels": {"argocd.argoproj.io/instance": "shop"}}, "Application shop"),
        (
            {"labels": {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux"}},
            "Kustomization flux/apps",
        ),
        ({"labels": {"helm.toolkit.fluxcd.io/name": "apps"}}, "HelmRelease apps"),
    ],
)
def test_where_it_comes_from(metadata: dict[str, Any], source: str | None) -> None:
    assert source_of(metadata) == source
