"""A page that moves: it is rendered again when triggers change or time has passed, and sent where it differs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi.sse import ServerSentEvent

from clustertrigger.rest.errors import RefusedError
from clustertrigger.rest.page.reading import Seen

logger = logging.getLogger(__name__)

ENDED = "ended"
"""Event: the reader's token, rights or the trigger are gone. The page is to be loaded again."""
_TICK = 5.0
"""Seconds after which what is shown is rendered again, because it contains relative times."""
_LEAST = 0.5
"""Seconds from one reading to the next."""
_SHARE = 0.1
"""Of the time, at most, is spent on reading and rendering for one reader."""
_POLL = 10.0
"""Seconds from one reading to the next where the reader may not watch."""
_LONGEST = 300.0
"""Seconds; then the browser asks again, with the token and the rights that it has then."""
_FINAL = (401, 403, 404)


@dataclass(frozen=True)
class Source:
    """What a page shows.

    Attributes:
        read: reads it.
        changes: yields as often as it changes after a version.
        render: makes HTML of it.
    """

    read: Callable[[], Awaitable[Seen]]
    changes: Callable[[str], AsyncGenerator[None, None]]
    render: Callable[[Seen, datetime], str]


async def fragments(source: Source, leaving: asyncio.Event) -> AsyncGenerator[ServerSentEvent, None]:
    """Yield what is shown, each time it differs from before.

    Args:
        source: what is shown.
        leaving: set when the process is to end.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + _LONGEST
    bell = asyncio.Event()
    listening: asyncio.Task[None] | None = None
    sent, seen = "", None
    bell.set()
    try:
        while not leaving.is_set() and loop.time() < end:
            began = loop.time()
            if bell.is_set():
                bell.clear()
                try:
                    seen = await source.read()
                except RefusedError as problem:
                    if problem.status in _FINAL:
                        yield ServerSentEvent(event=ENDED, raw_data=str(problem.status))
                        return
                else:
                    if listening is None or listening.done():
                        listening = asyncio.create_task(_listen(source, seen.version, bell))
            if seen is not None:
                # In a thread: with thousands of triggers it takes as long as a hundred answers of the API.
                html = await asyncio.to_thread(source.render, seen, datetime.now(UTC))
                if html != sent:
                    sent = html
                    yield ServerSentEvent(raw_data=html)
            spent = loop.time() - began
            await _wait(leaving, max(_LEAST, spent / _SHARE))
            await _wait_for_any(bell, leaving)
    finally:
        if listening is not None:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def _listen(source: Source, version: str, bell: asyncio.Event) -> None:
    """Ring at each change, and when the watch has ended, whatever ended it."""
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
