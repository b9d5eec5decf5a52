"""Errors for which no caller waits."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from clustertrigger.net.unawaited import retrieve_error


async def fail() -> None:
    raise ValueError("no answer")


def reported(*, retrieves: bool) -> list[str]:
    """What asyncio reports of a task that fails while no caller waits for it."""
    messages: list[str] = []

    async def leave() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: messages.append(context["message"]))
        task = asyncio.create_task(fail())
        if retrieves:
            task.add_done_callback(retrieve_error)
        await asyncio.sleep(0.01)
        del task
        gc.collect()

    asyncio.run(leave())
    return messages


def test_an_error_without_a_waiting_caller_is_not_reported() -> None:
    assert reported(retrieves=False) == ["Task exception was never retrieved"]
    assert reported(retrieves=True) == []


def test_a_caller_that_waits_gets_the_error() -> None:
    async def wait() -> None:
        task = asyncio.create_task(fail())
        task.add_done_callback(retrieve_error)
        await task

    with pytest.raises(ValueError, match="no answer"):
        asyncio.run(wait())


def test_what_is_cancelled_or_still_runs_is_left_alone() -> None:
    async def look() -> asyncio.Future[Any]:
        running = asyncio.get_running_loop().create_future()
        retrieve_error(running)
        assert not running.done()
        running.cancel()
        retrieve_error(running)
        return running

    assert asyncio.run(look()).cancelled()
