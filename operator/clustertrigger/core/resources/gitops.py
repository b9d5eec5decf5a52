"""Finds the GitOps tool that applies an object, by its labels, annotations and field managers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_FLUX = {
    "kustomize.toolkit.fluxcd.io": "Kustomization",
    "helm.toolkit.fluxcd.io": "HelmRelease",
}
_MARKS = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    **{f"{group}/name": "Flux" for group in _FLUX},
}
"""Labels and annotations of tools that may revert a change of the spec."""
_MANAGERS = {
    "argocd-controller": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
}
"""Field managers of the same tools, because Argo CD can be configured to use a label that Helm sets too."""


def managed_by(metadata: Mapping[str, Any]) -> str | None:
    """Returns the GitOps tool that applies an object; None if its labels, annotations and managers name none."""
    marks = _marks(metadata)
    if tool := next((tool for mark, tool in _MARKS.items() if mark in marks), None):
        return tool
    for entry in metadata.get("managedFields") or ():
        if "f:spec" in (entry.get("fieldsV1") or {}) and (tool := _MANAGERS.get(entry.get("manager", ""))):
            return tool
    return None


def source_of(metadata: Mapping[str, Any]) -> str | None:
    """Returns the tool's own object that an object comes from, such as `Application shop`; None if unknown."""
    marks = _marks(metadata)
    if tracking := marks.get("argocd.argoproj.io/tracking-id"):
        return f"Application {tracking.partition(':')[0]}"
    if application := marks.get("argocd.argoproj.io/instance"):
        return f"Application {application}"
    for group, kind in _FLUX.items():
        if name := marks.get(f"{group}/name"):
            namespace = marks.get(f"{group}/namespace")
            return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
    return None


def _marks(metadata: Mapping[str, Any]) -> dict[str, str]:
    return {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
