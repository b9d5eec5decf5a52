"""Follows the log of a run through all attempts, and reports what it waits for in between."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Protocol

from clustertrigger.api.names import WORKER_CONTAINER
from clustertrigger.cli.cluster import Cluster, pods_of
from clustertrigger.cli.kube import paths
from clustertrigger.core.jobs.job_view import read_job
from clustertrigger.core.jobs.pod_view import read_pod
from clustertrigger.core.jobs.workload import ObservedRun, observe_run
from clustertrigger.core.kube.answers import ApiError

POLL_SECONDS = 1.0
_LAST_LINES = 20
"""Number of lines that are requested again if the log's connection ends while the Pod runs."""


class Shows(Protocol):
    """Shows a run's progress."""

    def line(self, text: str) -> None:
        """Handles a line of the worker's log."""

    def waiting(self, why: str) -> None:
        """Shows that the run has not started, or is between two attempts."""

    def say(self, text: str) -> None:
        """Shows a permanent line."""


async def follow_run(cluster: Cluster, job: str, display: Shows) -> None:
    """Shows a run's progress until it is cancelled, or until the user may not see it."""
    followed: set[str] = set()
    while True:
        try:
            pods = await pods_of(cluster, job)
            started = [pod for pod in pods if (view := read_pod(pod)).running or view.terminated]
            fresh = [pod for pod in started if pod["metadata"]["uid"] not in followed]
            if fresh:
                async for line in lines_of(cluster, fresh[-1]):
                    display.line(line)
                followed |= {pod["metadata"]["uid"] for pod in started}
            else:
                display.waiting(why_waiting(await observe(cluster, job)))
        except ApiError as error:
            if error.is_unauthenticated or error.is_forbidden:
                display.say(f"no progress to show, only the outcome: {error}")
                return
            display.waiting(f"waiting for the API server: {error}")
        await asyncio.sleep(POLL_SECONDS)


async def observe(cluster: Cluster, job: str) -> ObservedRun | None:
    """Returns the state of a run's Job and Pods; None if the Job does not exist."""
    found = await cluster.api.find(paths.job(cluster.namespace, job))
    view = None if found is None else read_job(found)
    return None if view is None else observe_run(view, [read_pod(pod) for pod in await pods_of(cluster, job)])


async def lines_of(cluster: Cluster, pod: dict[str, Any]) -> AsyncIterator[str]:
    """Yields each log line of one Pod once, until the Pod ends, and reconnects if the connection ends early.

    A log ends with its container, shortly before the Pod's status shows that it has ended.
    """
    path = paths.pod(cluster.namespace, pod["metadata"]["name"])
    tail: dict[str, str] = {}
    last: deque[str] = deque(maxlen=_LAST_LINES)
    while True:
        known = list(last)
        # Positions in the known lines at which this connection may have begun; empty after the first new line.
        begins, number = list(range(len(known))), 0
        try:
            async for line in cluster.api.follow(f"{path}/log", container=WORKER_CONTAINER, **tail):
                begins = [begin for begin in begins if known[begin + number : begin + number + 1] == [line]]
                number += 1
                if not begins:
                    last.append(line)
                    yield line
        except ApiError as error:
            if not error.is_unanswered:
                raise
        if not read_pod(await cluster.api.get(path)).running:
            return
        tail = {"tailLines": str(_LAST_LINES)}
        await asyncio.sleep(POLL_SECONDS)


def why_waiting(run: ObservedRun | None) -> str:
    """Returns what a run without a running Pod waits for."""
    if run is None:
        return "the Job was deleted: waiting for the operator to record that"
    if run.suspended:
        return "waiting in a queue: the Job is suspended"
    if run.phase == "pending":
        return f"waiting for the Pod: {run.obstacle}"
    return "waiting for the operator to record the end of the run"
