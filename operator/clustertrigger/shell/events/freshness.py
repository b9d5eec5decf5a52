"""Triggers that were applied a moment ago: a watch may show them late, or be broken."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict

from clustertrigger.core.kube.paths import custom
from clustertrigger.shell.kube.api_server import ApiServer
from clustertrigger.shell.kube.reading import read_or_skip
from clustertrigger.shell.observed.intake import Triggers

_FRESH = 1.0
"""Seconds for which a list is good enough."""
_SHARE = 20
"""A list is good for this many times as long as it took: a namespace of thousands is not listed all the time."""

_MOST_REMEMBERED = 1_000


class Freshness:
    """Makes sure that what is known of a namespace's triggers is about a second old at most."""

    def __init__(self, api: ApiServer, triggers: Triggers) -> None:
        self._api = api
        self._triggers = triggers
        self._good_until: dict[str, float] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def ensure(self, namespace: str) -> None:
        """Lists the namespace's triggers, unless that was done just now.

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
        """Senders that may send everywhere can name as many namespaces as they like."""
        if len(self._locks) <= _MOST_REMEMBERED:
            return
        now = time.monotonic()
        for namespace in [name for name, lock in self._locks.items() if not lock.locked()]:
            if self._good_until.get(namespace, 0.0) < now:
                del self._locks[namespace]
                self._good_until.pop(namespace, None)
