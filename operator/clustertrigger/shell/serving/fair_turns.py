"""Shares a limited resource fairly: a source with many requests waits behind one with few."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from clustertrigger.shell.serving.shares import Shares

_Queue = tuple[Hashable, Hashable]
"""A sharer, and a group of its requests."""


class CrowdedError(Exception):
    """So many requests of the same source wait that another one would time out."""


class FairTurns:
    """Limits concurrent turns. If more wait, sources take turns, each in its own order.

    Args:
        at_once: Maximum number of turns of all sources together.
        each: Maximum number of turns of one source, however few the others need.
        most_waiting: Maximum number of waiting requests of one source, or of one of its groups; None for no limit.
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
        self._waiting: OrderedDict[_Queue, dict[asyncio.Future[None], None]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, sharer: Hashable, group: Hashable = None) -> AsyncIterator[None]:
        """Waits for a turn, which lasts as long as the context.

        Args:
            sharer: The source of the request.
            group: Requests of a source in different groups take turns, too, within the source's share.

        Raises:
            CrowdedError: too many of this sharer and group wait already.
        """
        await self._take((sharer, group))
        try:
            yield
        finally:
            self._give_back(sharer)

    async def _take(self, own: _Queue) -> None:
        sharer, _ = own
        if own not in self._waiting and self._is_free_for(sharer):
            self._taken.take(sharer)
            return
        queue = self._waiting.setdefault(own, {})
        if self._most_waiting is not None and len(queue) >= self._most_waiting:
            raise CrowdedError
        place = asyncio.get_running_loop().create_future()
        queue[place] = None
        try:
            await place
        except asyncio.CancelledError:
            if place.cancelled():
                self._leave(own, place)
            else:
                self._give_back(sharer)
            raise

    def _is_free_for(self, sharer: Hashable) -> bool:
        if self._leaves_as_much and not self._taken.would_leave_as_much(sharer):
            return False
        return self._taken.free > 0 and self._taken.of(sharer) < self._each

    def _leave(self, own: _Queue, place: asyncio.Future[None]) -> None:
        queue = self._waiting.get(own, {})
        queue.pop(place, None)
        if not queue:
            self._waiting.pop(own, None)

    def _give_back(self, sharer: Hashable) -> None:
        self._taken.give_back(sharer)
        while (following := self._next()) is not None:
            queue = self._waiting[following]
            place = next(iter(queue))
            self._leave(following, place)
            if following in self._waiting:
                self._waiting.move_to_end(following)
            if not place.done():
                self._taken.take(following[0])
                place.set_result(None)

    def _next(self) -> _Queue | None:
        return next((queue for queue in self._waiting if self._is_free_for(queue[0])), None)
