"""Starts tasks that must never end by themselves.

asyncio.TaskGroup takes notice only of a task that raises an error. A task that returns, or in which something else was
cancelled, would leave the others running without it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

logger = logging.getLogger(__name__)

Work = Callable[[], Coroutine[Any, Any, None]]


def start_endless(
    group: asyncio.TaskGroup, work: Work, *, patience: float = 5.0, failed: Callable[[], None] = lambda: None
) -> None:
    """Starts a task whose end for any reason is an error of the group, unless the group ends it.

    The group does not wait for a task that ignores its cancellation: that is an error, too.

    Args:
        group: The group.
        work: Runs in an endless loop. Its qualified name is the name of the task.
        patience: Seconds for the task to end after its cancellation.
        failed: Called when the task has ended by itself, before the other tasks of the group end.
    """
    name = getattr(work, "__qualname__", repr(work))
    group.create_task(_guard(work, name, patience, failed), name=f"guard of {name}")


async def _guard(work: Work, name: str, patience: float, failed: Callable[[], None]) -> None:
    # Another task does the work: so a cancellation by the group differs from one inside of the work.
    task = asyncio.create_task(work(), name=name)
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task}, timeout=patience)
        if not task.done():
            raise RuntimeError(f"{name} has not ended within {patience:.0f} s of its cancellation") from None
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error from None
        raise
    failed()
    how = "was cancelled" if task.cancelled() else f"failed: {task.exception()!r}" if task.exception() else "returned"
    logger.error("The background task %s %s", name, how)
    if not task.cancelled():
        task.result()
    raise RuntimeError(f"{name} {how}, although it must not end")
