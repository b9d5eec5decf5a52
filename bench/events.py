"""Measures how fast events are received and stored: ``python -m bench.events``.

It runs a separate control plane, one operator with the chart's permissions, and senders, all on this machine. The
reference is an empty handler of the same HTTP server with the same senders.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import multiprocessing
import sys
from collections.abc import Callable
from typing import Any

import uvloop
from aiohttp import web

from bench.http_load import Load, post
from harness.control_plane import fleet
from harness.control_plane.event_sender import EventSender, event, free_port, service_account
from harness.control_plane.kube import eventually
from harness.control_plane.manifests import events
from harness.control_plane.operator_process import OperatorProcess
from harness.control_plane.sandbox import Sandbox
from harness.outcome import Goal, finish

SINGLE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
NEVER = 10**9
"""A threshold that is not reached, because firing is not measured."""
COMMITS = "clustertrigger_event_commit_size_count"


def main() -> int:
    """Measures, prints, and writes bench/out/events.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15, help="for each figure (default: %(default)s)")
    parser.add_argument("--triggers", type=int, default=10, help="that count events (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=1000, help="senders at once (default: %(default)s)")
    options = parser.parse_args()
    port = free_port()
    with fleet.stage() as (cluster, directory), fleet.operator(cluster, directory, events_port=port) as operator:
        sandbox = Sandbox(cluster.kube)
        sender = EventSender(port, sandbox.namespace, service_account(sandbox, "sender", may_send=True))
        rows = [measured(kind, sandbox, operator, sender, options) for kind in ("single", "batch")]
    rows.append(floor("single", sender, options))
    rows.append(floor("batch", sender, options))
    single, batch = rows[0], rows[1]
    paces = max(row["writes/s and trigger"] for row in (single, batch))
    return finish(
        "events",
        rows,
        [
            Goal("single-event requests", single["requests/s"], 2_000, at_least=True, unit="/s"),
            Goal("events in batches", batch["events/s"], 20_000, at_least=True, unit="/s"),
            Goal("status writes of a trigger", paces, 5, at_least=False, unit="/s"),
            Goal("events that were acknowledged and not counted", lost(rows), 0, at_least=False, unit=""),
        ],
    )


def measured(
    kind: str, sandbox: Sandbox, operator: OperatorProcess, sender: EventSender, options: argparse.Namespace
) -> dict[str, Any]:
    """Measures one figure of the operator: new triggers, then senders for a while."""
    collections = [f"col_{kind}_{number}" for number in range(options.triggers)]
    names = [f"{kind}-{number}" for number in range(options.triggers)]
    for name, collection in zip(names, collections, strict=True):
        sandbox.trigger(name, events(NEVER, collection_id=collection))
    eventually(lambda: all(sandbox.status(name) for name in names), 60)
    size, connections, bodies, content_type = _requests(kind, collections, options)
    before = operator.metric(COMMITS), operator.cpu_seconds()
    load = _run(sender, content_type, bodies, connections, options.seconds)
    writes = operator.metric(COMMITS) - before[0]
    counted = sum(sandbox.status(name)["event_counter"] for name in names)
    return {
        **_row(f"operator, {kind}", load, size),
        "writes/s and trigger": writes / load.seconds / options.triggers,
        "operator's cores": (operator.cpu_seconds() - before[1]) / load.seconds,
        "not counted": load.statuses[202] * size - counted,
    }


def floor(kind: str, sender: EventSender, options: argparse.Namespace) -> dict[str, Any]:
    """Measures the same requests with an empty handler."""
    size, connections, bodies, content_type = _requests(kind, ["col_floor"], options)
    port = free_port()
    server = multiprocessing.get_context("spawn").Process(target=serve_nothing, args=(port,), daemon=True)
    server.start()
    try:
        eventually(lambda: sender.to(port).post(b"{}", SINGLE).status == 202 if _listens(port) else False)
        load = _run(sender.to(port), content_type, bodies, connections, options.seconds / 3)
    finally:
        server.terminate()
        server.join()
    return _row(f"empty handler, {kind}", load, size)


def serve_nothing(port: int) -> None:
    """Reads a request and responds 202; in a separate process."""

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({"accepted": 1, "duplicates": 0, "unmatched": 0}, status=202)

    async def serve() -> None:
        app = web.Application(client_max_size=2**20)
        app.add_routes([web.post("/{path:.*}", answer)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, port=port).start()
        await asyncio.Event().wait()

    uvloop.run(serve())


def lost(rows: list[dict[str, Any]]) -> float:
    """Returns the number of acknowledged events that are missing in a counter, or counted twice."""
    return float(sum(abs(row.get("not counted", 0)) for row in rows))


def _requests(
    kind: str, collections: list[str], options: argparse.Namespace
) -> tuple[int, int, Callable[[], bytes], str]:
    """Events in a request, connections, the next body, and its content type."""
    numbers, places = itertools.count(), itertools.cycle(collections)
    if kind == "single":
        one = json.dumps(event("%d", subject="%s")).encode()
        return 1, options.connections, lambda: one % (next(numbers), next(places).encode()), SINGLE

    size = 1000
    many = [json.dumps(event("%d", subject="%s")).encode()] * size
    template = b"[" + b",".join(many) + b"]"

    def batch() -> bytes:
        collection = next(places).encode()
        return template % tuple(part for _ in range(size) for part in (next(numbers), collection))

    return size, 4 * len(collections), batch, BATCH


def _run(sender: EventSender, content_type: str, body: Callable[[], bytes], connections: int, seconds: float) -> Load:
    path = sender.url.partition(str(sender.port))[2]
    return uvloop.run(post(sender.port, path, sender.headers(content_type), body, connections, seconds))


def _row(case: str, load: Load, size: int) -> dict[str, Any]:
    stored = load.statuses[202]
    others = {str(status): number for status, number in load.statuses.items() if status != 202}
    return {
        "case": case,
        "requests/s": stored / load.seconds,
        "events/s": stored * size / load.seconds,
        "p50 ms": load.quantile(0.5) * 1000,
        "p99 ms": load.quantile(0.99) * 1000,
        **({"other answers": json.dumps(others)} if others else {}),
    }


def _listens(port: int) -> bool:
    import socket

    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    sys.exit(main())
