"""Lists and watches one kind, selected by label on the server, and tells also of deletions that a broken watch hid."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from clustertrigger.shell.api_server import ApiError, ApiServer

logger = logging.getLogger(__name__)

Raw = Mapping[str, Any]

_PAUSE = 1.0
_LONGEST_PAUSE = 5.0
_TOO_OLD = 410


class Reflector:
    """Keeps a store the way the API server has it."""

    def __init__(
        self,
        api: ApiServer,
        path: str,
        selector: str,
        *,
        listed: Callable[[list[Raw]], None],
        seen: Callable[[Raw], None],
        gone: Callable[[Raw], None],
    ) -> None:
        self._api = api
        self._path = path
        self._selector = selector
        self._listed = listed
        self._seen = seen
        self._gone = gone
        self.synced = asyncio.Event()
        """Set once the first list is complete. A list that fails is never taken for an empty one."""

    async def run(self) -> None:
        """Lists, watches, and lists again when the watch is lost; for ever."""
        pause = _PAUSE
        while True:
            try:
                items, version = await self._api.list(self._path, labelSelector=self._selector)
                self._listed(list(items))
                self.synced.set()
                if await self._follow(version):
                    pause = _PAUSE
                    continue
                # A server that answers every watch so would be asked for lists without end.
            except ApiError as error:
                logger.warning("Listing %s failed, trying again in %.0f s: %s", self._path, pause, error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _follow(self, version: str) -> bool:
        """Watches on from a version until that is too old to continue from; whether it has told anything until then."""
        pause = _PAUSE
        told = False
        while True:
            try:
                async for change in self._api.watch(self._path, version, labelSelector=self._selector):
                    version = change["object"]["metadata"]["resourceVersion"]
                    self._tell(change)
                    told = True
                    pause = _PAUSE
            except ApiError as error:
                if error.status == _TOO_OLD:
                    logger.info("The watch of %s fell behind: listing again", self._path)
                    return told
                logger.info("The watch of %s broke off, going on in %.0f s: %s", self._path, pause, error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _tell(self, change: Raw) -> None:
        if change["type"] in ("ADDED", "MODIFIED"):
            self._seen(change["object"])
        elif change["type"] == "DELETED":
            self._gone(change["object"])
