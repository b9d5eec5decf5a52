"""Paths of the API server: those of the operator, and those that only the command requests."""

from __future__ import annotations

from clustertrigger.core.kube.paths import (
    claim,
    custom,
    events,
    is_name,
    is_namespace,
    job,
    job_selector,
    jobs,
    pod,
    pods,
    service,
    service_account_token,
    services,
    triggers,
)
from clustertrigger.core.kube.paths import trigger as _trigger
from clustertrigger.core.resources.trigger import Key

__all__ = [
    "claim",
    "custom",
    "deployments",
    "events",
    "is_name",
    "is_namespace",
    "job",
    "job_selector",
    "jobs",
    "namespaces",
    "pod",
    "pods",
    "service",
    "service_account_token",
    "services",
    "trigger",
    "triggers",
]


def trigger(namespace: str, name: str) -> str:
    """Returns the path of a ClusterTrigger."""
    return _trigger(Key(namespace, name))


def deployments() -> str:
    """Returns the path of the Deployments of all namespaces."""
    return "/apis/apps/v1/deployments"


def namespaces() -> str:
    """Returns the path of the namespaces."""
    return "/api/v1/namespaces"
