"""A stream of triggers that live for a moment: each is created, fires, sees its run completed, and is deleted."""

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
"""What the names of all triggers begin with."""
_AT_ONCE = 16
"""Creations, and deletions, that are under way."""
_MOST = 200
"""Triggers, or Jobs of triggers that are gone, that may be there: the stream waits where less is carried than asked."""
_TICK = 0.05
_PATIENCE = 120.0


class Churn:
    """What the stream has done so far.

    Args:
        api: the administrator's.
        namespace: where everything happens.
        rate: triggers a second, as far as they are carried.
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
        """Triggers that are deleted, and their Jobs with them."""
        return self.created - max(len(self._triggers), len(self._jobs))

    async def one(self) -> None:
        """One trigger comes and goes: the garbage collector needs half a minute to learn of the CRDs.

        Raises:
            TimeoutError: something is still there, long after.
        """
        self._ask(1)
        await self._until_all_are_gone()

    async def run(self, seconds: float) -> None:
        """Creates triggers for so long, and waits until all are gone.

        Raises:
            TimeoutError: some are still there, long after.
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
        """Carries the stream, in an endless loop."""
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
            while self.completed < self._asked or self._triggers or self._jobs:  # noqa: ASYNC110 - told by watches
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
        """Keeps a set of the names that are there."""
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
    """A stream, and nodes that complete its runs, while the context lasts."""
    churn = Churn(api, namespace, rate)
    async with busy_node(api, namespace):
        working = asyncio.create_task(churn.work())
        try:
            yield churn
        finally:
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
