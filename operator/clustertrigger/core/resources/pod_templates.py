"""Validates PodTemplates that run as a trigger's Job: names each field that breaks the rules of runs.

The rules are those of the Pod Security Standard `restricted`, and those that leave the placement of Pods to the
trigger. `core.jobs.template_pods` sets the fields that a template leaves open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clustertrigger.api.names import LABEL_RUNNABLE, WORKER_CONTAINER
from clustertrigger.core.resources.labels import problems_in_annotations, problems_in_labels
from clustertrigger.core.resources.problem import Problem

_SPEC = "template.spec"
_VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"),
}
_NOT_ALLOWED = "is not allowed in a run: remove it"
_SELINUX_TYPES = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PodTemplate:
    """The fields of a PodTemplate of the core API that matter for runs."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: Json
    is_runnable: bool
    """Whether its label lets triggers run it."""
    problems: tuple[Problem, ...]


def read_pod_template(raw: Json) -> PodTemplate:
    """A PodTemplate, and everything that breaks the rules of runs."""
    template: Json = raw.get("template") or {}
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    own = raw["metadata"].get("labels") or {}
    problems = (
        *problems_in_labels(labels, "template.metadata.labels"),
        *problems_in_annotations(annotations, "template.metadata.annotations"),
        *_problems(spec),
    )
    return PodTemplate(labels, annotations, spec, own.get(LABEL_RUNNABLE) == "true", problems)


def worker_of(spec: Json) -> int | None:
    """Returns the index of the container that does the work: the only one, or the one with the expected name."""
    containers = spec.get("containers") or ()
    if len(containers) == 1:
        return 0
    named = [place for place, container in enumerate(containers) if container.get("name") == WORKER_CONTAINER]
    return named[0] if named else None


def _problems(spec: Json) -> Iterator[Problem]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield Problem(
                f"{_SPEC}.{field}", True, "shares a namespace of the node, which is not allowed in a run: remove it"
            )
    if spec.get("nodeName"):
        yield Problem(
            f"{_SPEC}.nodeName", spec["nodeName"], "bypasses the scheduler: remove it, and set the trigger's "
            "run.node_selector",
        )  # fmt: skip
    if spec.get("priorityClassName"):
        yield Problem(
            f"{_SPEC}.priorityClassName",
            spec["priorityClassName"],
            "must not be set here: remove it, and set the trigger's run.priority_class_name",
        )
    if spec.get("serviceAccountName") not in (None, "", "default"):
        yield Problem(
            f"{_SPEC}.serviceAccountName",
            spec["serviceAccountName"],
            "must not be set here: remove it, and set the trigger's run.service_account_name",
        )
    for kind in ("podAffinity", "podAntiAffinity"):
        yield from _in_affinity((spec.get("affinity") or {}).get(kind) or {}, f"{_SPEC}.affinity.{kind}")
    yield from _in_security(spec.get("securityContext") or {}, f"{_SPEC}.securityContext")
    for place, volume in enumerate(spec.get("volumes") or ()):
        yield from _in_volume(volume, f"{_SPEC}.volumes[{place}]")
    for kind in ("initContainers", "containers"):
        for place, container in enumerate(spec.get(kind) or ()):
            yield from _in_container(container, f"{_SPEC}.{kind}[{place}]")
    if worker_of(spec) is None:
        names = ", ".join(str(container.get("name")) for container in spec.get("containers") or ())
        yield Problem(
            f"{_SPEC}.containers", names or None, f"has no container named {WORKER_CONTAINER}: give this name to the "
            "container that does the work",
        )  # fmt: skip


def _in_affinity(affinity: Json, path: str) -> Iterator[Problem]:
    """Yields terms about the Pods of other namespaces: an anti-affinity would keep those from the run's node."""
    for field, terms in affinity.items():
        for place, term in enumerate(terms or ()):
            at, of = f"{path}.{field}[{place}]", term
            if "podAffinityTerm" in term:
                at, of = f"{at}.podAffinityTerm", term["podAffinityTerm"]
            for scope in ("namespaces", "namespaceSelector"):
                # An empty selector selects all namespaces, and an empty list the Pod's own.
                if of.get(scope) not in (None, []):
                    yield Problem(f"{at}.{scope}", of[scope], "reaches beyond the run's namespace: remove it")


def _in_security(context: Json, path: str) -> Iterator[Problem]:
    """Yields problems that a Pod and a container can both have."""
    if context.get("runAsUser") == 0:
        yield Problem(f"{path}.runAsUser", 0, "is root: write the ID of another user")
    if context.get("runAsNonRoot") is False:
        yield Problem(f"{path}.runAsNonRoot", False, "allows root: remove it")
    for field in ("seccompProfile", "appArmorProfile"):
        if (context.get(field) or {}).get("type") == "Unconfined":
            yield Problem(f"{path}.{field}.type", "Unconfined", _NOT_ALLOWED)
    if context.get("sysctls"):
        yield Problem(f"{path}.sysctls", [one.get("name") for one in context["sysctls"]], _NOT_ALLOWED)
    if (context.get("windowsOptions") or {}).get("hostProcess"):
        yield Problem(f"{path}.windowsOptions.hostProcess", True, _NOT_ALLOWED)
    selinux = context.get("seLinuxOptions") or {}
    for field in ("user", "role"):
        if selinux.get(field):
            yield Problem(f"{path}.seLinuxOptions.{field}", selinux[field], _NOT_ALLOWED)
    if selinux.get("type", "") not in _SELINUX_TYPES:
        yield Problem(f"{path}.seLinuxOptions.type", selinux["type"], _NOT_ALLOWED)


def _in_container(container: Json, path: str) -> Iterator[Problem]:
    context: Json = container.get("securityContext") or {}
    yield from _in_security(context, f"{path}.securityContext")
    for field in ("privileged", "allowPrivilegeEscalation"):
        if context.get(field):
            yield Problem(f"{path}.securityContext.{field}", True, _NOT_ALLOWED)
    added: Sequence[str] = (context.get("capabilities") or {}).get("add") or ()
    if added:
        yield Problem(f"{path}.securityContext.capabilities.add", list(added), _NOT_ALLOWED)
    if context.get("procMount") not in (None, "Default"):
        yield Problem(f"{path}.securityContext.procMount", context["procMount"], _NOT_ALLOWED)
    for place, port in enumerate(container.get("ports") or ()):
        if port.get("hostPort"):
            yield Problem(f"{path}.ports[{place}].hostPort", port["hostPort"], "is a port of the node: remove it")


def _in_volume(volume: Json, path: str) -> Iterator[Problem]:
    for kind in volume.keys() - {"name"} - _VOLUMES:
        allowed = ", ".join(sorted(_VOLUMES))
        yield Problem(
            f"{path}.{kind}", volume.get("name"), f"is not a type of volume that runs can have: use one of {allowed}"
        )
    for place, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
        if "serviceAccountToken" in source:
            yield Problem(
                f"{path}.projected.sources[{place}].serviceAccountToken",
                volume.get("name"),
                "is a token of the service account: remove it; for a cloud, set the trigger's run.cloud_identity",
            )
