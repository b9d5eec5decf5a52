"""Completes names of objects in the cluster, for shells and for kubectl, quickly and without error messages.

To complete `kubectl clustertrigger …`, kubectl (1.26 and later) runs the program kubectl_complete-clustertrigger, which
this package also installs: https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from clustertrigger.cli.scope import CommandError, Scope

if TYPE_CHECKING:
    from clustertrigger.cli.cluster import Cluster

_SECONDS = 3.0


def triggers(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Returns the names of triggers that begin with the given text."""
    from clustertrigger.cli.kube import paths

    async def ask(cluster: Cluster) -> list[str]:
        return _names(await cluster.api.list(paths.triggers(cluster.namespace)))

    return _beginning(_answers(ctx, ask), incomplete)


def runs(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Returns the Jobs in the history of the trigger on the command line that begin with the given text."""
    from clustertrigger.cli.kube import paths

    # While an option has no value yet, click does not parse the arguments.
    name = ctx.params.get("name") or next(iter(ctx.args), None)

    async def ask(cluster: Cluster) -> list[str]:
        found = await cluster.api.find(paths.trigger(cluster.namespace, str(name)))
        return [str(run["job_id"]) for run in ((found or {}).get("status") or {}).get("history") or ()]

    return _beginning(_answers(ctx, ask), incomplete) if name else []


def namespaces(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Returns the namespaces that begin with the given text."""
    from clustertrigger.cli.kube import paths

    async def ask(cluster: Cluster) -> list[str]:
        return _names(await cluster.api.list(paths.namespaces()))

    return _beginning(_answers(ctx, ask), incomplete)


def contexts(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Returns the contexts of the kubeconfig that begin with the given text."""
    from clustertrigger.cli.kube.kubeconfig import KubeconfigError, context_names

    try:
        return _beginning(context_names(ctx.ensure_object(Scope).kubeconfig), incomplete)
    except KubeconfigError:
        return []


def _answers(ctx: click.Context, ask: Any) -> list[str]:
    """Returns what the cluster answers in time.

    Errors are ignored, because their text would appear in the command line.
    """
    from clustertrigger.cli.cluster import connected

    found: list[str] = []

    async def act(cluster: Cluster) -> int:
        found.extend(await ask(cluster))
        return 0

    async def in_time() -> None:
        async with asyncio.timeout(_SECONDS):
            await connected(ctx.ensure_object(Scope), act)

    try:
        asyncio.run(in_time())
    except (CommandError, TimeoutError):
        return []
    return sorted(found)


def _names(items: list[dict[str, Any]]) -> list[str]:
    return [str(item["metadata"]["name"]) for item in items]


def _beginning(names: list[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
