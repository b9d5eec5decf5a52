"""Shares a limited resource fairly: a source with many requests waits behind one with few."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from clustertrigger.shell.serving.shares import Shares


class CrowdedError(Exception):
    """So many requests of the same source wait that another one would time out."""


class FairTurns:
    """Limits concurrent turns. If more wait, sources take turns, each in its own order.

    Args:
        at_once: Maximum number of turns of all sources together.
        each: Maximum number of turns of one source, however few the others need.
        most_waiting: Maximum number of waiting requests of one source; None for no limit.
        leaves_as_much: Whether a source also gets at most as many turns as it leaves to others, so that there are turns
            for the next source while several do not end theirs.
    """

    def __init__(
        self, at_once: int, each: int, most_waiting: int | None = None, *, leaves_as_much: bool = False
    ) -> None:
        self._each = each
        self._most_waiting = most_waiting
        self._leaves_as_much = leaves_as_much
        self._taken = Shares(at_once)
        self._waiting: OrderedDict[Hashable, dict[asyncio.Future[None], None]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, sharer: Hashable) -> AsyncIterator[None]:
        """Waits for a turn, which lasts as long as the context.

        Raises:
            CrowdedError: too many of this sharer wait already.
        """
        await self._take(sharer)
        try:
            yield
        finally:
            self._give_back(sharer)

    async def _take(self, sharer: Hashable) -> None:
        if sharer not in self._waiting and self._is_free_for(sharer):
            self._taken.take(sharer)
            return
        queue = self._waiting.setdefault(sharer, {})
        if self._most_waiting is not None and len(queue) >= self._most_waiting:
            raise CrowdedError
        place = asyncio.get_running_loop().create_future()
        queue[place] = None
        try:
            await place
        except asyncio.CancelledError:
            if place.cancelled():
                self._leave(sharer, place)
            else:
                self._give_back(sharer)
            raise

    def _is_free_for(self, sharer: Hashable) -> bool:
        if self._leaves_as_much and not self._taken.would_leave_as_much(sharer):
            return False
        return self._taken.free > 0 and self._taken.of(sharer) < self._each

    def _leave(self, sharer: Hashable, place: asyncio.Future[None]) -> None:
        queue = self._waiting.get(sharer, {})
        queue.pop(place, None)
        if not queue:
            self._waiting.pop(sharer, None)

    def _give_back(self, sharer: Hashable) -> None:
        self._taken.give_back(sharer)
        while (following := self._next()) is not None:
            queue = self._waiting[following]
            place = next(iter(queue))
            self._leave(following, place)
            if following in self._waiting:
                self._waiting.move_to_end(following)
            if not place.done():
                self._taken.take(following)
                place.set_result(None)

    def _next(self) -> Hashable | None:
        return next((sharer for sharer in self._waiting if self._is_free_for(sharer)), None)
