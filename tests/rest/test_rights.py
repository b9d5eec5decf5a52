"""Tests that concurrent callers share one answer about their rights, even if one of them disconnects."""

from __future__ import annotations

import asyncio
import gc
from typing import Any, cast

from clustertrigger.rest.api_server import ApiServer
from clustertrigger.rest.errors import RefusedError
from clustertrigger.rest.rights import Rights


class _Server:
    """Refuses, as soon as the test sets `answers`."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers = asyncio.Event()

    async def names(self, token: str, path: str, **query: str) -> list[str]:
        self.asked += 1
        await self.answers.wait()
        raise RefusedError(401, "the Kubernetes API server does not know this token: it may have expired")


def test_errors_after_all_callers_disconnected_are_handled() -> None:
    reported: list[dict[str, Any]] = []

    async def leave_early() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        server = _Server()
        rights = Rights(cast("ApiServer", server), holds=60)
        callers = [asyncio.create_task(rights.may_list("a token", "/of/a/collection")) for _ in range(2)]
        await asyncio.sleep(0)
        for caller in callers:
            caller.cancel()
        await asyncio.wait(callers)
        server.answers.set()
        await asyncio.sleep(0.01)
        assert server.asked == 1
        gc.collect()

    asyncio.run(leave_early())
    assert reported == []


def test_the_remaining_caller_gets_the_error() -> None:
    async def one_of_two_leaves() -> BaseException | None:
        server = _Server()
        rights = Rights(cast("ApiServer", server), holds=60)
        leaver, stayer = (asyncio.create_task(rights.may_list("a token", "/of/a/collection")) for _ in range(2))
        await asyncio.sleep(0)
        leaver.cancel()
        server.answers.set()
        await asyncio.wait([leaver, stayer])
        return stayer.exception()

    refusal = asyncio.run(one_of_two_leaves())
    assert isinstance(refusal, RefusedError)
    assert refusal.status == 401
