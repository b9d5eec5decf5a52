"""Reads the bodies of requests from untrusted clients, into a limited space."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Literal

from aiohttp import web

from clustertrigger.net.encodings import compression
from clustertrigger.shell.serving.shares import Shares


class BodyError(Exception):
    """A body cannot be read.

    Attributes:
        status: HTTP status of the response.
    """

    def __init__(self, status: Literal[400, 408, 413, 415, 429], message: str) -> None:
        super().__init__(message)
        self.status = status


def check_encoding(request: web.Request) -> None:
    """Rejects compressed bodies.

    Raises:
        BodyError: the body is compressed.
    """
    encoding = compression(request.headers.getall("Content-Encoding", ()))
    if encoding is not None:
        raise BodyError(415, f"the body has the content encoding {encoding[:20]!r}: send it uncompressed")


class Bodies:
    """Bodies that are in memory. They share a space, of which no source gets more than it leaves to others.

    Args:
        space: Maximum number of bytes of all bodies together.
        largest: Maximum number of bytes of a body.
        slowest: Maximum number of seconds until a body has arrived.
    """

    def __init__(self, space: int, largest: int, slowest: float) -> None:
        self._largest = largest
        self._slowest = slowest
        self._taken = Shares(space)

    @contextmanager
    def of(self, source: Hashable) -> Iterator[Body]:
        """Yields a body of a source. Its space is taken as long as the context lasts."""
        body = Body(self._taken, source, self._largest, self._slowest)
        try:
            yield body
        finally:
            body.give_back()


class Body:
    """A body, which takes its space while it arrives, so that announcing a large one takes nothing."""

    def __init__(self, taken: Shares, source: Hashable, largest: int, slowest: float) -> None:
        self._taken = taken
        self._source = source
        self._largest = largest
        self._slowest = slowest
        self._size = 0

    async def read(self, request: web.Request) -> bytes:
        """Returns the body of a request.

        Raises:
            BodyError: it is compressed, malformed, too large or too slow, or there is no space for it.
        """
        check_encoding(request)
        if (request.content_length or 0) > self._largest:
            raise self._too_large()
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(self._slowest):
                async for part in request.content.iter_any():
                    self._take(len(part))
                    parts.append(part)
        except web.RequestPayloadError:
            raise BodyError(400, "the body is malformed: its chunks or its length are wrong") from None
        except TimeoutError:
            raise BodyError(408, f"the body did not arrive within {self._slowest:.0f} s: send it again") from None
        return b"".join(parts)

    def give_back(self) -> None:
        """Releases the space."""
        self._taken.give_back(self._source, self._size)
        self._size = 0

    def _take(self, number: int) -> None:
        if self._size + number > self._largest:
            raise self._too_large()
        if number > self._taken.free or not self._taken.would_leave_as_much(self._source, number):
            raise BodyError(429, "too many bytes of requests from your address wait: send again")
        self._taken.take(self._source, number)
        self._size += number

    def _too_large(self) -> BodyError:
        return BodyError(413, f"the body is larger than {self._largest} bytes: send less at once")
