"""Whether a caller may list a collection of a namespace: the API server's own answer, of the last minute."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass

from clustertrigger.rest.api_server import ApiServer
from clustertrigger.rest.errors import RefusedError

_ASKED_AGAIN = 0.6
"""Of the time for which an answer holds: then it is asked again beside the requests that come in, and none waits."""
_MOST = 10_000
_FORBIDDEN = 403
_Case = tuple[bytes, str]


@dataclass(frozen=True, slots=True)
class _Answer:
    asked_at: float
    may: bool


class Rights:
    """What callers may list.

    Args:
        server: the API server.
        holds: seconds for which an answer counts, from the moment at which it was asked for.
    """

    def __init__(self, server: ApiServer, holds: float) -> None:
        self._server = server
        self._holds = holds
        self._answers: OrderedDict[_Case, _Answer] = OrderedDict()
        self._asking: dict[_Case, asyncio.Task[bool]] = {}

    async def may_list(self, token: str, path: str) -> bool:
        """Whether the owner of a token may list a collection.

        Args:
            token: the caller's.
            path: of the collection.

        Raises:
            RefusedError: the API server does not know the token, or does not answer.
        """
        case = hashlib.sha256(token.encode()).digest(), path
        known = self._answers.get(case)
        if known is not None:
            age = time.monotonic() - known.asked_at
            if age < self._holds:
                if age > _ASKED_AGAIN * self._holds and case not in self._asking:
                    self._ask(case, token)
                return known.may
        return await asyncio.shield(self._asking.get(case) or self._ask(case, token))

    def _ask(self, case: _Case, token: str) -> asyncio.Task[bool]:
        asking = asyncio.create_task(self._find_out(case, token))
        self._asking[case] = asking
        asking.add_done_callback(lambda _: self._asking.pop(case, None))
        asking.add_done_callback(_retrieve)
        return asking

    async def _find_out(self, case: _Case, token: str) -> bool:
        asked_at, path = time.monotonic(), case[1]
        try:
            await self._server.names(token, path, limit="1")
            may = True
        except RefusedError as problem:
            if problem.status != _FORBIDDEN:
                self._answers.pop(case, None)
                raise
            may = False
        self._answers.pop(case, None)
        self._answers[case] = _Answer(asked_at, may)
        if len(self._answers) > _MOST:
            self._answers.popitem(last=False)
        return may


def _retrieve(asking: asyncio.Task[bool]) -> None:
    """Take an error that nobody waits for: asked ahead, or the callers have left. The next caller asks again."""
    if not asking.cancelled():
        asking.exception()
