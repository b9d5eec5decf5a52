"""Paths of the API server."""

from __future__ import annotations

from clustertrigger.api import GROUP, VERSION
from clustertrigger.core.resources.trigger import Key


def custom(plural: str, namespace: str | None = None) -> str:
    """A collection of one of our kinds, in a namespace or in all."""
    return f"/apis/{GROUP}/{VERSION}{_within(namespace)}/{plural}"


def trigger(key: Key) -> str:
    """One ClusterTrigger."""
    return f"{custom('clustertriggers', key.namespace)}/{key.name}"


def jobs(namespace: str | None = None) -> str:
    """The Jobs of a namespace, or of all."""
    return f"/apis/batch/v1{_within(namespace)}/jobs"


def pods(namespace: str | None = None) -> str:
    """The Pods of a namespace, or of all."""
    return f"/api/v1{_within(namespace)}/pods"


def _within(namespace: str | None) -> str:
    return f"/namespaces/{namespace}" if namespace else ""
