"""`kubectl clustertrigger watch`: shows a run's progress and its outcome."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import click

from clustercontract.counted import counted
from clustertrigger.api.conditions import ConditionType, EventReason
from clustertrigger.api.names import ANNOTATION_RUN_REQUESTED
from clustertrigger.api.status import ClusterTriggerStatus, Execution, find_condition
from clustertrigger.cli.cluster import Cluster, read_trigger
from clustertrigger.cli.command import PROG, add_command, name_argument, on_cluster, run_option
from clustertrigger.cli.kube import paths
from clustertrigger.cli.progress_bar import Display
from clustertrigger.cli.run_log import POLL_SECONDS, follow_run
from clustertrigger.cli.scope import CommandError
from clustertrigger.core.instants import format_instant
from clustertrigger.core.jobs.slot import ManualSlot
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.requested import run_requested

_REQUEST_SECONDS = 60.0
"""Maximum number of seconds until a requested run must appear."""


def add_watch(group: click.Group) -> None:
    """Declares the command."""

    @add_command(group, "watch", section="See", examples=[f"{PROG} watch nightly -n search"])
    @on_cluster
    @name_argument
    @run_option("Run to follow. Default: the newest active run, or else the last run.")
    async def command(cluster: Cluster, name: str, job: str | None) -> int:
        """Follow a run to its end.

        Shows the phase of the trigger's newest active run, its progress and the remaining time, and then the outcome.
        If no run is active, shows the outcome of the last one. If a run was just requested, the command waits for it.

        You need the rights to get the trigger and its Job, to list Pods, and to get their logs.

        Exit codes: 0 the run completed, 1 the run failed or there is no run, 2 wrong usage.
        """
        return await watch(cluster, name, job)


async def watch(cluster: Cluster, name: str, job: str | None = None) -> int:
    """Follows a run to its end. Returns 0 if it completed, else 1."""
    with Display(sys.stdout, time.monotonic) as display:
        run = await _chosen(cluster, name, job, display)
        if run.status in ("pending", "running"):
            display.say(_fired(run))
        return await _follow(cluster, name, run, display)


async def watch_request(cluster: Cluster, name: str, token: str) -> int:
    """Waits for the run that was requested with this token, and follows it to its end.

    Returns 0 if it completed, else 1.

    Raises:
        CommandError: it did not start; the line says why, as far as that is known.
    """
    deadline = time.monotonic() + _REQUEST_SECONDS
    with Display(sys.stdout, time.monotonic) as display:
        display.waiting("waiting for the operator to start the run")
        while True:
            status = await read_status(cluster, name)
            if requested := next((run for run in status.history if run.slot == str(ManualSlot(token))), None):
                display.say(_fired(requested))
                return await _follow(cluster, name, requested, display)
            if status.last_run_requested == token:
                raise CommandError(f"the run did not start: {await _why_ignored(cluster, name, token)}")
            if time.monotonic() > deadline:
                raise CommandError(_not_begun(status, token))
            await asyncio.sleep(POLL_SECONDS)


def _fired(run: Execution) -> str:
    return f"{run.job_id}, fired for {run.slot}"


async def _why_ignored(cluster: Cluster, name: str, token: str) -> str:
    """Returns the message of the operator's event, if the user may read events."""
    remedy = f"{PROG} describe {name} shows details"
    with suppress(ApiError):
        for event in await cluster.api.list(
            paths.events(cluster.namespace),
            fieldSelector=f"involvedObject.name={name},reason={EventReason.REQUEST_IGNORED}",
        ):
            if token in str(event.get("message")):
                return str(event["message"])
    return remedy


async def _follow(cluster: Cluster, name: str, run: Execution, display: Display) -> int:
    follower: asyncio.Task[None] | None = None
    try:
        while run.status in ("pending", "running"):
            if follower is None:
                follower = asyncio.create_task(follow_run(cluster, run.job_id, display))
            await asyncio.sleep(POLL_SECONDS)
            display.refresh()
            if follower.done() and (error := follower.exception()):
                raise error
            run = named_run((await read_status(cluster, name)).history, run.job_id)
    finally:
        if follower:
            follower.cancel()
            with suppress(asyncio.CancelledError):
                await follower
    display.say(outcome(run))
    return 0 if run.status == "completed" else 1


def outcome(run: Execution) -> str:
    """Returns the outcome of a run, in one line."""
    took = "" if run.execution_time_ms is None else f" after {run.execution_time_ms / 1000:.0f} s"
    if run.status != "completed":
        return f"{run.job_id} failed{took}: {run.error or 'no reason is known'}"
    clusters = "" if run.num_clusters is None else f"{counted(run.num_clusters, 'cluster')} of "
    found = "" if run.num_documents is None else f": {clusters}{counted(run.num_documents, 'document')}"
    return f"{run.job_id} completed{took}{found}" + (f" in {run.results_uri}" if run.results_uri else "")


async def read_status(cluster: Cluster, name: str) -> ClusterTriggerStatus:
    """Returns a trigger's status.

    Raises:
        CommandError: there is no trigger of that name.
    """
    raw: dict[str, Any] = (await read_trigger(cluster, name)).get("status") or {}
    return ClusterTriggerStatus.read(raw)


def named_run(history: Sequence[Execution], job: str) -> Execution:
    """Returns the run of a Job.

    Raises:
        CommandError: The history has no run.
    """
    for run in history:
        if run.job_id == job:
            return run
    raise CommandError(f"--run: {job!r} is not in the trigger's history: kubectl clustertrigger results lists its runs")


async def _chosen(cluster: Cluster, name: str, job: str | None, display: Display) -> Execution:
    """Returns the run that the user means.

    Raises:
        CommandError: there is none.
    """
    waited, deadline = False, time.monotonic() + _REQUEST_SECONDS
    while True:
        trigger = await read_trigger(cluster, name)
        status = ClusterTriggerStatus.read(trigger.get("status") or {})
        if job is not None:
            return named_run(status.history, job)
        token = run_requested(trigger) or ""
        if not token or token == status.last_run_requested:
            if waited and not any(run.slot == str(ManualSlot(token)) for run in status.history):
                raise CommandError(
                    f"{_requested_run(token)} did not start: kubectl describe clustertrigger {name} says why"
                )
            return _newest(status, name, token)
        if time.monotonic() > deadline:
            raise CommandError(_not_begun(status, token))
        waited = True
        display.waiting(f"waiting for {_requested_run(token)}")
        await asyncio.sleep(POLL_SECONDS)


def _newest(status: ClusterTriggerStatus, name: str, token: str) -> Execution:
    """Returns the run that was requested last if it is active, else the newest active one, else the newest one."""
    active = [run for run in status.history if run.status in ("pending", "running")]
    requested = [run for run in active if token and run.slot == str(ManualSlot(token))]
    for run in (*requested, *active, *status.history):
        return run
    coming = format_instant(status.next_scheduled_at) if status.next_scheduled_at else None
    raise CommandError(
        f"trigger {name!r} has not run yet: "
        + (f"its next run is at {coming}" if coming else f"{PROG} run {name} --wait runs it now")
    )


def _not_begun(status: ClusterTriggerStatus, token: str) -> str:
    ready = find_condition(status.conditions, ConditionType.READY)
    why = (ready and ready.message) or "is the operator running?"
    return f"{_requested_run(token)} did not start within {_REQUEST_SECONDS:.0f} s: {why}"


def _requested_run(token: str) -> str:
    return f"the requested run ({ANNOTATION_RUN_REQUESTED}: {token})"
