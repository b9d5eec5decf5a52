"""The cluster that a command talks to, chosen as kubectl chooses it: kubeconfig, context, namespace."""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from clustertrigger.cli.command import CommandError

if TYPE_CHECKING:
    from kubernetes.aio.client import Configuration

    from clustertrigger.shell.kube.api_server import ApiServer

_DEFAULT_NAMESPACE = "default"
_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_CONNECTIONS = 4


@dataclass(frozen=True)
class Cluster:
    """A cluster and a namespace in it.

    Attributes:
        api: its API server.
        namespace: given by -n, or else the context's, or else `default`.
        configuration: as whom it is reached.
    """

    api: ApiServer
    namespace: str
    configuration: Configuration


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """-n, --context and --kubeconfig, as kubectl has them: a plugin gets none of those that stand before its name."""
    parser.add_argument("-n", "--namespace", help="namespace (default: the context's)")
    parser.add_argument("--context", help="context of the kubeconfig (default: the current one)")
    parser.add_argument("--kubeconfig", metavar="FILE", help="kubeconfig (default: KUBECONFIG, or else ~/.kube/config)")


def in_cluster(options: argparse.Namespace, command: Callable[[Cluster], Awaitable[int]]) -> int:
    """Connect as the options say, carry a command out, and return its exit code.

    Raises:
        CommandError: no cluster is configured, or the API server said no, in one line.
    """
    return asyncio.run(_connected(options, command))


async def read_trigger(cluster: Cluster, name: str) -> dict[str, Any]:
    """Return a trigger as the API server has it.

    Raises:
        CommandError: there is none of that name.
    """
    from clustertrigger.core.resources.trigger import Key
    from clustertrigger.shell.kube import paths
    from clustertrigger.shell.kube.api_server import ApiError

    try:
        return await cluster.api.get(paths.trigger(Key(cluster.namespace, name)))
    except ApiError as error:
        if error.status != 404:
            raise
        raise CommandError(
            f"no ClusterTrigger {name!r} in namespace {cluster.namespace!r}: kubectl get clustertriggers lists them"
        ) from error


async def pods_of(cluster: Cluster, job: str) -> list[dict[str, Any]]:
    """Return the Pods of a Job, oldest first."""
    from clustertrigger.shell.kube import paths

    pods, _ = await cluster.api.list(paths.pods(cluster.namespace), labelSelector=paths.job_selector(job))
    return sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))


async def _connected(options: argparse.Namespace, command: Callable[[Cluster], Awaitable[int]]) -> int:
    # Commands about files do without the Kubernetes client, and its half second.
    from clustertrigger.shell.kube.api_server import ApiError, ApiServer
    from clustertrigger.shell.kube.paths import is_namespace
    from clustertrigger.shell.metrics import Metrics

    logging.getLogger("kubernetes").setLevel(logging.ERROR)  # what it warns of is in the error that follows
    configuration, namespace = await _configured(options.kubeconfig, options.context)
    namespace = options.namespace or namespace
    if not is_namespace(namespace):
        source = "--namespace" if options.namespace else "the context's namespace"
        raise CommandError(
            f"{source}: {namespace!r} is no name of a namespace: write up to 63 lower-case letters, digits and '-'"
        )
    try:
        async with ApiServer(configuration, Metrics(), _CONNECTIONS) as api:
            return await command(Cluster(api, namespace, configuration))
    except ApiError as error:
        raise CommandError(_explain(error, configuration.host)) from error


async def _configured(kubeconfig: str | None, context: str | None) -> tuple[Configuration, str]:
    """Return how to reach the cluster, and the namespace of its context: kubeconfig first, as kubectl does."""
    from kubernetes.aio.client import Configuration
    from kubernetes.aio.config import ConfigException, list_kube_config_contexts, load_kube_config

    configuration = Configuration()
    try:
        contexts, current = list_kube_config_contexts(kubeconfig)  # type: ignore[no-untyped-call]
        await load_kube_config(kubeconfig, context, configuration, persist_config=False)  # type: ignore[no-untyped-call]
    except (ConfigException, OSError, yaml.YAMLError) as error:
        if kubeconfig is None and context is None and (namespace := _load_service_account(configuration)):
            return configuration, namespace
        raise CommandError(_no_kubeconfig(error, kubeconfig, context)) from error
    chosen = next((item for item in contexts if item["name"] == context), current)
    return configuration, (chosen.get("context") or {}).get("namespace") or _DEFAULT_NAMESPACE


def _load_service_account(configuration: Configuration) -> str | None:
    """In a Pod, take its service account; return the Pod's namespace, None elsewhere."""
    from kubernetes.aio.config import load_incluster_config

    if not _POD_NAMESPACE.exists():
        return None
    load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    return _POD_NAMESPACE.read_text().strip()


def _no_kubeconfig(error: Exception, kubeconfig: str | None, context: str | None) -> str:
    reason = " ".join(str(error).split()).rstrip(".")
    if kubeconfig and not Path(kubeconfig).is_file():
        return f"--kubeconfig: {kubeconfig!r}: no such file: name a kubeconfig"
    if context:
        return f"--context: {context!r}: {reason}: kubectl config get-contexts lists what there is"
    if kubeconfig:
        return f"--kubeconfig: {kubeconfig!r}: {reason}: name a kubeconfig"
    return f"no cluster to talk to: {reason}: set KUBECONFIG or --kubeconfig"


def _explain(error: Exception, host: str) -> str:
    status = getattr(error, "status", 0)
    message = " ".join(str(error).split())
    if status == 0:
        return f"{host}: {message}: check the cluster and the context"
    if status == 401:
        return f"{host}: not authenticated: log in again, or choose another --context"
    if status == 403:
        return f"{message}: ask for that right"
    return message
