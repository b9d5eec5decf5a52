"""The application: its paths, its errors and its OpenAPI document."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from clustertrigger import __version__
from clustertrigger.core.json_text import write_json
from clustertrigger.core.resources.problem import Problem
from clustertrigger.rest.actions import ACTIONS
from clustertrigger.rest.api_server import ApiServer
from clustertrigger.rest.caller import PARAMETERS
from clustertrigger.rest.errors import FieldError, RefusedError, field_error, invalid
from clustertrigger.rest.gate import Gate, Rates
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
_BAD_REQUEST = 400
_TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "A Kubernetes token. Its permissions decide which requests succeed.",
}


def create_app(settings: Settings) -> FastAPI:
    """Make the application.

    Args:
        settings: where the API server is, and limits.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        server = ApiServer(settings)
        backend = Backend(server, settings)
        app.state.backend = backend
        app.state.page_rates = Rates(settings.requests_per_second, settings.burst)
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
        docs_url="/docs",
        redoc_url=None,
        title=_TITLE,
        description=_DESCRIPTION,
        version=__version__,
        lifespan=lifespan,
        middleware=[Middleware(Gate, settings=settings)],
        redirect_slashes=False,
    )
    # One list of routes: a router within a router is looked through for every request.
    app.router.routes.extend([*unified.router.routes, *cluster.router.routes, *page.router.routes, *page.live.routes])
    app.add_api_route("/livez", _alive, include_in_schema=False)
    app.add_api_route("/readyz", _ready, include_in_schema=False)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _report(following: asyncio.Task[None]) -> None:
    """An internal error ended the watches; from now on, the API server answers requests."""
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
    """Errors of the framework: no such path, no such method, no JSON."""
    assert isinstance(error, HTTPException)  # noqa: S101 - for mypy
    message = {404: f"there is no resource at {request.url.path}: see /docs for all paths"}.get(
        error.status_code, f"{request.method} {request.url.path}: {str(error.detail).lower()}"
    )
    return await _refused(request, RefusedError(error.status_code, message, headers=error.headers))


async def _invalid(request: Request, error: Exception) -> Response:
    """Pydantic's errors, in the words of `kubectl apply`."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - for mypy
    details = error.errors()
    if any(detail["type"] == "json_invalid" for detail in details):
        reason = details[0].get("ctx", {}).get("error", "")
        return await _refused(request, RefusedError(_BAD_REQUEST, f"the body is not JSON: {reason}", code="no_json"))
    return await _refused(request, invalid(_one(request, detail) for detail in details))


def _one(request: Request, detail: Any) -> FieldError:
    place, *path = detail["loc"]
    if place == "body":
        field = request.scope["route"].body_field
        model = field.field_info.annotation if field else None
        if not path:
            return FieldError(Problem("body", None, "must be a JSON object: send an object"), detail["type"])
    else:
        model = _query_model(request) if place == "query" else None
    detail["loc"] = tuple(path)
    return field_error(detail, "", model)


def _query_model(request: Request) -> type[BaseModel] | None:
    for field in request.scope["route"].dependant.query_params:
        if isinstance(field.field_info.annotation, type) and issubclass(field.field_info.annotation, BaseModel):
            return field.field_info.annotation
    return None


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            openapi_version="3.1.0",
        )
        schemas = document["components"]["schemas"]
        for operations in document["paths"].values():
            for operation in operations.values():
                own = operation.setdefault("parameters", [])
                known = {parameter["name"] for parameter in own}
                own.extend(parameter for parameter in PARAMETERS if parameter["name"] not in known)
        for action in ACTIONS.values():
            schema = action.config.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(schema.pop("$defs", {}))
            schemas[action.config.__name__] = schema
        configs = [{"$ref": f"#/components/schemas/{action.config.__name__}"} for action in ACTIONS.values()]
        config = schemas["CreateUnifiedTrigger"]["properties"]["action_config"]
        schemas["CreateUnifiedTrigger"]["properties"]["action_config"] = {
            "title": config["title"],
            "description": config["description"],
            "anyOf": configs,
        }
        document["components"]["securitySchemes"] = {"KubernetesToken": _TOKEN}
        document["security"] = [{"KubernetesToken": []}]
        app.openapi_schema = document
    return app.openapi_schema
