"""Writes the statuses of triggers, and handles conflicts; no other module does.

Design record: docs/design/status.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.kube.paths import trigger as trigger_path
from clustertrigger.core.resources.trigger import Trigger
from clustertrigger.shell.kube.api_server import ApiServer
from clustertrigger.shell.observed.triggers import Triggers


class Outcome(Enum):
    """The result of a write."""

    WRITTEN = auto()
    """The status is stored, and the store of triggers contains the new version."""
    OUTDATED = auto()
    """The trigger has a newer version, which is now in the store: decide or count again."""
    GONE = auto()
    """The trigger no longer exists."""


class StatusWriter:
    """Writes a status only if the trigger still has the version that the change was computed from.

    Otherwise, events would count twice, or other changes would be lost.
    """

    def __init__(self, api: ApiServer, triggers: Triggers) -> None:
        self._api = api
        self._triggers = triggers

    async def write(self, trigger: Trigger, changes: Mapping[str, Any]) -> Outcome:
        """Merges changes into the status.

        Raises:
            ApiError: it was refused, or there was no response and it was not stored. Also for a conflict if the API
                server returns the same version again, because an immediate retry would fail, too.
        """
        body = {"metadata": {"resourceVersion": trigger.resource_version}, "status": changes}
        try:
            written = await self._api.merge_patch(trigger_path(trigger.key) + "/status", body)
        except ApiError as error:
            if error.is_missing_object:
                self._triggers.gone(*trigger.key, trigger.uid)
                return Outcome.GONE
            if error.is_conflict:
                if not await self.refresh(trigger):
                    return Outcome.GONE
                if self._triggers.get(trigger.key) is trigger:
                    raise
                return Outcome.OUTDATED
            if not error.is_unanswered or not await self._has_arrived(trigger, changes):
                raise
            return Outcome.WRITTEN
        self._triggers.put(written)
        return Outcome.WRITTEN

    async def refresh(self, trigger: Trigger) -> bool:
        """Reads the trigger from the API server, because the watches may report it late.

        Returns False if it was deleted.

        Raises:
            ApiError: it could not be read.
        """
        try:
            self._triggers.saw(await self._api.get(trigger_path(trigger.key)))
        except ApiError as error:
            if not error.is_missing_object:
                raise
            self._triggers.gone(*trigger.key, trigger.uid)
            return False
        return True

    async def _has_arrived(self, trigger: Trigger, changes: Mapping[str, Any]) -> bool:
        """Whether a write whose response was lost changed the trigger. If so, its events must still be recorded."""
        raw = await self._api.get(trigger_path(trigger.key))
        status = raw.get("status") or {}
        arrived = all(status.get(field) == value for field, value in changes.items())
        if arrived:
            self._triggers.saw(raw)
        return arrived
