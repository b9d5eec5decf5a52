"""`run`, `pause`, `resume` and `reset`: change a trigger, so that users need no annotations and patches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from clustercontract.counted import counted
from clustertrigger.api.names import ANNOTATION_RESET_REQUESTED, ANNOTATION_RUN_REQUESTED
from clustertrigger.cli import completion
from clustertrigger.cli.cluster import Cluster, read_trigger
from clustertrigger.cli.command import PROG, add_command, name_argument, on_cluster
from clustertrigger.cli.kube import paths
from clustertrigger.cli.scope import CommandError
from clustertrigger.cli.terminal import say, warn
from clustertrigger.core.effective_state import has_stopped, obstacle
from clustertrigger.core.instants import format_instant
from clustertrigger.core.resources.gitops import managed_by
from clustertrigger.core.trigger_state import TriggerState


def add_acting(group: click.Group) -> None:
    """Declares the commands."""

    @add_command(group, "run", section="Act", examples=[f"{PROG} run nightly -n search --wait"])
    @on_cluster
    @name_argument
    @click.option("--wait", is_flag=True, help="Follow the run to its end, as `watch` does.")
    async def run(cluster: Cluster, name: str, wait: bool) -> int:
        """Run a trigger now.

        Requests a run; the schedule stays as it is. A paused trigger does not run. While another run is active, the
        trigger's concurrency policy decides: Forbid refuses the request.

        Exit codes with --wait: 0 the run completed, 1 it failed or did not start.
        """
        return await request_run(cluster, name, wait=wait)

    @add_command(group, "pause", section="Act", examples=[f"{PROG} pause nightly -n search"])
    @on_cluster
    @_names_argument
    async def pause(cluster: Cluster, names: Sequence[str]) -> int:
        """Stop triggers from firing; events are still counted.

        Sets spec.status to paused. Active runs continue. Slots that pass in the meantime do not fire later.
        """
        return await set_status(cluster, names, "paused", "paused")

    @add_command(group, "resume", section="Act", examples=[f"{PROG} resume nightly -n search"])
    @on_cluster
    @_names_argument
    async def resume(cluster: Cluster, names: Sequence[str]) -> int:
        """Let paused or disabled triggers fire again.

        Sets spec.status to active. Slots that passed in the meantime do not fire. A trigger that stopped after too many
        failed runs needs `reset` instead.
        """
        return await set_status(cluster, names, "active", "resumed")

    @add_command(group, "reset", section="Act", examples=[f"{PROG} reset nightly -n search"])
    @on_cluster
    @_names_argument
    async def reset(cluster: Cluster, names: Sequence[str]) -> int:
        """Restart triggers that stopped after too many failed runs.

        Sets the number of consecutive failures to 0. Nothing else changes.
        """
        for name in names:
            found = TriggerState(await read_trigger(cluster, name))
            failures = found.status.consecutive_failures
            await _annotate(cluster, name, ANNOTATION_RESET_REQUESTED, _token())
            say(f"{_title(name)} reset: {counted(failures, 'failed run')} in a row cleared")
            if found.raw["spec"].get("status", "active") != "active":
                warn(f"{name} is {found.raw['spec']['status']} by spec.status: {PROG} resume {name} lets it fire")
        return 0


async def request_run(cluster: Cluster, name: str, *, wait: bool) -> int:
    """Requests a run and, with `wait`, follows it to its end.

    Returns:
        0 where the run was requested, or with `wait` completed; else 1.

    Raises:
        CommandError: the operator would ignore the request.
    """
    found = TriggerState(await read_trigger(cluster, name))
    if obstacle := why_not_now(found):
        raise CommandError(f"trigger {name!r} {obstacle}")
    token = _token()
    await _annotate(cluster, name, ANNOTATION_RUN_REQUESTED, token)
    if wait:
        from clustertrigger.cli.watch import watch_request

        return await watch_request(cluster, name, token)
    say(f"{_title(name)} run requested")
    warn(f"{PROG} watch {name} -n {cluster.namespace} follows it")
    return 0


def why_not_now(state: TriggerState) -> str | None:
    """Returns why the operator would ignore a request to run now, and the remedy; None if it would not."""
    found = obstacle(state.raw)
    if found is None:
        return None
    if found.run is not None:
        return (
            f"has an active run, {found.run}, and run.concurrency_policy is Forbid: "
            f"{PROG} watch {state.name} follows that run"
        )
    if has_stopped(state.raw):
        return (
            f"has stopped after {counted(state.status.consecutive_failures, 'failed run')} in a row: correct the "
            f"cause, then {PROG} reset {state.name} lets it run again"
        )
    return f"is {found.status} by spec.status and cannot run: {PROG} resume {state.name} lets it run again"


async def set_status(cluster: Cluster, names: Sequence[str], status: str, done: str) -> int:
    """Sets spec.status of triggers, and prints what this does not change."""
    for name in names:
        found = TriggerState(await read_trigger(cluster, name))
        before = found.raw["spec"].get("status", "active")
        if before == status:
            say(f"{_title(name)} unchanged: spec.status is {status} already")
        else:
            await cluster.api.merge_patch(paths.trigger(cluster.namespace, name), {"spec": {"status": status}})
            say(f"{_title(name)} {done}" + (f" (was {before})" if before not in ("active", "paused") else ""))
            if tool := managed_by(found.raw["metadata"]):
                warn(f"{name} is managed by {tool}, which may set spec.status back: change it at the source too")
        if status == "active" and before == status and has_stopped(found.raw):
            warn(f"{name} has stopped after too many failed runs: {PROG} reset {name} lets it fire again")
    return 0


async def _annotate(cluster: Cluster, name: str, annotation: str, value: str) -> None:
    body = {"metadata": {"annotations": {annotation: value}}}
    await cluster.api.merge_patch(paths.trigger(cluster.namespace, name), body)


def _token() -> str:
    """Returns a value that no earlier request had.

    It contains microseconds, so that two requests within a second differ.
    """
    return format_instant(datetime.now(UTC))


def _title(name: str) -> str:
    return f"clustertrigger.clustertrigger.dev/{name}"


def _names_argument(function: Any) -> Any:
    return click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=completion.triggers)(
        function
    )
