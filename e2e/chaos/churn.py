"""Runs a stream of short-lived triggers: each is created, fires, and is deleted after its run is completed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from clustertrigger.core.kube import paths
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.resources.trigger import Key
from clustertrigger.shell.kube.api_server import ApiServer
from e2e.chaos.busy_node import busy_node
from harness.control_plane.manifests import interval, trigger
from harness.control_plane.watching import watch

NAME = "churn-"
"""Prefix of the names of all triggers."""
_AT_ONCE = 16
"""Maximum number of concurrent creations, and of concurrent deletions."""
_MOST = 200
"""Maximum number of existing triggers, or of Jobs of deleted triggers. The stream pauses at this number."""
_TICK = 0.05
_PATIENCE = 120.0


class Churn:
    """Creates and deletes the triggers of the stream, and counts them.

    Args:
        api: Client of the administrator.
        namespace: Namespace of the triggers.
        rate: Intended number of triggers per second.
    """

    def __init__(self, api: ApiServer, namespace: str, rate: float) -> None:
        self.created = 0
        self.completed = 0
        self._asked = 0
        self._api = api
        self._namespace = namespace
        self._rate = rate
        self._to_create: asyncio.Queue[str] = asyncio.Queue()
        self._to_delete: asyncio.Queue[str] = asyncio.Queue()
        self._triggers: set[str] = set()
        self._jobs: set[str] = set()
        self._done: set[str] = set()

    @property
    def gone(self) -> int:
        """Number of triggers that were deleted with their Jobs."""
        return self.created - max(len(self._triggers), len(self._jobs))

    async def one(self) -> None:
        """Creates and deletes one trigger, because the garbage collector needs half a minute to discover the CRDs.

        Raises:
            TimeoutError: the trigger or its Job was not deleted in time.
        """
        self._ask(1)
        await self._until_all_are_gone()

    async def run(self, seconds: float) -> None:
        """Creates triggers for this number of seconds, and waits until all are deleted.

        Raises:
            TimeoutError: some triggers or Jobs were not deleted in time.
        """
        began, due = time.monotonic(), 0.0
        while time.monotonic() - began < seconds:
            due = min(due + self._rate * _TICK, _MOST)
            number = min(int(due), _MOST - (self._asked - self.gone))
            if number > 0:
                self._ask(number)
                due -= number
            await asyncio.sleep(_TICK)
        await self._until_all_are_gone()

    async def work(self) -> None:
        """Creates, observes and deletes the triggers, in an endless loop."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(paths.custom("clustertriggers", self._namespace), self._triggers))
            tasks.create_task(self._follow(paths.jobs(self._namespace), self._jobs))
            for _ in range(_AT_ONCE):
                tasks.create_task(self._create())
                tasks.create_task(self._delete())

    def _ask(self, number: int) -> None:
        for _ in range(number):
            self._to_create.put_nowait(f"{NAME}{self._asked:07d}")
            self._asked += 1

    async def _until_all_are_gone(self) -> None:
        async with asyncio.timeout(_PATIENCE):
            while self.completed < self._asked or self._triggers or self._jobs:  # noqa: ASYNC110 - watches update them
                await asyncio.sleep(_TICK)

    async def _create(self) -> None:
        path = paths.custom("clustertriggers", self._namespace)
        while True:
            name = await self._to_create.get()
            await self._api.create(path, trigger(name, interval(86_400, start_immediately=True)))
            self.created += 1

    async def _delete(self) -> None:
        while True:
            name = await self._to_delete.get()
            await self._api.delete(paths.trigger(Key(self._namespace, name)))

    async def _follow(self, path: str, present: set[str]) -> None:
        """Updates a set with the names of existing objects, in an endless loop."""
        while True:
            with suppress(ApiError):
                listed, version = await self._api.list(path)
                present.clear()
                for raw in listed:
                    self._saw("ADDED", raw, present)
                async for change in watch(self._api, path, version):
                    self._saw(change["type"], change["object"], present)

    def _saw(self, how: str, raw: dict[str, Any], present: set[str]) -> None:
        if how == "BOOKMARK":
            return
        name = raw["metadata"]["name"]
        if how == "DELETED":
            present.discard(name)
            self._done.discard(name)
            return
        present.add(name)
        if (raw.get("status") or {}).get("execution_count", 0) == 1 and name not in self._done:
            self._done.add(name)
            self.completed += 1
            self._to_delete.put_nowait(name)


@asynccontextmanager
async def churning(api: ApiServer, namespace: str, rate: float) -> AsyncIterator[Churn]:
    """Runs a stream, and simulated nodes that complete its runs, while the context lasts."""
    churn = Churn(api, namespace, rate)
    async with busy_node(api, namespace):
        working = asyncio.create_task(churn.work())
        try:
            yield churn
        finally:
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
