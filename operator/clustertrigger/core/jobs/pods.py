"""The Pod of a run or a check: what the worker may see, and what it may not do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from clustertrigger.api.names import WORKER_CONTAINER
from clustertrigger.api.run import (
    COLLECTIONS_MOUNT,
    RESULTS_MOUNT,
    SCRATCH_MOUNT,
    SECRETS_MOUNT,
    CollectionInput,
    ResultsTarget,
)
from clustertrigger.api.trigger import Resources, RunPolicy
from clustertrigger.core.jobs.run_defaults import RunDefaults
from clustertrigger.core.resources.catalog import Work

NON_ROOT = 65532
_SCRATCH_VOLUME = "scratch"


def pod_spec(
    run: RunPolicy, work: Work, defaults: RunDefaults, *, command: str, spec: tuple[str, str], resources: Resources
) -> dict[str, Any]:
    """The Pod's spec.

    Args:
        run: how the trigger's Jobs are run.
        work: what it refers to is mounted.
        defaults: what the operator adds.
        command: of the worker.
        spec: the environment variable that says what to do, and its value, which is JSON.
        resources: of the container.
    """
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
                "args": [command],
                "env": [json_variable(*spec)],
                "resources": resources.model_dump(exclude_none=True),
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


def json_variable(name: str, value: str) -> dict[str, str]:
    """An environment variable that holds JSON. The kubelet would expand $(NAME) in it, and make one $ of two."""
    return {"name": name, "value": value.replace("$", r"\u0024")}


def collection_inputs(work: Work) -> list[CollectionInput]:
    """The collections, as the worker sees them."""
    return [
        CollectionInput(
            collection_id=collection_id,
            source=collection.source,
            mount_path=f"{COLLECTIONS_MOUNT}/{collection.volume}" if collection.volume else None,
        )
        for collection_id, collection in work.collections
    ]


def results_target(run: RunPolicy, defaults: RunDefaults) -> ResultsTarget:
    """Where results go."""
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
    results = results_target(run, defaults).uri.startswith(RESULTS_MOUNT)
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
