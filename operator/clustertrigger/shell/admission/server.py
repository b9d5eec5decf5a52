"""Serves Kopf's webhook, which API servers call for admission, with the HTTP server of all other endpoints."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import kopf
from aiohttp import web

from clustertrigger.net.sources import source_of
from clustertrigger.shell.serving.bodies import BodyError, check_encoding
from clustertrigger.shell.serving.fair_turns import FairTurns
from clustertrigger.shell.serving.http_server import Limits, serve

_CONNECTIONS = Limits(altogether=2048, of_a_source=1024)
"""Maximum number of connections. An API server opens one for each concurrent request."""
_LARGEST_BODY = 2**23
"""Maximum size of a request in bytes. It contains an object twice, before and after, each of up to 3 MiB."""
_SLOWEST_BODY = 10.0
"""Timeout in seconds, which is the default of API servers."""
_UTF_8 = "utf-8"
_REQUESTS_AT_ONCE, _REQUESTS_OF_A_SOURCE = 32, 16
"""Maximum number of requests whose body is in memory."""


class AdmissionServer(kopf.WebhookServer):
    """Kopf's own server accepts an unlimited number of connections and of bodies, and rejects bodies over 1 MiB.

    Args:
        port: The port to listen on.
        cert_dir: Directory with tls.crt and tls.key, which are read again when they change.
    """

    def __init__(self, port: int, cert_dir: Path) -> None:
        super().__init__(port=port)
        self._cert_dir = cert_dir
        self._turns = FairTurns(_REQUESTS_AT_ONCE, _REQUESTS_OF_A_SOURCE)

    async def __call__(self, fn: kopf.WebhookFn) -> AsyncIterator[kopf.WebhookClientConfig]:
        """Serves until the generator is closed."""

        async def checked(
            request: Any,
            *,
            webhook: str | None = None,
            headers: dict[str, str] | None = None,
            sslpeer: dict[str, Any] | None = None,
        ) -> Any:
            _check(request)
            return await fn(request, webhook=webhook, headers=headers, sslpeer=sslpeer)

        async def answer(request: web.Request) -> web.Response:
            try:
                check_encoding(request)
                if (request.charset or _UTF_8).lower() != _UTF_8:
                    raise BodyError(415, "the body is not in UTF-8")
                async with asyncio.timeout(_SLOWEST_BODY) as reading, self._turns.turn(source_of(request.remote or "")):
                    await request.read()
                    reading.reschedule(None)
                    return await self._serve(checked, request)
            except BodyError as error:
                return web.Response(status=error.status, text=f"{error}\n")
            except (UnicodeDecodeError, RecursionError) as error:
                raise web.HTTPBadRequest(text=f"the body is not JSON: {type(error).__name__}\n") from None
            except TimeoutError:
                raise web.HTTPRequestTimeout from None

        app = web.Application(client_max_size=_LARGEST_BODY)
        app.add_routes([web.post("/{id:.*}", answer)])
        async with serve(app, self.port or 0, _CONNECTIONS, cert_dir=self._cert_dir, handler_cancellation=True) as port:
            yield kopf.WebhookClientConfig(url=f"https://localhost:{port}/")
            await asyncio.Event().wait()


def _check(review: Any) -> None:
    """Rejects what no API server sends, because Kopf logs a traceback of it.

    Raises:
        web.HTTPBadRequest: it is no AdmissionReview.
    """
    request = review.get("request") if isinstance(review, dict) else None
    if isinstance(request, dict):
        resource, user = request.get("resource"), request.get("userInfo")
        objects = [found for name in ("object", "oldObject") if (found := request.get(name)) is not None]
        if (
            isinstance(resource, dict)
            and all(isinstance(resource.get(part), str) for part in ("group", "version", "resource"))
            and isinstance(user, dict)
            and isinstance(user.get("username"), str)
            and objects
            and all(isinstance(found, dict) and isinstance(found.get("metadata"), dict) for found in objects)
        ):
            return
    raise web.HTTPBadRequest(text="the body is not an AdmissionReview with an object\n")
