"""Serves /livez, /readyz and /metrics over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.serving.http_server import Limits, serve

_CONNECTIONS, _CONNECTIONS_OF_A_SOURCE = 256, 64


@asynccontextmanager
async def serve_endpoints(port: int, metrics: Metrics, ready: Callable[[], str | None]) -> AsyncIterator[int]:
    """Serves while the context lasts; yields the port.

    Args:
        port: The port; 0 selects a free one.
        metrics: Metrics for /metrics.
        ready: Returns what is still missing, or None.
    """

    async def livez(_: web.Request) -> web.Response:
        # A blocked event loop does not answer, which is what the probe detects.
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        missing = ready()
        return web.Response(text=f"{missing or 'ok'}\n", status=503 if missing else 200)

    async def show(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", show)])
    async with serve(app, port, Limits(_CONNECTIONS, _CONNECTIONS_OF_A_SOURCE)) as bound:
        yield bound
