"""Finds triggers that were applied a moment ago, which a watch can report late, or not at all if it is broken."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict

from clustertrigger.core.kube.paths import custom
from clustertrigger.shell.kube.api_server import ApiServer
from clustertrigger.shell.kube.reading import read_or_skip
from clustertrigger.shell.observed.triggers import Triggers

_FRESH = 1.0
"""Seconds for which a list is recent enough."""
_SHARE = 20
"""A list is recent for this many times its duration, so that a namespace with thousands of triggers is not listed all
the time.
"""

_MOST_REMEMBERED = 1_000


class Freshness:
    """Ensures that what is known about a namespace's triggers is at most about a second old."""

    def __init__(self, api: ApiServer, triggers: Triggers) -> None:
        self._api = api
        self._triggers = triggers
        self._good_until: dict[str, float] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def ensure(self, namespace: str) -> None:
        """Lists the namespace's triggers, unless that was just done.

        Raises:
            ApiError: they could not be listed.
        """
        self._forget_old()
        async with self._locks[namespace]:
            started = time.monotonic()
            if started < self._good_until.get(namespace, 0.0):
                return
            triggers, _ = await self._api.list(custom("clustertriggers", namespace))
            for raw in triggers:
                read_or_skip(self._triggers.saw, raw)
            took = time.monotonic() - started
            self._good_until[namespace] = started + max(_FRESH, _SHARE * took)

    def _forget_old(self) -> None:
        """Removes old entries. A sender with permission for all namespaces can name any number of them."""
        if len(self._locks) <= _MOST_REMEMBERED:
            return
        now = time.monotonic()
        for namespace in [name for name, lock in self._locks.items() if not lock.locked()]:
            if self._good_until.get(namespace, 0.0) < now:
                del self._locks[namespace]
                self._good_until.pop(namespace, None)
