"""Builds the Pod of a run from a PodTemplate: adds missing fields, and enforces the rules of runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clustertrigger.api.names import WORKER_CONTAINER
from clustertrigger.api.run_policy import RunPolicy
from clustertrigger.core.actions.work import FromTemplate, RunDefaults, distinct
from clustertrigger.core.jobs.cloud_tokens import token_mounts, token_variables, token_volumes
from clustertrigger.core.jobs.pods import json_variable, placement, pod_security
from clustertrigger.core.resources.pod_templates import worker_of

_NEVER_TAKEN = ("serviceAccount", "activeDeadlineSeconds", "priority", "preemptionPolicy", "ephemeralContainers")
"""Fields of a Pod's spec that the Job or the trigger determines."""

Json = dict[str, Any]


def template_pod_spec(run: RunPolicy, source: FromTemplate, defaults: RunDefaults) -> Json:
    """Returns the Pod's spec.

    Args:
        run: How the trigger's Jobs are run. Its settings for placement take precedence.
        source: The template, and its container's input.
        defaults: Settings of the operator.
    """
    spec = {field: value for field, value in source.template.spec.items() if field not in _NEVER_TAKEN}
    pulled_with = distinct(
        [
            *(secret.get("name") for secret in spec.get("imagePullSecrets") or ()),
            *defaults.image_pull_secrets,
            *(secret.name for secret in run.image_pull_secrets),
        ]
    )
    worker = worker_of(spec)
    return {
        **spec,
        "restartPolicy": "Never",
        "serviceAccountName": run.service_account_name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "nodeSelector": {**(spec.get("nodeSelector") or {}), **run.node_selector},
        "tolerations": [
            *(spec.get("tolerations") or ()),
            *(toleration.model_dump(exclude_none=True) for toleration in run.tolerations),
        ],
        **placement(run),
        "imagePullSecrets": [{"name": secret} for secret in pulled_with],
        "securityContext": _pod_security(spec.get("securityContext") or {}),
        "volumes": [*(spec.get("volumes") or ()), *token_volumes(run.cloud_identity)],
        "initContainers": [_secured(container) for container in spec.get("initContainers") or ()],
        "containers": [
            _worker(container, run, source) if place == worker else _secured(container)
            for place, container in enumerate(spec["containers"])
        ],
    }


def _worker(container: Mapping[str, Any], run: RunPolicy, source: FromTemplate) -> Json:
    """Returns the container that does the work, under the name by which the operator identifies it."""
    set_by_us = [
        *(json_variable(name, value) for name, value in source.environment.items()),
        *token_variables(run.cloud_identity),
    ]
    names = {variable["name"] for variable in set_by_us}
    return {
        **_secured(container),
        "name": WORKER_CONTAINER,
        "env": [*(one for one in container.get("env") or () if one.get("name") not in names), *set_by_us],
        "resources": container.get("resources") or run.resources.model_dump(exclude_none=True),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [*(container.get("volumeMounts") or ()), *token_mounts(run.cloud_identity)],
    }


def _secured(container: Mapping[str, Any]) -> Json:
    own = container.get("securityContext") or {}
    return {
        **container,
        "securityContext": {**own, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }


def _pod_security(own: Mapping[str, Any]) -> Json:
    seccomp = own.get("seccompProfile") or pod_security()["seccompProfile"]
    return {**pod_security(), **own, "runAsNonRoot": True, "seccompProfile": seccomp}
