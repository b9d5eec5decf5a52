"""Paths of the API server that the API asks for."""

from __future__ import annotations

from clustertrigger.core.kube.paths import custom, is_name, is_namespace
from clustertrigger.core.kube.paths import trigger as _trigger
from clustertrigger.core.resources.trigger import Key

__all__ = ["definitions", "is_name", "is_namespace", "trigger", "triggers"]


def triggers(namespace: str) -> str:
    """The ClusterTriggers of a namespace."""
    return custom("clustertriggers", namespace)


def trigger(namespace: str, name: str) -> str:
    """One ClusterTrigger."""
    return _trigger(Key(namespace, name))


def definitions(namespace: str) -> str:
    """The ClusterDefinitions of a namespace."""
    return custom("clusterdefinitions", namespace)
