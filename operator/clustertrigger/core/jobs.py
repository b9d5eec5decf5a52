"""The Job that a slot becomes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from clustertrigger.api import API_VERSION
from clustertrigger.api.names import (
    ANNOTATION_FAILURE,
    ANNOTATION_SLOT,
    LABEL_MANAGED_BY,
    LABEL_TRIGGER,
    LABEL_TRIGGER_UID,
    MANAGED_BY,
    WORKER_CONTAINER,
)
from clustertrigger.api.run import (
    COLLECTIONS_MOUNT,
    RESULTS_MOUNT,
    RUN_SPEC_VARIABLE,
    SCRATCH_MOUNT,
    SECRETS_MOUNT,
    CollectionInput,
    ExitCode,
    ResultsTarget,
    RunSpec,
)
from clustertrigger.api.trigger import ClusterTriggerSpec, RunPolicy
from clustertrigger.core.catalog import Work
from clustertrigger.core.naming import seed
from clustertrigger.core.trigger import Trigger

NON_ROOT = 65532
_LONGEST_LABEL = 63
_SCRATCH_VOLUME = "scratch"


@dataclass(frozen=True, slots=True)
class RunDefaults:
    """What the operator adds to every run."""

    image: str
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    results_uri: str = ""
    results_volume: str = "clustertrigger-results"


def build_job(
    trigger: Trigger, spec: ClusterTriggerSpec, work: Work, name: str, slot: str, defaults: RunDefaults
) -> dict[str, Any]:
    """The Job of one slot, ready to be created."""
    run = spec.run
    labels = {
        LABEL_MANAGED_BY: MANAGED_BY,
        LABEL_TRIGGER_UID: trigger.uid,
        LABEL_TRIGGER: trigger.key.name[:_LONGEST_LABEL].rstrip("-."),
    }
    queued = {"kueue.x-k8s.io/queue-name": run.queue_name} if run.queue_name else {}
    job_spec: dict[str, Any] = {
        "completions": 1,
        "parallelism": 1,
        "backoffLimit": run.retries,
        "activeDeadlineSeconds": run.timeout_seconds,
        # The name guards the slot until the status does: keep the Job for as long as the slot could fire.
        "ttlSecondsAfterFinished": max(run.starting_deadline_seconds, 3600),
        "podFailurePolicy": {
            "rules": [
                {
                    "action": "FailJob",
                    "onExitCodes": {
                        "containerName": WORKER_CONTAINER,
                        "operator": "In",
                        "values": [int(ExitCode.MISCONFIGURED)],
                    },
                }
            ]
        },
        "template": {"metadata": {"labels": labels}, "spec": _pod_spec(trigger, spec, work, name, slot, defaults)},
    }
    if queued:
        job_spec["suspend"] = True
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": trigger.key.namespace,
            "labels": {**labels, **queued},
            "annotations": {ANNOTATION_SLOT: slot},
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": "ClusterTrigger",
                    "name": trigger.key.name,
                    "uid": trigger.uid,
                    "controller": True,
                }
            ],
        },
        "spec": job_spec,
    }


def end_job_patch(reason: str) -> dict[str, Any]:
    """Merge patch that makes Kubernetes end a Job and keep it: its deadline is over, and the annotation says why."""
    return {"metadata": {"annotations": {ANNOTATION_FAILURE: reason}}, "spec": {"activeDeadlineSeconds": 1}}


def _pod_spec(
    trigger: Trigger, spec: ClusterTriggerSpec, work: Work, name: str, slot: str, defaults: RunDefaults
) -> dict[str, Any]:
    run = spec.run
    run_spec = RunSpec(
        namespace=trigger.key.namespace,
        trigger=trigger.key.name,
        run=name,
        slot=slot,
        collections=[
            CollectionInput(
                collection_id=collection_id,
                source=collection.source,
                mount_path=f"{COLLECTIONS_MOUNT}/{collection.volume}" if collection.volume else None,
            )
            for collection_id, collection in work.collections
        ],
        config=work.execution.config,
        seed=seed(trigger.uid),
        results=_results_target(run, defaults),
        history_limit=run.history_limit,
        report=run.report,
    )
    volumes, mounts = _mounts(run, work, defaults)
    return {
        "restartPolicy": "Never",
        "serviceAccountName": run.service_account_name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "nodeSelector": dict(run.node_selector),
        "tolerations": [toleration.model_dump(exclude_none=True) for toleration in run.tolerations],
        "imagePullSecrets": [{"name": secret} for secret in defaults.image_pull_secrets],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": NON_ROOT,
            "runAsGroup": NON_ROOT,
            "fsGroup": NON_ROOT,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumes": volumes,
        "containers": [
            {
                "name": WORKER_CONTAINER,
                "image": defaults.image,
                "imagePullPolicy": defaults.image_pull_policy,
                "args": ["run"],
                "env": [{"name": RUN_SPEC_VARIABLE, "value": run_spec.model_dump_json(exclude_none=True)}],
                "resources": run.resources.model_dump(exclude_none=True),
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": mounts,
            }
        ],
    }


def _results_target(run: RunPolicy, defaults: RunDefaults) -> ResultsTarget:
    uri = run.results.uri if run.results.uri is not None else defaults.results_uri
    if not uri.startswith("s3://"):
        uri = f"{RESULTS_MOUNT}/{uri}".rstrip("/")
    return ResultsTarget(
        uri=uri, secret_name=run.results.secret_name, endpoint=run.results.endpoint, region=run.results.region
    )


def _mounts(run: RunPolicy, work: Work, defaults: RunDefaults) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Volumes, and where they are mounted.

    A claim is one volume however often it is mounted: the kubelet never starts a Pod that names a claim twice.
    """
    results = _results_target(run, defaults).uri.startswith(RESULTS_MOUNT)
    results_claim = run.results.volume or defaults.results_volume if results else None
    collection_claims = _distinct(collection.volume for _, collection in work.collections)
    claims = {claim: f"claim-{n}" for n, claim in enumerate(_distinct([results_claim, *collection_claims]))}
    names = _distinct([*(collection.source.secret_name for _, collection in work.collections), run.results.secret_name])
    secrets = {secret: f"secret-{n}" for n, secret in enumerate(names)}
    volumes: list[dict[str, Any]] = [
        {"name": _SCRATCH_VOLUME, "emptyDir": {}},
        *({"name": v, "persistentVolumeClaim": {"claimName": claim}} for claim, v in claims.items()),
        *({"name": v, "secret": {"secretName": secret, "defaultMode": 0o440}} for secret, v in secrets.items()),
    ]
    mounts: list[dict[str, Any]] = [
        {"name": _SCRATCH_VOLUME, "mountPath": SCRATCH_MOUNT},
        *({"name": claims[c], "mountPath": f"{COLLECTIONS_MOUNT}/{c}", "readOnly": True} for c in collection_claims),
        *({"name": v, "mountPath": f"{SECRETS_MOUNT}/{secret}", "readOnly": True} for secret, v in secrets.items()),
    ]
    if results_claim:
        mounts.append({"name": claims[results_claim], "mountPath": RESULTS_MOUNT})
    return volumes, mounts


def _distinct(names: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(name for name in names if name))
