"""Checks a request before it is handled: its token, its rate, its size, and its duration."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clustertrigger.core.json_text import write_json
from clustertrigger.net.encodings import compression
from clustertrigger.rest.caller import no_token, token_in
from clustertrigger.rest.errors import RefusedError
from clustertrigger.rest.settings import Settings

logger = logging.getLogger(__name__)

_GUARDED = "/v1/"
_READING = ("GET", "HEAD", "OPTIONS")
_REMEMBERED = 10_000
"""Maximum number of tokens whose rate is known; the least recently used ones are dropped."""


class Rates:
    """A bucket of requests for each token, which is filled steadily.

    Args:
        per_second: Rate of filling; 0 disables the limit.
        burst: Size of the bucket.
    """

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def wait_for(self, token: str, now: float) -> float:
        """Takes one request. Returns the seconds until the next one is available if there is none."""
        if not self._per_second:
            return 0.0
        owner = _owner(token)
        left, since = self._buckets.pop(owner, (float(self._burst), now))
        left = min(self._burst, left + (now - since) * self._per_second)
        wait = 0.0 if left >= 1 else (1 - left) / self._per_second
        self._buckets[owner] = (left if wait else left - 1, now)
        if len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
        return wait


class Streams:
    """Limits long responses, by token.

    Args:
        most: Maximum number for one token.
        what: The end of the error message, after the number.
    """

    def __init__(self, most: int, what: str) -> None:
        self._most = most
        self._what = what
        self._open: Counter[bytes] = Counter()

    @contextmanager
    def one(self, token: str) -> Iterator[None]:
        """Counts a response while the context lasts.

        Raises:
            RefusedError: there are as many as there may be.
        """
        owner = _owner(token)
        if self._open[owner] >= self._most:
            raise RefusedError(
                429,
                f"{self._most} {self._what}: close one, or try again later",
                code="too_many_streams",
                headers={"Retry-After": "10"},
            )
        self._open[owner] += 1
        try:
            yield
        finally:
            self._open[owner] -= 1
            if not self._open[owner]:
                del self._open[owner]


def _owner(token: str) -> bytes:
    """Returns a digest of a token, so that tokens are distinguished without being stored."""
    return hashlib.sha256(token.encode()).digest()[:16]


class Gate:
    """Passes valid requests on to the application.

    Args:
        app: The application.
        settings: Its limits.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._rates = Rates(settings.requests_per_second, settings.burst)
        self._largest = settings.largest_body
        self._patience = settings.sending_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            if scope["path"].startswith(_GUARDED):
                self._check_token(scope)
            body = await self._body(scope, receive)
            await self._app(scope, body, sending)
        except RefusedError as problem:
            await _refuse(problem, send)
        except Exception:
            logger.exception("Internal error: %s %s", scope["method"], scope["path"])
            if started:
                raise
            await _refuse(RefusedError(500, "internal error: see the log of clustertrigger-api"), send)

    def _check_token(self, scope: Scope) -> None:
        token = token_in(scope["headers"])
        if token is None:
            raise no_token()
        if scope["method"] not in _READING and _is_foreign(scope["headers"]):
            raise RefusedError(403, "another site's page sent this request: nothing was changed", code="cross_site")
        if wait := self._rates.wait_for(token, time.monotonic()):
            raise RefusedError(
                429,
                "too many requests with this token: wait for the time in Retry-After",
                code="too_many_requests",
                headers={"Retry-After": str(int(wait) + 1)},
            )

    async def _body(self, scope: Scope, receive: Receive) -> Receive:
        """Reads the body, and returns a function that yields it to the application."""
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        if not lengths and not any(name == b"transfer-encoding" for name, _ in scope["headers"]):
            return receive  # There is no body.
        _check_encoding(scope["headers"])
        if lengths and lengths[0].isdigit() and int(lengths[0]) > self._largest:
            raise self._too_large()
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._patience):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        break
                    chunks.append(message.get("body", b""))
                    size += len(chunks[-1])
                    if size > self._largest:
                        raise self._too_large()
                    if not message.get("more_body"):
                        break
        except TimeoutError:
            raise RefusedError(
                408, f"the body did not arrive within {self._patience:g} s", headers={"Connection": "close"}
            ) from None
        read = False

        async def whole() -> Message:
            nonlocal read
            if read:
                return await receive()
            read = True
            return {"type": "http.request", "body": b"".join(chunks), "more_body": False}

        return whole

    def _too_large(self) -> RefusedError:
        return RefusedError(413, f"the body is longer than {self._largest} bytes", headers={"Connection": "close"})


def _check_encoding(headers: Iterable[tuple[bytes, bytes]]) -> None:
    if compression(value.decode("latin-1") for name, value in headers if name == b"content-encoding") is not None:
        raise RefusedError(
            415, "the body has a content encoding: send it uncompressed", headers={"Connection": "close"}
        )


def _is_foreign(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Returns whether a browser reports that the request comes from the page of another site.

    An authenticating proxy adds a token to all requests of a browser, including a form of such a page.
    """
    return any(name == b"sec-fetch-site" and value not in (b"same-origin", b"none") for name, value in headers)


async def _refuse(problem: RefusedError, send: Send) -> None:
    body = write_json(problem.envelope())
    headers = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in problem.headers.items()]
    headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
