"""The Pod of a run or a check: what the worker may see, and what it may not do."""

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
from clustertrigger.api.placement import TopologySpreadConstraint
from clustertrigger.api.trigger import Resources, RunPolicy, Toleration
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
    """The Pod's spec.

    Args:
        run: how the trigger's Jobs are run.
        work: The objects that it refers to are mounted.
        defaults: what the operator adds.
        order: The worker's input.
        resources: of the container.
        writes: what is mounted to write, besides the results.
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
    """The Pod's spec without its volumes and its container.

    Args:
        run: how the trigger's Jobs are run.
        defaults: what the operator adds.
        spread: labels of the Pods that spread constraints without a selector count.
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


def tolerations(given: Iterable[Toleration]) -> list[dict[str, Any]]:
    """The tolerations of a Pod."""
    return [toleration.model_dump(exclude_none=True) for toleration in given]


def pod_security() -> dict[str, Any]:
    """The securityContext of all Pods of the operator's Jobs, as Pod Security `restricted` asks for."""
    return {
        "runAsNonRoot": True,
        "runAsUser": NON_ROOT,
        "runAsGroup": NON_ROOT,
        "fsGroup": NON_ROOT,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> dict[str, Any]:
    """The securityContext of the container in it."""
    return {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def pod_metadata(
    run: RunPolicy,
    own_labels: Mapping[str, str],
    labels: Mapping[str, str] = MappingProxyType({}),
    annotations: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """The Pod's metadata: what the trigger's owner wants beside the labels that are the operator's own.

    Args:
        run: how the trigger's Jobs are run.
        own_labels: the operator's.
        labels: of the Pod's template, if it has one.
        annotations: of the Pod's template.
    """
    metadata: dict[str, Any] = {"labels": {**labels, **run.pod_labels, **own_labels}}
    wanted = {**annotations, **run.pod_annotations}
    return {**metadata, "annotations": wanted} if wanted else metadata


def json_variable(name: str, value: str) -> dict[str, str]:
    """An environment variable that holds JSON. The kubelet would expand $(NAME) in it, and make one $ of two."""
    return {"name": name, "value": value.replace("$", r"\u0024")}


def placement(run: RunPolicy, spread: Mapping[str, str] = _ALL_PODS) -> dict[str, Any]:
    """The Pod's placement and priority; only the settings that the trigger has.

    Args:
        run: how the trigger's Jobs are run.
        spread: labels of the Pods that spread constraints without a selector count.
    """
    wanted = {
        "affinity": run.affinity and _dumped(run.affinity),
        "topologySpreadConstraints": [_spread(constraint, spread) for constraint in run.topology_spread_constraints],
        "priorityClassName": run.priority_class_name,
        "runtimeClassName": run.runtime_class_name,
    }
    return {field: value for field, value in wanted.items() if value}


def _spread(constraint: TopologySpreadConstraint, labels: Mapping[str, str]) -> dict[str, Any]:
    # Without a selector Kubernetes would count no Pod at all.
    return {"labelSelector": {"matchLabels": dict(labels)}, **_dumped(constraint)}


def _dumped(part: ApiModel) -> dict[str, Any]:
    return part.model_dump(exclude_none=True, exclude_defaults=True)


def volumes_and_mounts(
    run: RunPolicy, work: Work, defaults: RunDefaults, writes: Writes
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Volumes, and where they are mounted.

    A claim is one volume however often it is mounted: the kubelet never starts a Pod that names a claim twice. One that
    is only read is a read-only volume: the kubelet would otherwise give all of its files to the Pod's group. That of
    the results comes first: the history has the claims in this order, and `claim_of` relies on it.
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
