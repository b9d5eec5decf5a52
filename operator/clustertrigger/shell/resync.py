"""Reads what exists now and then: Kopf does not tell of deletions that happened while its watch was broken."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from clustertrigger.core.trigger import Key
from clustertrigger.shell.api_server import ApiError, ApiServer
from clustertrigger.shell.intake import References, Triggers
from clustertrigger.shell.paths import custom
from clustertrigger.shell.reading import read_or_skip

logger = logging.getLogger(__name__)

REFERENCE_KINDS = ("collections", "clusterdefinitions")


class Resync:
    """Compares what is known with what exists."""

    def __init__(
        self, api: ApiServer, triggers: Triggers, references: References, namespaces: Sequence[str | None]
    ) -> None:
        self._api = api
        self._triggers = triggers
        self._references = references
        self._namespaces = namespaces

    async def load_references(self) -> None:
        """Reads Collections and ClusterDefinitions, so that no trigger is judged before what it refers to is known.

        Raises:
            ApiError: a list failed; nothing is taken for missing.
        """
        for namespace in self._namespaces:
            for kind in REFERENCE_KINDS:
                before = self._references.known(kind, namespace)
                objects, _ = await self._api.list(custom(kind, namespace))
                present = {(raw["metadata"]["namespace"], raw["metadata"]["name"]) for raw in objects}
                for raw in objects:
                    read_or_skip(partial(self._references.saw, kind), raw)
                # Only those known before the list was asked for: a newer one may be missing from it.
                for known in set(before) - present:
                    self._references.gone(kind, *known)

    async def load_triggers(self) -> None:
        """Reads the triggers.

        Raises:
            ApiError: a list failed.
        """
        for namespace in self._namespaces:
            before = self._triggers.all_keys(namespace)
            objects, _ = await self._api.list(custom("clustertriggers", namespace))
            present = {Key(raw["metadata"]["namespace"], raw["metadata"]["name"]) for raw in objects}
            for raw in objects:
                read_or_skip(self._triggers.saw, raw)
            for key in set(before) - present:
                self._triggers.gone(key)

    async def run(self, period: float) -> None:
        """Does both every `period` seconds, for ever."""
        while True:
            await asyncio.sleep(period)
            try:
                await self.load_references()
                await self.load_triggers()
            except ApiError as error:
                logger.warning("Looking for missed deletions failed, again in %.0f s: %s", period, error)
