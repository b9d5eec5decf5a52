"""Reads the bodies of requests from untrusted clients."""

from __future__ import annotations

from typing import Literal

from aiohttp import web


class BodyError(Exception):
    """A body cannot be read.

    Attributes:
        status: HTTP status of the response.
    """

    def __init__(self, status: Literal[400, 415], message: str) -> None:
        super().__init__(message)
        self.status = status


async def read_body(request: web.Request) -> bytes:
    """Returns a request's body.

    Raises:
        BodyError: it is compressed or malformed.
        web.HTTPRequestEntityTooLarge: it is larger than the application's limit.
    """
    encodings = ",".join(request.headers.getall("Content-Encoding", ()))
    for encoding in encodings.split(","):
        if encoding.strip().lower() not in ("", "identity"):
            raise BodyError(415, f"the body has the content encoding {encoding.strip()[:20]!r}: send it uncompressed")
    try:
        return await request.read()
    except web.RequestPayloadError:
        raise BodyError(400, "the body is malformed: its chunks or its length are wrong") from None
