"""Caches for a minute whether the API server allows a caller to list a collection of a namespace."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass

from clustertrigger.net.unawaited import retrieve_error
from clustertrigger.rest.api_server import ApiServer
from clustertrigger.rest.errors import RefusedError

_ASKED_AGAIN = 0.6
"""Share of a decision's lifetime after which it is renewed in the background, so that no request waits."""
_MOST = 10_000
_FORBIDDEN = 403
_Case = tuple[bytes, str]


@dataclass(frozen=True, slots=True)
class _Answer:
    asked_at: float
    may: bool


class Rights:
    """Which collections callers may list.

    Args:
        server: The API server.
        holds: Seconds for which a decision is valid, from the time of the request.
    """

    def __init__(self, server: ApiServer, holds: float) -> None:
        self._server = server
        self._holds = holds
        self._answers: OrderedDict[_Case, _Answer] = OrderedDict()
        self._asking: dict[_Case, asyncio.Task[bool]] = {}

    async def may_list(self, token: str, path: str) -> bool:
        """Returns whether the owner of a token may list a collection.

        Args:
            token: The caller's token.
            path: Path of the collection.

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
        asking.add_done_callback(retrieve_error)  # Its callers may have left; the next one sends a request again.
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
