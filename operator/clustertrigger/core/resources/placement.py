"""Finds what Kubernetes would refuse in a Pod's affinity and spread constraints."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from clustertrigger.api.placement import (
    ONE_VALUE,
    VALUES_FORBIDDEN,
    VALUES_MISSING,
    Affinity,
    LabelSelector,
    LabelSelectorRequirement,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    TopologySpreadConstraint,
)
from clustertrigger.core.resources.labels import wrong_label_key, wrong_label_value
from clustertrigger.core.resources.problem import Problem

_REQUIRED, _PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)


def problems_in_affinity(affinity: Affinity | None, field: str) -> Iterator[Problem]:
    """Yields everything that is wrong with an affinity."""
    if affinity is None:
        return
    if (nodes := affinity.nodeAffinity) is not None:
        at = f"{field}.nodeAffinity"
        if (required := nodes.requiredDuringSchedulingIgnoredDuringExecution) is not None:
            for index, term in enumerate(required.nodeSelectorTerms):
                yield from _node_term(term, f"{at}.{_REQUIRED}.nodeSelectorTerms[{index}]")
        for index, preferred in enumerate(nodes.preferredDuringSchedulingIgnoredDuringExecution):
            yield from _node_term(preferred.preference, f"{at}.{_PREFERRED}[{index}].preference")
    yield from _pods(affinity.podAffinity, f"{field}.podAffinity")
    yield from _pods(affinity.podAntiAffinity, f"{field}.podAntiAffinity")


def problems_in_spreading(constraints: Sequence[TopologySpreadConstraint], field: str) -> Iterator[Problem]:
    """Yields everything that is wrong with spread constraints."""
    seen: set[tuple[str, str]] = set()
    for index, constraint in enumerate(constraints):
        at = f"{field}[{index}]"
        yield from _topology_key(constraint.topologyKey, at)
        if constraint.labelSelector is not None:
            yield from _selector(constraint.labelSelector, f"{at}.labelSelector")
        pair = (constraint.topologyKey, constraint.whenUnsatisfiable)
        if pair in seen:
            message = f"is given twice with {constraint.whenUnsatisfiable}: remove one of the two"
            yield Problem(f"{at}.topologyKey", constraint.topologyKey, message)
        seen.add(pair)


def _pods(affinity: PodAffinity | PodAntiAffinity | None, field: str) -> Iterator[Problem]:
    if affinity is None:
        return
    for index, term in enumerate(affinity.requiredDuringSchedulingIgnoredDuringExecution):
        yield from _pod_term(term, f"{field}.{_REQUIRED}[{index}]")
    for index, weighted in enumerate(affinity.preferredDuringSchedulingIgnoredDuringExecution):
        yield from _pod_term(weighted.podAffinityTerm, f"{field}.{_PREFERRED}[{index}].podAffinityTerm")


def _pod_term(term: PodAffinityTerm, field: str) -> Iterator[Problem]:
    yield from _selector(term.labelSelector, f"{field}.labelSelector")
    yield from _topology_key(term.topologyKey, field)


def _node_term(term: NodeSelectorTerm, field: str) -> Iterator[Problem]:
    for index, requirement in enumerate(term.matchExpressions):
        yield from _requirement(requirement, f"{field}.matchExpressions[{index}]")


def _selector(selector: LabelSelector, field: str) -> Iterator[Problem]:
    for key, value in selector.matchLabels.items():
        if (reason := wrong_label_key(key) or wrong_label_value(value)) is not None:
            yield Problem(f"{field}.matchLabels.{key}", value, reason)
    for index, requirement in enumerate(selector.matchExpressions):
        yield from _requirement(requirement, f"{field}.matchExpressions[{index}]")


def _requirement(requirement: NodeSelectorRequirement | LabelSelectorRequirement, field: str) -> Iterator[Problem]:
    if (reason := wrong_label_key(requirement.key)) is not None:
        yield Problem(f"{field}.key", requirement.key, reason)
    values = requirement.values
    match requirement.operator:
        case "In" | "NotIn" if not values:
            yield Problem(f"{field}.values", None, VALUES_MISSING)
        case "Exists" | "DoesNotExist" if values:
            yield Problem(f"{field}.values", None, VALUES_FORBIDDEN)
        case "Gt" | "Lt" if len(values) != 1 or not re.fullmatch(r"\d{1,18}", values[0], re.ASCII):
            yield Problem(f"{field}.values", values[0] if len(values) == 1 else None, ONE_VALUE)
    for index, value in enumerate(values):
        if (reason := wrong_label_value(value)) is not None:
            yield Problem(f"{field}.values[{index}]", value, reason)


def _topology_key(key: str, field: str) -> Iterator[Problem]:
    if (reason := wrong_label_key(key)) is not None:
        yield Problem(f"{field}.topologyKey", key, reason)
