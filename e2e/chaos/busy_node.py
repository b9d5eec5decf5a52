"""Simulates nodes for many runs per second: watches the Pods, and completes each run when its Pod exists."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from clustertrigger.api.names import WORKER_CONTAINER
from clustertrigger.core.instants import format_instant
from clustertrigger.core.kube import paths
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.shell.kube.api_server import ApiServer
from harness.control_plane.kubelet import COMPLETED
from harness.control_plane.watching import watch

_AT_ONCE = 16
_PAUSE = 0.2
"""Seconds until an ended watch is restarted."""


class BusyNode:
    """Completes the runs of a namespace.

    Attributes:
        completed: Number of completed runs so far.
    """

    def __init__(self, api: ApiServer, namespace: str) -> None:
        self.completed = 0
        self._api = api
        self._path = paths.pods(namespace)
        self._pods: asyncio.Queue[str] = asyncio.Queue()

    async def work(self) -> None:
        """Watches the Pods and completes them, in an endless loop."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            for _ in range(_AT_ONCE):
                tasks.create_task(self._complete_all())

    async def _follow(self) -> None:
        while True:
            with suppress(ApiError):
                pods, version = await self._api.list(self._path)
                for pod in pods:
                    self._saw(pod)
                async for change in watch(self._api, self._path, version):
                    if change["type"] == "ADDED":
                        self._saw(change["object"])
            await asyncio.sleep(_PAUSE)

    def _saw(self, pod: dict[str, Any]) -> None:
        if pod["status"].get("phase", "Pending") == "Pending":
            self._pods.put_nowait(pod["metadata"]["name"])

    async def _complete_all(self) -> None:
        while True:
            pod = await self._pods.get()
            with suppress(ApiError):  # it may have been deleted with its trigger
                await self._api.merge_patch(f"{self._path}/{pod}/status", {"status": _completed()})
                self.completed += 1


@asynccontextmanager
async def busy_node(api: ApiServer, namespace: str) -> AsyncIterator[BusyNode]:
    """Completes every run of a namespace while the context lasts."""
    node = BusyNode(api, namespace)
    working = asyncio.create_task(node.work())
    try:
        yield node
    finally:
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working


def _completed() -> dict[str, Any]:
    now = format_instant(datetime.now(UTC).replace(microsecond=0))
    ended = {
        "exitCode": 0,
        "reason": "Completed",
        "message": COMPLETED.to_message(),
        "startedAt": now,
        "finishedAt": now,
    }
    container = {
        "name": WORKER_CONTAINER,
        "image": "worker:test",
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "state": {"terminated": ended},
    }
    return {"phase": "Succeeded", "startTime": now, "containerStatuses": [container]}
