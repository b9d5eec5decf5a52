"""Creates the application: its paths, its errors and its OpenAPI document."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from clustertrigger import __version__
from clustertrigger.core.json_text import write_json
from clustertrigger.core.text import cut
from clustertrigger.rest.api_server import ApiServer
from clustertrigger.rest.docs import add_docs
from clustertrigger.rest.errors import FieldError, RefusedError, field_error, invalid
from clustertrigger.rest.gate import Gate, Rates, Streams
from clustertrigger.rest.openapi import document_of
from clustertrigger.rest.page import routes as page
from clustertrigger.rest.routes import cluster, unified
from clustertrigger.rest.settings import Settings
from clustertrigger.rest.triggers import Backend

logger = logging.getLogger(__name__)

_TITLE = "ClusterTrigger API"
_DESCRIPTION = (
    "Triggers cluster embeddings on a schedule, on events, or when the data has drifted. Each trigger is a "
    "ClusterTrigger object in Kubernetes. A Kubernetes token authenticates the caller, and its permissions decide "
    "which requests succeed."
)
_REPORTS = 2
"""Maximum number of concurrent reports for one token, because each needs a Pod."""
_NO_SUCH_PATH, _NO_SUCH_METHOD = 404, 405
_LONGEST_PATH = 200
"""Maximum number of characters of a path in a message."""


def create_app(settings: Settings) -> FastAPI:
    """Creates the application.

    Args:
        settings: Address of the API server, and limits.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        server = ApiServer(settings)
        backend = Backend(server, settings)
        app.state.backend = backend
        app.state.page_rates = Rates(settings.requests_per_second, settings.burst)
        app.state.streams = Streams(settings.streams, "pages with this token receive changes already")
        app.state.reports = Streams(_REPORTS, "reports are opened with this token at the moment")
        app.state.leaving = asyncio.Event()
        following = asyncio.create_task(backend.cache.follow())
        following.add_done_callback(_report)
        try:
            yield
        finally:
            following.cancel()
            await asyncio.wait({following})
            await server.close()

    app = FastAPIOffline(
        docs_url=None,
        redoc_url=None,
        title=_TITLE,
        description=_DESCRIPTION,
        version=__version__,
        lifespan=lifespan,
        middleware=[Middleware(Gate, settings=settings)],
        redirect_slashes=False,
    )
    # All routes are in one list, because a nested router is searched for every request. Each path is compared with
    # those before it, so the few paths without a prefix come first.
    api = [*unified.router.routes, *cluster.router.routes]
    api.sort(key=lambda route: "{" in getattr(route, "path", ""))
    app.router.routes.extend([*api, *page.router.routes, *page.live.routes])
    add_docs(app)
    app.add_api_route("/livez", _alive, include_in_schema=False)
    app.add_api_route("/readyz", _ready, include_in_schema=False)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    document = document_of(app)
    app.openapi = lambda: document  # type: ignore[method-assign]
    return app


def _report(following: asyncio.Task[None]) -> None:
    """An internal error ended the watches. From now on, the API server answers all requests."""
    if not following.cancelled() and (error := following.exception()) is not None:
        logger.error("Internal error: the watches have ended", exc_info=error)


async def _alive() -> Response:
    return Response("ok\n", media_type="text/plain")


async def _ready(request: Request) -> Response:
    backend: Backend = request.app.state.backend
    reachable = await backend.server.is_reachable()
    text = "ok\n" if reachable else "the Kubernetes API server cannot be reached\n"
    return Response(text, 200 if reachable else 503, media_type="text/plain")


async def _refused(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, RefusedError)  # noqa: S101 - for mypy
    return Response(
        write_json(problem.envelope()), problem.status, headers=problem.headers, media_type="application/json"
    )


async def _http(request: Request, error: Exception) -> Response:
    """Returns the framework's errors: no such path, no such method, no JSON."""
    assert isinstance(error, HTTPException)  # noqa: S101 - for mypy
    path = cut(request.url.path, _LONGEST_PATH)
    headers = dict(error.headers or {})
    message = f"{request.method} {path}: {str(error.detail).lower()}"
    if error.status_code == _NO_SUCH_PATH:
        remedy = "remove the / at its end, or " if path.endswith("/") else ""
        message = f"there is no resource at {path}: {remedy}see /docs for all paths"
    elif error.status_code == _NO_SUCH_METHOD:
        headers["Allow"] = ", ".join(_methods_at(request))
        message = f"{message}: use {headers['Allow']}"
    return await _refused(request, RefusedError(error.status_code, message, headers=headers))


def _methods_at(request: Request) -> list[str]:
    """Returns all methods of a path; the framework returns only those of the first matching route."""
    path = request.scope["path"]
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    first = next((route.path for route in routes if route.path_regex.match(path)), None)
    return sorted({method for route in routes if route.path == first for method in route.methods or ()})


async def _invalid(request: Request, error: Exception) -> Response:
    """Returns pydantic's errors about paths and headers, with the messages of `kubectl apply`."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - for mypy
    return await _refused(request, invalid(map(_one, error.errors())))


def _one(detail: Any) -> FieldError:
    detail["loc"] = detail["loc"][1:]  # The part of the request is left out.
    return field_error(detail, "", None)
