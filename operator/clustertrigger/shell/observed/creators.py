"""Who created a trigger: only the admission request knows, and only the replica that answered it."""

from __future__ import annotations

import asyncio
import logging

from clustertrigger.core.resources.trigger import Key
from clustertrigger.shell.kube.api_server import ApiError, ApiServer
from clustertrigger.shell.kube.paths import trigger as trigger_path

logger = logging.getLogger(__name__)

_BACKLOG = 10_000
_ATTEMPTS = 5
_PAUSE = 0.5
"""Seconds until an admitted object can be read, and between attempts."""


class Creators:
    """Writes status.created_by once, behind the admission request."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api
        self._admitted: asyncio.Queue[tuple[Key, str, str]] = asyncio.Queue(_BACKLOG)

    def admitted(self, key: Key, uid: str, username: str) -> None:
        """A creation was admitted; whether it happens is still open."""
        if not self._admitted.full():
            self._admitted.put_nowait((key, uid, username))

    async def run(self) -> None:
        """Writes what was admitted, for ever."""
        while True:
            key, uid, username = await self._admitted.get()
            for _ in range(_ATTEMPTS):
                await asyncio.sleep(_PAUSE)
                if await self._write(key, uid, username):
                    break

    async def _write(self, key: Key, uid: str, username: str) -> bool:
        """Whether nothing is left to do."""
        try:
            raw = await self._api.get(trigger_path(key))
            if raw["metadata"]["uid"] != uid or (raw.get("status") or {}).get("created_by"):
                return True
            version = {"resourceVersion": raw["metadata"]["resourceVersion"]}
            await self._api.merge_patch(
                trigger_path(key) + "/status", {"metadata": version, "status": {"created_by": username}}
            )
        except ApiError as error:
            logger.debug("created_by of %s is still to be written: %s", key, error)
            return False
        except Exception:
            # No single trigger may end the writer of all others.
            logger.exception("A mistake of ours: created_by of %s is not written", key)
        return True
