"""Builds the Workload of a Job whose Pod creates executors: one set of Pods for the Job, and one for the executors.

Kueue derives a Workload from a Job with its label, and counts only the Job's own Pod. Design record:
docs/design/engine.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from clustercontract.engine import EXECUTOR_CONTAINER, Engine
from clustertrigger.api.names import (
    ANNOTATION_PLACEMENT,
    ANNOTATION_QUEUE,
    ANNOTATION_QUEUE_PRIORITY,
    LABEL_JOB_UID,
    LABEL_MANAGED_BY,
    LABEL_ROLE,
    LABEL_TRIGGER,
    LABEL_TRIGGER_UID,
    WORKER_CONTAINER,
)

DRIVER, EXECUTORS = "driver", "executors"
"""Names of the sets of Pods."""
LABELS_OF_JOBS = ("job-name", "controller-uid", "batch.kubernetes.io/job-name", "batch.kubernetes.io/controller-uid")
"""Labels that the API server adds to a Job's template."""
_KEPT = (LABEL_MANAGED_BY, LABEL_TRIGGER_UID, LABEL_TRIGGER, LABEL_ROLE)


@dataclass(frozen=True, slots=True)
class PriorityClass:
    """The class that sets the priority of a Workload."""

    group: str
    kind: str
    name: str


def priority_class(job: Mapping[str, Any]) -> PriorityClass | None:
    """Returns the class that a Job names for the priority of its Workload: that of Kueue, or else that of its Pods."""
    annotations = job["metadata"].get("annotations") or {}
    if name := annotations.get(ANNOTATION_QUEUE_PRIORITY):
        return PriorityClass("kueue.x-k8s.io", "WorkloadPriorityClass", name)
    if name := job["spec"]["template"]["spec"].get("priorityClassName"):
        return PriorityClass("scheduling.k8s.io", "PriorityClass", name)
    return None


def value_of(priority_class: Mapping[str, Any]) -> int:
    """Returns the value of a priority class."""
    return int(priority_class.get("value") or 0)


def default_priority(classes: Iterable[Mapping[str, Any]]) -> tuple[PriorityClass | None, int]:
    """Returns the class of Pods that name none, and its value.

    Two administrators can create such a class at the same time. Kueue then uses the lowest one.
    """
    default = min((one for one in classes if one.get("globalDefault")), key=value_of, default=None)
    if default is None:
        return None, 0
    return PriorityClass("scheduling.k8s.io", "PriorityClass", default["metadata"]["name"]), value_of(default)


def build_workload(
    job: Mapping[str, Any], priority: int = 0, priority_class: PriorityClass | None = None
) -> dict[str, Any]:
    """Returns the Workload of a Job. Its name is the Job's, so a Job never has two.

    Args:
        job: The Job, as the API server returns it.
        priority: Value of its priority class.
        priority_class: That class; None if there is none.
    """
    metadata = job["metadata"]
    labels = {name: value for name, value in (metadata.get("labels") or {}).items() if name in _KEPT}
    spec: dict[str, Any] = {
        "queueName": metadata["annotations"][ANNOTATION_QUEUE],
        "podSets": [
            {"name": DRIVER, "count": 1, "template": _driver(job)},
            {"name": EXECUTORS, **_executors(_engine(job))},
        ],
        "priority": priority,
    }
    if priority_class is not None:
        spec["priorityClassRef"] = asdict(priority_class)
    return {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "Workload",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": {**labels, LABEL_JOB_UID: metadata["uid"]},
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "name": metadata["name"],
                    "uid": metadata["uid"],
                    "controller": True,
                }
            ],
        },
        "spec": spec,
    }


def _driver(job: Mapping[str, Any]) -> dict[str, Any]:
    template = job["spec"]["template"]
    metadata = template.get("metadata") or {}
    labels = {name: value for name, value in (metadata.get("labels") or {}).items() if name not in LABELS_OF_JOBS}
    annotations = dict(metadata.get("annotations") or {})
    annotations.pop(ANNOTATION_PLACEMENT, None)
    return {
        "metadata": {"labels": labels, "annotations": annotations},
        "spec": {**template["spec"], "containers": [_without_input(one) for one in template["spec"]["containers"]]},
    }


def _executors(engine: Engine) -> dict[str, Any]:
    memory = f"{engine.executor_memory}Mi"
    resources = {
        "requests": {"cpu": engine.executor_cpu_request, "memory": memory},
        "limits": {"memory": memory, **({"cpu": engine.executor_cpu_limit} if engine.executor_cpu_limit else {})},
    }
    template = engine.executor_template
    (container,) = (one for one in template["spec"]["containers"] if one["name"] == EXECUTOR_CONTAINER)
    complete = {**_without_input(container), "image": engine.image, "resources": resources}
    return {
        "count": engine.executors,
        "template": {
            "metadata": dict(template.get("metadata") or {}),
            "spec": {**template["spec"], "containers": [complete]},
        },
    }


def _without_input(container: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a container without its environment, which can be large and does not affect the quota."""
    return {field: value for field, value in container.items() if field != "env"}


def _engine(job: Mapping[str, Any]) -> Engine:
    """Returns the executors of a run or a check from its worker's input, which is the only place that names them."""
    containers = job["spec"]["template"]["spec"]["containers"]
    worker = next(container for container in containers if container["name"] == WORKER_CONTAINER)
    for variable in worker.get("env") or ():
        text = variable.get("value", "")
        found = json.loads(text).get("engine") if text.startswith("{") else None
        if found:
            return Engine.model_validate(found)
    raise ValueError(f"Job {job['metadata']['name']} names no executors")
