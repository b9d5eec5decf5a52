"""Follows a collection: reads a list, and then the changes after it."""

from __future__ import annotations

import asyncio
import logging
import random
import time

from clustertrigger.core.kube.staleness import number_of
from clustertrigger.rest.api_server import ApiServer, WatchEndedError
from clustertrigger.rest.errors import RefusedError
from clustertrigger.rest.stores import Listed, Store

logger = logging.getLogger(__name__)
_PAUSES = (0.2, 1.0, 2.0, 5.0, 15.0)
"""Seconds until a failed watch is retried."""
_FORBIDDEN_PAUSE = 60.0
_FORBIDDEN, _TOO_MANY = 403, 429
_GAP = 2.0
"""Maximum number of seconds between two watches in which the cache stays valid."""


class Follower:
    """Reads a list, and then watches the changes after it, repeatedly."""

    def __init__(self, server: ApiServer, path: str, namespace: str | None, store: Store) -> None:
        self._server = server
        self._path = path
        self._namespace = namespace
        self._store = store
        self._version: str | None = None
        self._highest = 0
        """Version up to which everything is known."""
        self._has_listed = False
        self._may_differ = False
        """Whether the API server may have other objects than before, so that a watch alone is not sufficient."""
        self._open = False
        self._closed_at = 0.0
        self._failures = 0
        self.is_refused = False
        """Whether the watch is forbidden, so that nothing is known for certain."""

    @property
    def is_current(self) -> bool:
        """Whether all triggers are known and changes are reported."""
        known = self._version is not None
        return known and (self._open or time.monotonic() - self._closed_at < _GAP)

    async def follow(self) -> None:
        """Runs in an endless loop."""
        while True:
            try:
                if self._version is None or self._may_differ:
                    await self._list()
                await self._watch()
                self._failures = 0
            except WatchEndedError:
                self._version = None  # That version has expired on the server.
            except RefusedError as problem:
                # The API server is stopped while a cluster is restored. Afterwards, versions can be higher than before.
                self._may_differ |= problem.status != _TOO_MANY
                await asyncio.sleep(self._pause(problem))
            except Exception:
                # Until everything is known again, the API server answers requests.
                self._version = None
                logger.exception("Internal error: the watch of %s ended, and restarts", self._path)
                await asyncio.sleep(_PAUSES[-1])
            finally:
                if self._open:
                    self._open, self._closed_at = False, time.monotonic()

    async def _list(self) -> None:
        found: list[Listed] = []
        version = ""
        self._highest = max(self._highest, self._store.begin_list(self._namespace))
        async for items, listed in self._server.pages(self._path):
            if not version and number_of(listed) < self._highest:
                # Versions only grow, unless etcd was restored from a backup.
                logger.warning("The cluster was restored from a backup: reading all of %s again", self._path)
                self._version = None
                self._store.begin_anew(self._namespace)
            version = listed
            for raw in items:
                found.append(Listed(*(raw["metadata"][part] for part in Listed._fields)))
                self._store.listed(raw, version)
            await asyncio.sleep(0)  # Other requests are handled in between.
        self._store.keep_only(self._namespace, found, version)
        self._version, self.is_refused, self._may_differ = version, False, False
        self._highest, self._has_listed = number_of(version), True

    async def _watch(self) -> None:
        if not self._has_listed and number_of(await self._server.version(self._path)) < self._highest:
            raise WatchEndedError  # Such a watch would report nothing until the versions have grown as high again.
        self._has_listed = False
        async for kind, raw in self._server.watch(self._path, self._version or ""):
            if kind == "OPENED":
                self._open = True
            elif kind in ("ADDED", "MODIFIED"):
                self._store.saw(raw)
            elif kind == "DELETED":
                self._store.gone(raw)
            if version := raw.get("metadata", {}).get("resourceVersion"):
                self._version, self._highest = version, number_of(version)
                self._failures = 0

    def _pause(self, problem: RefusedError) -> float:
        if problem.status == _FORBIDDEN:
            if not self.is_refused:
                logger.warning("Reads are passed on to the API server, because a watch is refused: %s", problem.message)
            self._version, self.is_refused = None, True
            return _FORBIDDEN_PAUSE
        if self._failures == 1:
            logger.warning("The watch of %s fails: %s", self._path, problem.message)
        pause = _PAUSES[min(self._failures, len(_PAUSES) - 1)]
        self._failures += 1
        return pause * random.uniform(0.8, 1.2)  # noqa: S311 - not a secret
