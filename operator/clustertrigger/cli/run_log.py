"""Follows the log of a run through all attempts, and says what it waits for in between."""

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
"""What is asked for again of a log whose connection has ended while the Pod runs."""


class Shows(Protocol):
    """What shows a run's progress."""

    def line(self, text: str) -> None:
        """A line of the worker's log has come."""

    def waiting(self, why: str) -> None:
        """The run has not started, or is between two attempts."""

    def say(self, text: str) -> None:
        """Something is worth a line that stays."""


async def follow_run(cluster: Cluster, job: str, display: Shows) -> None:
    """Show a run's progress until cancelled, or until nothing of it may be seen."""
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
    """What a run's Job and Pods tell; None where the Job is gone."""
    found = await cluster.api.find(paths.job(cluster.namespace, job))
    view = None if found is None else read_job(found)
    return None if view is None else observe_run(view, [read_pod(pod) for pod in await pods_of(cluster, job)])


async def lines_of(cluster: Cluster, pod: dict[str, Any]) -> AsyncIterator[str]:
    """Yield the log lines of one Pod, each once, until it ends; a connection that ends on the way is made again.

    A log ends with its container, a moment before the Pod's status says that it has ended.
    """
    path = paths.pod(cluster.namespace, pod["metadata"]["name"])
    tail: dict[str, str] = {}
    last: deque[str] = deque(maxlen=_LAST_LINES)
    while True:
        known = list(last)
        # Where in the known lines this connection may have begun; none once it has come to new ones.
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
    """Return what a run that has no running Pod waits for, in words."""
    if run is None:
        return "the Job was deleted: waiting for the operator to record that"
    if run.suspended:
        return "waiting in a queue: the Job is suspended"
    if run.phase == "pending":
        return f"waiting for the Pod: {run.obstacle}"
    return "waiting for the operator to record the end of the run"
