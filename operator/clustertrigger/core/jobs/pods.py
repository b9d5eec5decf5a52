"""Builds the Pod of a run or a check: what it mounts, and how it is restricted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from clustercontract.base import ApiModel
from clustercontract.container import (
    COLLECTIONS_MOUNT,
    OUTPUTS_MOUNT,
    RESULTS_MOUNT,
    SCRATCH_MOUNT,
    SECRETS_MOUNT,
)
from clustertrigger.api.names import LABEL_MANAGED_BY, MANAGED_BY, WORKER_CONTAINER
from clustertrigger.api.placement import Toleration, TopologySpreadConstraint
from clustertrigger.api.resources import Resources
from clustertrigger.api.run_policy import RunPolicy
from clustertrigger.core.actions.work import Order, RunDefaults, Work, Writes, distinct, results_claim
from clustertrigger.core.jobs.cloud_tokens import token_mounts, token_variables, token_volumes

NON_ROOT = 65532
_NOTHING = Writes()
_SCRATCH_VOLUME = "scratch"
_ALL_PODS: Mapping[str, str] = MappingProxyType({LABEL_MANAGED_BY: MANAGED_BY})


def pod_spec(
    run: RunPolicy,
    work: Work,
    defaults: RunDefaults,
    *,
    order: Order,
    resources: Resources,
    writes: Writes = _NOTHING,
) -> dict[str, Any]:
    """Returns the Pod's spec.

    Args:
        run: how the trigger's Jobs are run.
        work: The work, whose objects are mounted.
        defaults: Settings of the operator.
        order: The worker's input.
        resources: Resources of the container.
        writes: What is mounted to write, in addition to the results.
    """
    volumes, mounts = volumes_and_mounts(run, work, defaults, writes)
    return {
        **frame(run, defaults),
        "volumes": volumes,
        "containers": [
            {
                "name": WORKER_CONTAINER,
                "image": defaults.image,
                "imagePullPolicy": defaults.image_pull_policy,
                "args": [order.command],
                "env": [json_variable(order.variable, order.value), *token_variables(run.cloud_identity)],
                "resources": resources.model_dump(exclude_none=True),
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "securityContext": container_security(),
                "volumeMounts": mounts,
            }
        ],
    }


def frame(run: RunPolicy, defaults: RunDefaults, spread: Mapping[str, str] = _ALL_PODS) -> dict[str, Any]:
    """Returns the Pod's spec without its volumes and its container.

    Args:
        run: how the trigger's Jobs are run.
        defaults: Settings of the operator.
        spread: Labels of the Pods that are counted by spread constraints without a selector.
    """
    pull_secrets = distinct([*defaults.image_pull_secrets, *(secret.name for secret in run.image_pull_secrets)])
    return {
        "restartPolicy": "Never",
        "serviceAccountName": run.service_account_name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "nodeSelector": dict(run.node_selector),
        "tolerations": tolerations(run.tolerations),
        **placement(run, spread),
        "imagePullSecrets": [{"name": secret} for secret in pull_secrets],
        "securityContext": pod_security(),
    }


def tolerations(configured: Iterable[Toleration]) -> list[dict[str, Any]]:
    """Returns the tolerations of a Pod."""
    return [toleration.model_dump(exclude_none=True) for toleration in configured]


def pod_security() -> dict[str, Any]:
    """Returns the securityContext of all Pods of the operator's Jobs, as Pod Security `restricted` requires."""
    return {
        "runAsNonRoot": True,
        "runAsUser": NON_ROOT,
        "runAsGroup": NON_ROOT,
        "fsGroup": NON_ROOT,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> dict[str, Any]:
    """Returns the securityContext of the container in it."""
    return {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def pod_metadata(
    run: RunPolicy,
    own_labels: Mapping[str, str],
    labels: Mapping[str, str] = MappingProxyType({}),
    annotations: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Returns the Pod's metadata: the user's labels and annotations, and the operator's labels.

    Args:
        run: how the trigger's Jobs are run.
        own_labels: The operator's labels.
        labels: Labels of the PodTemplate, if there is one.
        annotations: Annotations of the PodTemplate, if there is one.
    """
    metadata: dict[str, Any] = {"labels": {**labels, **run.pod_labels, **own_labels}}
    wanted = {**annotations, **run.pod_annotations}
    return {**metadata, "annotations": wanted} if wanted else metadata


def json_variable(name: str, value: str) -> dict[str, str]:
    """Returns an environment variable that contains JSON.

    Each $ is doubled, because the kubelet would expand $(NAME).
    """
    return {"name": name, "value": value.replace("$", r"\u0024")}


def placement(run: RunPolicy, spread: Mapping[str, str] = _ALL_PODS) -> dict[str, Any]:
    """Returns the Pod's placement and priority: only the fields that the trigger sets.

    Args:
        run: how the trigger's Jobs are run.
        spread: Labels of the Pods that are counted by spread constraints without a selector.
    """
    wanted = {
        "affinity": run.affinity and _dumped(run.affinity),
        "topologySpreadConstraints": [_spread(constraint, spread) for constraint in run.topology_spread_constraints],
        "priorityClassName": run.priority_class_name,
        "runtimeClassName": run.runtime_class_name,
    }
    return {field: value for field, value in wanted.items() if value}


def _spread(constraint: TopologySpreadConstraint, labels: Mapping[str, str]) -> dict[str, Any]:
    # Without a selector, Kubernetes would count no Pods.
    return {"labelSelector": {"matchLabels": dict(labels)}, **_dumped(constraint)}


def _dumped(part: ApiModel) -> dict[str, Any]:
    return part.model_dump(exclude_none=True, exclude_defaults=True)


def volumes_and_mounts(
    run: RunPolicy, work: Work, defaults: RunDefaults, writes: Writes
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Returns the volumes, and where they are mounted.

    A claim is one volume even if it is mounted several times: the kubelet never starts a Pod that names a claim twice.
    A claim that is only read becomes a read-only volume, because the kubelet would otherwise change the group of all
    its files. The claim of the results comes first: the history keeps this order, and `claim_of` depends on it.
    """
    reads, results = work.reads(defaults), results_claim(run, defaults)
    claims = {claim: f"claim-{n}" for n, claim in enumerate(distinct([results, *reads.claims, *writes.claims]))}
    named = distinct([*reads.secrets, run.results.secret_name, *writes.secrets])
    secrets = {secret: f"secret-{n}" for n, secret in enumerate(named)}
    volumes: list[dict[str, Any]] = [
        {"name": _SCRATCH_VOLUME, "emptyDir": {}},
        *(
            {"name": v, "persistentVolumeClaim": _claim(claim, writable=claim in (results, *writes.claims))}
            for claim, v in claims.items()
        ),
        *({"name": v, "secret": {"secretName": secret, "defaultMode": 0o440}} for secret, v in secrets.items()),
        *token_volumes(run.cloud_identity),
    ]
    mounts: list[dict[str, Any]] = [
        {"name": _SCRATCH_VOLUME, "mountPath": SCRATCH_MOUNT},
        *({"name": claims[c], "mountPath": f"{COLLECTIONS_MOUNT}/{c}", "readOnly": True} for c in reads.claims),
        *({"name": claims[c], "mountPath": f"{OUTPUTS_MOUNT}/{c}"} for c in writes.claims),
        *({"name": v, "mountPath": f"{SECRETS_MOUNT}/{secret}", "readOnly": True} for secret, v in secrets.items()),
        *token_mounts(run.cloud_identity),
    ]
    if results:
        mounts.append({"name": claims[results], "mountPath": RESULTS_MOUNT})
    return volumes, mounts


def _claim(name: str, *, writable: bool) -> dict[str, Any]:
    return {"claimName": name} if writable else {"claimName": name, "readOnly": True}
