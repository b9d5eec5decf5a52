"""Chooses the cluster of a command as kubectl does: kubeconfig, context, namespace, user."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clustertrigger.cli.kube import paths
from clustertrigger.cli.kube.access import POD_ACCOUNT, Access, Impersonation, access_by, access_in_pod
from clustertrigger.cli.kube.client import ApiClient
from clustertrigger.cli.kube.kubeconfig import KubeconfigError, load_context
from clustertrigger.cli.scope import CommandError, Scope
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.text import one_line


@dataclass(frozen=True)
class Cluster:
    """A cluster and a namespace in it.

    Attributes:
        api: Its API server.
        namespace: The namespace of -n, or else of the context, or else `default`.
        access: Address and credentials.
        scope: The options that chose it.
    """

    api: ApiClient
    namespace: str
    access: Access
    scope: Scope


async def connected(scope: Scope, command: Callable[[Cluster], Awaitable[int]]) -> int:
    """Connects according to the options, executes a command, and returns its exit code.

    Raises:
        CommandError: no cluster is configured, or the API server refused something, in one line.
    """
    access, namespace = _access(scope)
    namespace = scope.namespace or namespace
    if not paths.is_namespace(namespace):
        source = "--namespace" if scope.namespace else "the context's namespace"
        raise CommandError(
            f"{source}: {namespace!r} is not a valid namespace name: write up to 63 lower-case letters, digits and '-'"
        )
    try:
        async with ApiClient(access) as api:
            return await command(Cluster(api, namespace, access, scope))
    except ApiError as error:
        raise CommandError(_explain(error, access.server)) from error
    except KubeconfigError as error:
        raise CommandError(f"{access.server}: {error}: log in again, or choose another --context") from error


async def read_trigger(cluster: Cluster, name: str) -> dict[str, Any]:
    """Returns a trigger of the API server.

    Raises:
        CommandError: there is none of that name.
    """
    found = await cluster.api.find(paths.trigger(cluster.namespace, name))
    if found is None:
        raise CommandError(
            f"no ClusterTrigger {name!r} in namespace {cluster.namespace!r}: kubectl get clustertriggers lists them"
        )
    return found


async def pods_of(cluster: Cluster, job: str) -> list[dict[str, Any]]:
    """Returns the Pods of a Job, oldest first."""
    pods = await cluster.api.list(paths.pods(cluster.namespace), labelSelector=paths.job_selector(job))
    return sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))


def _access(scope: Scope) -> tuple[Access, str]:
    """Returns how to access the cluster, and the namespace of its context.

    The kubeconfig takes precedence, as with kubectl.
    """
    impersonation = Impersonation(scope.user, scope.groups)
    try:
        context = load_context(scope.kubeconfig, scope.context)
        return access_by(context, impersonation), context.namespace
    except KubeconfigError as error:
        pod_namespace = POD_ACCOUNT / "namespace"
        host = os.environ.get("KUBERNETES_SERVICE_HOST")
        if scope.kubeconfig is None and scope.context is None and host and pod_namespace.exists():
            access = access_in_pod(host, os.environ.get("KUBERNETES_SERVICE_PORT", "443"), impersonation)
            return access, pod_namespace.read_text().strip()
        raise CommandError(_no_kubeconfig(error, scope)) from error


def _no_kubeconfig(error: Exception, scope: Scope) -> str:
    reason = one_line(error).rstrip(".")
    if scope.kubeconfig and not Path(scope.kubeconfig).is_file():
        return f"--kubeconfig: {scope.kubeconfig!r}: no such file: name a kubeconfig"
    if scope.context:
        return f"--context: {scope.context!r}: {reason}: kubectl config get-contexts lists the contexts"
    if scope.kubeconfig:
        return f"--kubeconfig: {scope.kubeconfig!r}: {reason}: correct it, or name another file"
    return f"cannot connect to a cluster: {reason}: set KUBECONFIG or --kubeconfig"


def _explain(error: ApiError, server: str) -> str:
    message = one_line(error)
    if error.is_unanswered:
        return f"{server}: {message}: check the cluster and the context"
    if error.is_unauthenticated:
        return f"{server}: not authenticated: log in again, or choose another --context"
    if error.is_forbidden:
        return f"{message}: ask for that right"
    if error.is_unknown_kind:
        return f"{server}: the cluster has no ClusterTriggers: install the chart, or choose another --context"
    return message
