"""Records who created a trigger. Only the admission request contains the user, and only one replica receives it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from dataclasses import dataclass

from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.kube.paths import is_name, is_namespace
from clustertrigger.core.resources.trigger import Key, Trigger
from clustertrigger.core.text import cut
from clustertrigger.shell.observed.triggers import Triggers
from clustertrigger.shell.status.status_writer import Outcome, StatusWriter

logger = logging.getLogger(__name__)

_BACKLOG = 10_000
_OF_A_NAMESPACE = 2_000
_PATIENCE = 10.0
"""Seconds after which an admitted object has been created or never will be."""
_PAUSE = 0.5
_WRITES_AT_ONCE = 8
_LONGEST_UID = 36
_LONGEST_USERNAME = 512
"""Maximum number of characters that are stored. A service account's name has up to 339; other users' are unlimited."""


@dataclass(frozen=True, slots=True)
class _Admission:
    key: Key
    username: str
    until: float


class Creators:
    """Writes status.created_by once, behind the admission request.

    Any client that reaches the webhook can invent admissions. Therefore an admission causes no write until the watch
    reports such a trigger, and it is ignored for a trigger that already existed. What is kept of it is limited in
    number and in length.
    """

    def __init__(self, triggers: Triggers, statuses: StatusWriter) -> None:
        self._triggers = triggers
        self._statuses = statuses
        self._admitted: dict[str, _Admission] = {}
        """Admitted users by the object's uid."""
        self._by_namespace: Counter[str] = Counter()

    def admitted(self, key: Key, uid: str, username: str) -> None:
        """Records an admitted creation. The object may still not be created."""
        if not _is_possible(key, uid, username) or self._known(key, uid) or uid in self._admitted:
            return
        if len(self._admitted) < _BACKLOG and self._by_namespace[key.namespace] < _OF_A_NAMESPACE:
            self._admitted[uid] = _Admission(key, cut(username, _LONGEST_USERNAME), time.monotonic() + _PATIENCE)
            self._by_namespace[key.namespace] += 1

    async def run(self) -> None:
        """Writes the admitted users in an endless loop."""
        while True:
            await asyncio.sleep(_PAUSE)
            turns = asyncio.Semaphore(_WRITES_AT_ONCE)
            await asyncio.gather(*(self._look(uid, turns) for uid in list(self._admitted)))

    async def _look(self, uid: str, turns: asyncio.Semaphore) -> None:
        admission = self._admitted[uid]
        trigger = self._known(admission.key, uid)
        if trigger is not None:
            async with turns:
                done = await self._write(trigger, admission.username)
        else:
            done = False
        if done or time.monotonic() > admission.until:
            del self._admitted[uid]
            self._by_namespace[admission.key.namespace] -= 1
            if not self._by_namespace[admission.key.namespace]:
                del self._by_namespace[admission.key.namespace]

    def _known(self, key: Key, uid: str) -> Trigger | None:
        trigger = self._triggers.get(key)
        return trigger if trigger is not None and trigger.uid == uid else None

    async def _write(self, trigger: Trigger, username: str) -> bool:
        """Whether there is nothing left to write."""
        if trigger.status.created_by:
            return True
        try:
            return await self._statuses.write(trigger, {"created_by": username}) is not Outcome.OUTDATED
        except ApiError as error:
            logger.debug("Retrying to write created_by of %s: %s", trigger.key, error)
            return False
        except Exception:
            # An error with one trigger must not stop the writer for all others.
            logger.exception("Internal error: writing created_by of %s failed", trigger.key)
        return True


def _is_possible(key: Key, uid: str, username: str) -> bool:
    """Returns whether an API server can have created such an object. An invented request has any values."""
    texts = (key.namespace, key.name, uid, username)
    return (
        all(isinstance(text, str) for text in texts)
        and is_namespace(key.namespace)
        and is_name(key.name)
        and 0 < len(uid) <= _LONGEST_UID
    )
