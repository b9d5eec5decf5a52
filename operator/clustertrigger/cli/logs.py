"""`kubectl clustertrigger logs`: prints the log of a run's or a check's worker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import click
from rich.text import Text

from clustertrigger.api.names import WORKER_CONTAINER
from clustertrigger.cli.cluster import Cluster, pods_of, read_trigger
from clustertrigger.cli.command import PROG, add_command, name_argument, on_cluster, run_option
from clustertrigger.cli.kube import paths
from clustertrigger.cli.run_log import POLL_SECONDS, lines_of, observe, why_waiting
from clustertrigger.cli.scope import CommandError
from clustertrigger.cli.terminal import printable, say, styled, warn
from clustertrigger.core.humanize import duration
from clustertrigger.core.jobs.pod_view import read_pod
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.trigger_state import TriggerState

_LEVELS = {"error": "red", "warning": "yellow", "info": ""}


def add_logs(group: click.Group) -> None:
    """Declares the command."""

    @add_command(
        group, "logs", section="See", examples=[f"{PROG} logs nightly -n search -f", f"{PROG} logs nightly --raw"]
    )
    @on_cluster
    @name_argument
    @run_option("Run or check whose log is shown. Default: the newest run.")
    @click.option("--check", is_flag=True, help="Print the log of the newest check of a conditional trigger.")
    @click.option("-f", "--follow", is_flag=True, help="Follow the log through all attempts until the run ends.")
    @click.option("--raw", is_flag=True, help="Print the lines as the worker wrote them, as JSON.")
    async def command(cluster: Cluster, name: str, job: str | None, check: bool, follow: bool, raw: bool) -> int:
        """Print the log of a run.

        Prints the log of the newest run, or of another run or check (--run, --check). If the run was retried, prints
        the logs of all attempts. A Pod and its log exist for about an hour after the run.
        """
        if job and check:
            raise click.UsageError("--run and --check cannot be used together: remove one of them")
        run = job or await _newest(cluster, name, check=check)
        return await logs(cluster, run, follow=follow, raw=raw)


async def logs(cluster: Cluster, job: str, *, follow: bool, raw: bool) -> int:
    """Prints the log of a Job's attempts.

    Raises:
        CommandError: there is none.
    """
    printed = 0
    async for number, pod in _attempts(cluster, job, follow=follow):
        if number > 1:
            warn(f"attempt {number}: Pod {pod['metadata']['name']}")
        async for line in _lines(cluster, pod, follow=follow):
            print(printable(line)) if raw else say(readable(line))
        printed = number
    if not printed:
        raise CommandError(await _why_none(cluster, job))
    return 0


def readable(line: str) -> Text:
    """Formats a line of the worker's log. Other lines stay unchanged."""
    try:
        entry = json.loads(line)
    except ValueError:
        return styled(line, "")
    if not isinstance(entry, dict) or "message" not in entry:
        return styled(line, "")
    style = _LEVELS.get(str(entry.get("level")), "")
    phase = str(entry.get("phase") or "")
    place = f" {entry['step']}/{entry['steps']}" if "step" in entry and "steps" in entry else ""
    message = str(entry["message"])
    if isinstance(done := entry.get("done"), int | float) and (done or not message):
        left = entry.get("seconds_left")
        message += f"  {done:.0%}" + (f", {duration(left)} left" if isinstance(left, int) else "")
    clock = str(entry.get("time") or "")[11:19]
    return Text.assemble(
        (f"{printable(clock):<8}  ", "dim"),
        (f"{printable(phase + place):<12}  ", "bold"),
        styled(message.strip(), style),
    )


async def _newest(cluster: Cluster, name: str, *, check: bool) -> str:
    state = TriggerState(await read_trigger(cluster, name))
    if check:
        if not state.status.checks:
            raise CommandError(f"trigger {name!r} has no checks yet: only conditional triggers have checks")
        return state.status.checks[0].job_id
    if state.last is None:
        raise CommandError(f"trigger {name!r} has not run yet: {PROG} run {name} --wait runs it now")
    return state.last.job_id


async def _attempts(cluster: Cluster, job: str, *, follow: bool) -> AsyncIterator[tuple[int, dict[str, Any]]]:
    """Yields the Pods of a Job that have started, with their number; with `follow`, also future ones."""
    seen: set[str] = set()
    waited = ""
    while True:
        pods = await pods_of(cluster, job)
        started = [pod for pod in pods if (view := read_pod(pod)).running or view.terminated]
        fresh = [pod for pod in started if pod["metadata"]["uid"] not in seen]
        for pod in fresh:
            seen.add(pod["metadata"]["uid"])
            yield len(seen), pod
        if not follow:
            return
        if not fresh:
            run = await observe(cluster, job)
            if run is None or run.phase in ("completed", "failed"):
                return
            if not seen and waited != (waited := why_waiting(run)):
                warn(waited)
            await asyncio.sleep(POLL_SECONDS)


async def _lines(cluster: Cluster, pod: dict[str, Any], *, follow: bool) -> AsyncIterator[str]:
    if follow:
        async for line in lines_of(cluster, pod):
            yield line
        return
    path = paths.pod(cluster.namespace, pod["metadata"]["name"])
    for line in (await cluster.api.text(f"{path}/log", container=WORKER_CONTAINER)).splitlines():
        yield line


async def _why_none(cluster: Cluster, job: str) -> str:
    try:
        run = await observe(cluster, job)
    except ApiError:
        run = None
    if run and run.phase == "pending":
        return f"{job} has no log yet: {why_waiting(run)}: -f waits for it"
    return f"{job} has no log: its Pods were deleted, or namespace {cluster.namespace!r} has no such run"
