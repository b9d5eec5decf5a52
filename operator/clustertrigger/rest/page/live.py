"""Updates a page: it is rendered again when triggers change or time has passed, and sent if it differs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi.sse import ServerSentEvent

from clustertrigger.rest.errors import RefusedError
from clustertrigger.rest.page.reading import PageContent

logger = logging.getLogger(__name__)

ENDED = "ended"
"""Name of the event after which the page must be reloaded: the token, a permission or the trigger is missing."""
_TICK = 5.0
"""Seconds after which the page is rendered again, because it contains relative times."""
_LEAST = 0.5
"""Minimum number of seconds between two readings."""
_SHARE = 0.1
"""Maximum share of the time for reading and rendering for one reader."""
_POLL = 10.0
"""Seconds between two readings if the reader may not watch."""
_LONGEST = 300.0
"""Seconds after which the stream ends. The browser then reconnects, with its current token and permissions."""
_FINAL = (401, 403, 404)


@dataclass(frozen=True)
class Source:
    """The content of a page.

    Attributes:
        read: Reads it.
        changes: Yields whenever it changes after a version.
        render: Renders it as HTML.
    """

    read: Callable[[], Awaitable[PageContent]]
    changes: Callable[[str], AsyncGenerator[None, None]]
    render: Callable[[PageContent, datetime], str]


async def fragments(source: Source, leaving: asyncio.Event) -> AsyncGenerator[ServerSentEvent, None]:
    """Yields the page whenever it differs from the previous one.

    Args:
        source: The content of the page.
        leaving: Set when the process ends.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + _LONGEST
    reader = _Reader(source)
    sent, state = "", None
    try:
        while not leaving.is_set() and loop.time() < end:
            began = loop.time()
            try:
                state = await reader.read(state)
            except RefusedError as problem:
                if problem.status in _FINAL:
                    yield ServerSentEvent(event=ENDED, raw_data=str(problem.status))
                    return
            if state is not None:
                # Rendering runs in a thread, because with thousands of triggers it takes as long as a hundred responses
                # of the API.
                html = await asyncio.to_thread(source.render, state, datetime.now(UTC))
                if html != sent:
                    sent = html
                    yield ServerSentEvent(raw_data=html)
            spent = loop.time() - began
            await _wait(leaving, max(_LEAST, spent / _SHARE))
            await _wait_for_any(reader.bell, leaving)
    finally:
        await reader.close()


class _Reader:
    """Reads a page's content at the beginning and after each change.

    Args:
        source: The content of the page.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._listening: asyncio.Task[None] | None = None
        self.bell = asyncio.Event()
        self.bell.set()

    async def read(self, known: PageContent | None) -> PageContent | None:
        """Returns the current content.

        Args:
            known: What was read last, which is returned if nothing has changed.

        Raises:
            RefusedError: it cannot be read.
        """
        if not self.bell.is_set():
            return known
        self.bell.clear()
        state = await self._source.read()
        if self._listening is None or self._listening.done():
            self._listening = asyncio.create_task(_listen(self._source, state.version, self.bell))
        return state

    async def close(self) -> None:
        """Ends the watch."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)


async def _listen(source: Source, version: str, bell: asyncio.Event) -> None:
    """Signals each change, and the end of the watch for any reason."""
    try:
        async with contextlib.aclosing(source.changes(version)) as changes:
            async for _ in changes:
                bell.set()
        await asyncio.sleep(1)
    except RefusedError:
        await asyncio.sleep(_POLL)
    except Exception:
        logger.exception("Internal error: a page's watch ended, and restarts")
        await asyncio.sleep(_POLL)
    finally:
        bell.set()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


async def _wait_for_any(bell: asyncio.Event, leaving: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in (bell, leaving)]
    try:
        await asyncio.wait(waiting, timeout=_TICK, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
