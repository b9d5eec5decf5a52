"""Lists and watches one kind, selected on the server, and tells also of deletions that a broken watch hid."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from clustertrigger.shell.kube.api_server import ApiError, ApiServer
from clustertrigger.shell.kube.reading import Raw

logger = logging.getLogger(__name__)

Id = TypeVar("Id")

_PAUSE = 1.0
_LONGEST_PAUSE = 5.0
_TOO_OLD = 410


@dataclass(frozen=True, slots=True)
class Store(Generic[Id]):
    """Where a reflector puts what it sees.

    Attributes:
        known: tells of all objects that are there.
        saw: is shown an object, old or new, and says which it is; None where it does not belong here.
        gone: is shown an object that has been deleted.
        lost: is told of an object that a list does not hold any more.
    """

    known: Callable[[], Iterable[Id]]
    saw: Callable[[Raw], Id | None]
    gone: Callable[[Raw], None]
    lost: Callable[[Id], None]


class Reflector(Generic[Id]):
    """Keeps a store the way the API server has it.

    Args:
        api: the API server.
        path: of the collection.
        store: is kept up to date.
        selector: of labels; "" for all objects.
    """

    def __init__(self, api: ApiServer, path: str, store: Store[Id], selector: str = "") -> None:
        self._api = api
        self._path = path
        self._store = store
        self._parameters = {"labelSelector": selector} if selector else {}
        self._version: str | None = None
        """From which the watch goes on; None where a list must come first."""

    async def read(self) -> None:
        """Reads all objects. A list that fails is never taken for an empty one.

        Raises:
            ApiError: it failed; what was known is still known.
        """
        # What we create ourselves while the list is being answered may be missing from it.
        before = set(self._store.known())
        version = ""
        # Who knows nothing yet cannot be put back: what the server remembers will do, and the watch goes on from there.
        ask = self._api.pages if before else self._api.remembered
        async for objects, version in ask(self._path, **self._parameters):  # noqa: B007 - the last one counts
            for raw in objects:
                if (found := self._store.saw(raw)) is not None:
                    before.discard(found)
        for absent in before:
            self._store.lost(absent)
        self._version = version

    async def run(self) -> None:
        """Watches, and lists again when the watch is lost; for ever."""
        pause = _PAUSE
        while True:
            try:
                if self._version is None:
                    await self.read()
                told = await self._follow()
                self._version = None
                if told:
                    pause = _PAUSE
                    continue
                # A server that answers every watch so would be asked for lists without end.
            except ApiError as error:
                logger.warning("Listing %s failed, trying again in %.0f s: %s", self._path, pause, error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _follow(self) -> bool:
        """Watches on until the version is too old to continue from; whether it has told anything until then."""
        pause = _PAUSE
        told = False
        while True:
            try:
                async for change in self._api.watch(self._path, self._version or "", **self._parameters):
                    self._version = change["object"]["metadata"]["resourceVersion"]
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
            self._store.saw(change["object"])
        elif change["type"] == "DELETED":
            self._store.gone(change["object"])
