"""Finds what watches do not report: objects that no longer exist, and objects that a watch missed.

If an object is deleted while a watch is broken, there is no event. Therefore the names of all objects are listed after
each restart of a watch, after each outage, and every five minutes, and compared with the observed ones.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.kube.staleness import number_of
from clustertrigger.shell.kube.api_server import ApiServer, Named
from clustertrigger.shell.kube.reading import read_or_skip
from clustertrigger.shell.observed.kinds import Kind, Name

logger = logging.getLogger(__name__)

_EVERY = 300.0
_SETTLE = 1.0
"""Seconds between a reason to list names and the list, because several reasons often occur together."""
_PAUSE = 5.0
_PATIENCE = 5.0
"""Seconds without progress after which missing objects are read directly, if they are few."""
_LONG_PATIENCE = 60.0
"""Seconds after which all watches restart; a busy machine also needs some time."""
_LOOK = 0.05
_LOOK_EACH = 2e-5
"""Seconds between checks for missing objects, and additional seconds for each missing object."""
_MOST_READ = 50
"""Maximum number of missed objects that are read one by one. If there are more, the watches restart."""

Names = Mapping[Name, Named]


class Census:
    """Compares the existing objects with those that the watches reported.

    Args:
        api: The API server.
        kinds: All watched kinds.
        namespaces: The watched namespaces; None for all.
        watch_anew: Restarts all watches, for the given reason.
        complete: Set when all objects were observed. Cleared when the cluster was restored, until all were observed
            again: a restored trigger must not be compared with a Job from before.
    """

    def __init__(
        self,
        api: ApiServer,
        kinds: Sequence[Kind],
        namespaces: Sequence[str | None],
        watch_anew: Callable[[str], None],
        complete: asyncio.Event,
    ) -> None:
        self._api = api
        self._places = [(kind, namespace) for kind in kinds for namespace in namespaces]
        self._kinds = kinds
        self._watch_anew = watch_anew
        self._complete = complete
        self._requested = asyncio.Event()

    def ask(self) -> None:
        """Requests a list of names soon."""
        self._requested.set()

    async def run(self) -> None:
        """Lists names periodically, in an endless loop."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_EVERY):
                    await self._requested.wait()
            await asyncio.sleep(_SETTLE)
            self._requested.clear()
            try:
                await self.take()
            except ApiError as error:
                # A failed list does not mean that there are no objects.
                logger.warning("Listing objects failed; retrying in %.0f s: %s", _PAUSE, error)
                await asyncio.sleep(_PAUSE)
                self._requested.set()

    async def take(self) -> None:
        """Lists all names, removes deleted objects, and returns when the rest has been observed.

        Raises:
            ApiError: a list failed; nothing is concluded from that.
        """
        remembered = True
        while not await self._compare(remembered=remembered):
            remembered = False
        self._complete.set()

    async def _compare(self, *, remembered: bool) -> bool:
        """Compares all kinds once.

        Args:
            remembered: Whether lists from the API server's cache are sufficient.

        Returns:
            False if something contradicts what was observed, so that all kinds must be listed again.
        """
        for kind, namespace in self._places:
            known = kind.highest  # While a list is read, the watches report later versions.
            names, version = await self._list(kind, namespace, known, remembered=remembered)
            if number_of(version) < known or kind.contradicts(names, version):
                self._begin_anew(kind, version)
                return False
            kind.highest = max(kind.highest, number_of(version))
            removed = kind.remove_unlisted(names, version, namespace)
            if removed:
                logger.info("Deleted while no watch was active: %d %s", removed, kind.plural)
            if not await self._are_shown(kind, names):
                return False
        return True

    async def reachable(self) -> None:
        """Returns whether all kinds can be listed.

        Raises:
            ApiError: one cannot.
        """
        for kind, namespace in self._places:
            await self._api.names(kind.path(namespace), kind.selector, remembered=False, most=1)

    async def _list(self, kind: Kind, namespace: str | None, known: int, *, remembered: bool) -> tuple[Names, str]:
        path = kind.path(namespace)
        found, version = await self._api.names(path, kind.selector, remembered=remembered)
        if remembered and number_of(version) < known:
            # An API server's cache can be slightly outdated, but its storage is not.
            found, version = await self._api.names(path, kind.selector, remembered=False)
        return {Name(entry.namespace, entry.name): entry for entry in found}, version

    def _begin_anew(self, kind: Kind, version: str) -> None:
        """Reports a restore from a backup.

        Otherwise versions only grow, and a watch that began before reports nothing after it.
        """
        reason = f"the cluster was restored from a backup ({kind.plural}: from version {kind.highest} to {version})"
        logger.warning("Reading all objects again: %s", reason)
        self._complete.clear()
        for each in self._kinds:
            each.begin_anew()
        self._watch_anew(reason)

    async def _are_shown(self, kind: Kind, names: Names) -> bool:
        """Waits for the listed objects, and reads those that the watches do not report.

        Returns False if they are too many to be read one by one: then all watches restart.
        """
        missing = kind.not_shown(names.values())
        left, since = len(missing), time.monotonic()
        while missing:
            await asyncio.sleep(_LOOK + _LOOK_EACH * len(missing))
            missing = kind.not_shown(missing)
            if len(missing) < left:
                left, since = len(missing), time.monotonic()
                continue
            waited = time.monotonic() - since
            if len(missing) <= _MOST_READ and waited > _PATIENCE:
                for entry in missing:
                    await self._read(kind, entry)
                return True
            if waited > _LONG_PATIENCE:
                self._watch_anew(f"the watch did not report {len(missing)} {kind.plural}")
                return False
        return True

    async def _read(self, kind: Kind, entry: Named) -> None:
        selector = {"labelSelector": kind.selector} if kind.selector else {}
        found, _ = await self._api.list(
            kind.path(entry.namespace), fieldSelector=f"metadata.name={entry.name}", **selector
        )
        for raw in found:
            logger.warning("No watch reported %s %s/%s; reading it directly", kind.plural, entry.namespace, entry.name)
            read_or_skip(kind.saw, raw)
