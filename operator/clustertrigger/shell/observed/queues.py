"""Reads the queue positions of Jobs from Kueue, which can be missing or deny the operator access."""

from __future__ import annotations

import asyncio
import logging
import time

from clustertrigger.core.jobs.queue_position import read_positions
from clustertrigger.core.kube import paths
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.shell.kube.api_server import ApiServer
from clustertrigger.shell.observed.runs import Queue, Runs

logger = logging.getLogger(__name__)

_EVERY = 10.0
"""Seconds between requests about a queue in which a run waits."""
_PAUSE = 60.0
"""Seconds until the next request about a queue that Kueue does not know, or denies access to."""


class Queues:
    """Keeps the positions of waiting runs up to date.

    Args:
        api: The API server.
        runs: The runs, whose positions are updated.
        every: Seconds between two requests about a queue.
    """

    def __init__(self, api: ApiServer, runs: Runs, every: float = _EVERY) -> None:
        self._api = api
        self._runs = runs
        self._every = every
        self._ask_again_at: dict[Queue, float] = {}

    async def run(self) -> None:
        """Asks periodically, in an endless loop. While no run waits in a queue, no request is made."""
        while True:
            await self.ask()
            await asyncio.sleep(self._every)

    async def ask(self) -> None:
        """Requests the positions of each queue in which a run waits, once."""
        positions: dict[str, int] = {}
        queues = self._runs.queues()
        self._ask_again_at = {queue: at for queue, at in self._ask_again_at.items() if queue in queues}
        for queue in sorted(queues):
            if time.monotonic() < self._ask_again_at.get(queue, 0.0):
                continue
            try:
                positions |= await self._ask(*queue)
            except ApiError as error:
                # Any other error may not occur the next time.
                if error.is_not_found or error.is_forbidden:
                    if queue not in self._ask_again_at:
                        logger.info("Positions in LocalQueue %s/%s are not shown: %s", *queue, error)
                    self._ask_again_at[queue] = time.monotonic() + _PAUSE
        self._runs.place(positions)

    async def _ask(self, namespace: str, queue: str) -> dict[str, int]:
        try:
            return read_positions(await self._api.get(paths.pending_workloads("v1beta2", namespace, queue)))
        except ApiError as error:
            if not error.is_not_found:
                raise
        # Older releases of Kueue serve only this version.
        return read_positions(await self._api.get(paths.pending_workloads("v1beta1", namespace, queue)))
