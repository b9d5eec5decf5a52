"""Builds the changes that resume a Job where Kueue has admitted its Workload: on the nodes of the assigned flavors.

The flavors can differ from those of an earlier admission, so the original Pods are taken from the Workload, which never
changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from clustercontract.engine import ExecutorPlacement
from clustertrigger.api.names import ANNOTATION_PLACEMENT
from clustertrigger.core.jobs.kueue_workload import DRIVER, EXECUTORS, LABELS_OF_JOBS


class Resumption(NamedTuple):
    """The changes that resume a Job.

    Attributes:
        job: Merge patch of the Job.
        resets_start: Whether the status must lose its startTime before. Kubernetes accepts another placement only for
            a Job without it, and removes it from a suspended Job itself only from 1.36 on.
    """

    job: dict[str, Any]
    resets_start: bool


def assigned_flavors(workload: Mapping[str, Any]) -> set[str]:
    """Returns the names of the ResourceFlavors that a Workload is admitted to."""
    return {flavor for _, flavors in _assignments(workload) for flavor in flavors}


def resumption(
    job: Mapping[str, Any], workload: Mapping[str, Any], flavors: Mapping[str, Mapping[str, Any]]
) -> Resumption:
    """Returns the changes that resume a Job.

    Args:
        job: The Job, as the API server returns it.
        workload: Its Workload, which is admitted.
        flavors: The assigned ResourceFlavors, by name.
    """
    placements = {name: _placement(workload, name, flavors) for name in (DRIVER, EXECUTORS)}
    original = next(one["template"] for one in workload["spec"]["podSets"] if one["name"] == DRIVER)
    placed = placements[DRIVER].applied_to(original)
    annotations = dict(placed["metadata"].get("annotations") or {})
    if (executors := placements[EXECUTORS]) != ExecutorPlacement():
        annotations[ANNOTATION_PLACEMENT] = executors.model_dump_json(exclude_defaults=True)
    current = job["spec"]["template"]
    now, spec = current.get("metadata") or {}, current["spec"]
    own_labels = {name: value for name, value in (now.get("labels") or {}).items() if name not in LABELS_OF_JOBS}
    metadata = {
        "labels": _changes(own_labels, placed["metadata"].get("labels")),
        "annotations": _changes(now.get("annotations"), annotations),
    }
    changed: dict[str, Any] = {
        "nodeSelector": _changes(spec.get("nodeSelector"), placed["spec"]["nodeSelector"]),
        "tolerations": placed["spec"]["tolerations"] if placed["spec"]["tolerations"] != _listed(spec) else None,
    }
    template = {
        "metadata": {field: value for field, value in metadata.items() if value},
        "spec": {field: value for field, value in changed.items() if value is not None and value != {}},
    }
    template = {part: value for part, value in template.items() if value}
    patch: dict[str, Any] = {
        "metadata": {"resourceVersion": job["metadata"]["resourceVersion"]},
        "spec": {"suspend": False, **({"template": template} if template else {})},
    }
    return Resumption(patch, resets_start=bool(template) and "startTime" in (job.get("status") or {}))


def _placement(workload: Mapping[str, Any], pods: str, flavors: Mapping[str, Mapping[str, Any]]) -> ExecutorPlacement:
    """Returns what flavors and admission checks add to a set of Pods."""
    selector: dict[str, str] = {}
    tolerations: list[dict[str, Any]] = []
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    for flavor in next((assigned for name, assigned in _assignments(workload) if name == pods), ()):
        spec = flavors[flavor].get("spec") or {}
        selector |= spec.get("nodeLabels") or {}
        tolerations += spec.get("tolerations") or []
    for check in (workload.get("status") or {}).get("admissionChecks") or ():
        for update in check.get("podSetUpdates") or ():
            if update.get("name") == pods:
                selector |= update.get("nodeSelector") or {}
                tolerations += update.get("tolerations") or []
                labels |= update.get("labels") or {}
                annotations |= update.get("annotations") or {}
    return ExecutorPlacement(labels=labels, annotations=annotations, node_selector=selector, tolerations=tolerations)


def _assignments(workload: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Yields the name of each set of Pods with the names of its flavors, each once."""
    admission = (workload.get("status") or {}).get("admission") or {}
    for assignment in admission.get("podSetAssignments") or ():
        yield assignment["name"], sorted(set((assignment.get("flavors") or {}).values()))


def _changes(before: Mapping[str, str] | None, after: Mapping[str, str] | None) -> dict[str, str | None]:
    """Returns a merge patch from one map to another one."""
    before, after = before or {}, after or {}
    gone: dict[str, str | None] = {key: None for key in before if key not in after}
    return gone | {key: value for key, value in after.items() if before.get(key) != value}


def _listed(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    return spec.get("tolerations") or []
