"""Measures the HTTP API: ``python -m bench.api``.

It runs a separate control plane with 10,000 triggers, one replica of clustertrigger-api with the chart's permissions,
and clients, all on this machine. Reads are compared with a bare FastAPI handler that returns the same bytes from the
same kind of server, and creates with a client that only creates the same objects. Both sides alternate in rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import multiprocessing
import random
import socket
import ssl
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import uvicorn
import uvloop
from fastapi import FastAPI, Response

from bench.http_load import Load, head_of, send
from clustertrigger.core.kube import paths
from harness.control_plane import fleet
from harness.control_plane.api_process import ApiProcess
from harness.control_plane.cluster import Cluster
from harness.control_plane.event_sender import free_port
from harness.control_plane.kube import Object, eventually
from harness.control_plane.tokens import own_token, token_of
from harness.outcome import Goal, finish

NAMESPACE = "bench"
HEADERS = {"X-Namespace": NAMESPACE, "Content-Type": "application/json"}
UNLIMITED = {"requests_per_second": 1_000_000, "burst": 100_000}
"""Each request is counted, and the rate is not limited."""


def main() -> int:
    """Measures, prints, and writes bench/out/api.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--triggers", type=int, default=10_000, help="that exist (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=5, help="for each figure (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of each comparison (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=32, help="of each client (default: %(default)s)")
    options = parser.parse_args()
    with fleet.stage() as (cluster, directory):
        asyncio.run(_fill(cluster, options.triggers))
        token = token_of(cluster.kube, NAMESPACE, "portal", role="clustertrigger-editor")
        settings = {"token_file": own_token(cluster, directory), **UNLIMITED}
        service = ApiProcess(cluster.kube.server, cluster.kube.ca, directory / "api.log", settings)
        try:
            bench = _Bench(cluster, service, token, options)
            rows = []
            for row in itertools.chain(bench.reads(), bench.creates(), bench.kubectl()):
                beside = f", {row['rate, ratio']:.2f} of the bare one" if "rate, ratio" in row else ""
                print(f"{row['case']}: {row['requests/s']:,.0f}/s{beside}", flush=True)
                rows.append(row)
        finally:
            service.stop()
    reads = [row for row in rows if "bare p99 ms" in row]
    (creates,) = [row for row in rows if row["case"] == "create"]
    return finish(
        "api",
        rows,
        [
            *(Goal(f"{row['case']}: rate", row["rate, ratio"], 0.5, at_least=True, unit="times") for row in reads),
            *(Goal(f"{row['case']}: p99", row["p99, ratio"], 3, at_least=False, unit="times") for row in reads),
            Goal("creates", creates["rate, ratio"], 0.8, at_least=True, unit="times"),
        ],
    )


async def _fill(cluster: Cluster, number: int) -> None:
    async with fleet.administrator(cluster) as api:
        await fleet.namespace(api, NAMESPACE)
        bodies = (_trigger(f"t{index}", index) for index in range(number))
        await fleet.create_all(api, paths.triggers(NAMESPACE), bodies)


def _trigger(name: str, number: int) -> Object:
    kind = {"apiVersion": "clustertrigger.dev/v1alpha1", "kind": "ClusterTrigger"}
    return {**kind, "metadata": {"name": name}, "spec": _body(number)}


def _body(number: int) -> Object:
    """Returns a cluster trigger, as clients send it to the API."""
    return {
        "trigger_type": "cron",
        "schedule_config": {"cron_expression": f"{number % 60} {number % 24} * * *", "timezone": "Europe/Berlin"},
        "execution_config": {
            "collection_ids": [f"col_{number % 100}"],
            "config": {"algorithm": "kmeans", "n_clusters": 5},
        },
        "description": f"Clusters of {number}",
        "status": "active" if number % 4 else "paused",
    }


class _Bench:
    """Measures one replica, and its references.

    Args:
        cluster: The control plane.
        service: The replica.
        token: Token of a caller with permission to edit.
        options: Options of the command line.
    """

    def __init__(self, cluster: Cluster, service: ApiProcess, token: str, options: argparse.Namespace) -> None:
        self._cluster = cluster
        self._port = int(service.url.rpartition(":")[2])
        self._token = token
        self._options = options
        self._headers = {**HEADERS, "Authorization": f"Bearer {token}"}
        eventually(lambda: self._ask("GET", "/v1/triggers")["total"] == options.triggers, 60)

    def reads(self) -> Iterator[dict[str, Any]]:
        """Measures one trigger, and pages of lists."""
        listed = self._ask("POST", "/v1/triggers/list", {"limit": 1000})["results"]
        ids = [trigger["trigger_id"] for trigger in listed]
        narrow = {"status": "paused", "sort_by": "description", "direction": "asc"}
        yield self._compared("get", "GET", [f"/v1/triggers/{one}" for one in ids])
        yield self._compared("get, of clusters", "GET", [f"/v1/clusters/triggers/{one}" for one in ids])
        yield self._compared("list of 50", "GET", ["/v1/triggers"])
        yield self._compared("list of 50, filtered", "POST", ["/v1/clusters/triggers/list"], narrow)
        yield self._compared("list of 1,000", "POST", ["/v1/triggers/list"], {"limit": 1000})

    def creates(self) -> Iterator[dict[str, Any]]:
        """Creates triggers over HTTP, and with a client of the API server."""
        numbers = itertools.count(10**6)
        ratios, loads, bare = [], [], []
        for _ in range(self._options.rounds):
            bare.append(asyncio.run(self._create_bare(numbers)))
            loads.append(self._load("POST", ["/v1/clusters/triggers"], lambda: _body(next(numbers))))
            ratios.append(_rate(loads[-1]) / _rate(bare[-1]))
        yield {
            "case": "create",
            "requests/s": _median(loads, _rate),
            "bare requests/s": _median(bare, _rate),
            "rate, ratio": statistics.median(ratios),
            "p50 ms": _median(loads, lambda load: load.quantile(0.5) * 1000),
            "p99 ms": _median(loads, lambda load: load.quantile(0.99) * 1000),
        }

    def kubectl(self) -> Iterator[dict[str, Any]]:
        """Runs kubectl for each read, one after another."""
        words = ["kubectl", "--kubeconfig", str(self._cluster.kube.kubeconfig), "get", "--raw"]
        path = f"{paths.triggers(NAMESPACE)}/t1"
        load, began = Load(), time.perf_counter()
        while time.perf_counter() - began < self._options.seconds:
            sent = time.perf_counter()
            subprocess.run([*words, path], check=True, capture_output=True)
            load.latencies.append(time.perf_counter() - sent)
        load.statuses, load.seconds = Counter({200: len(load.latencies)}), time.perf_counter() - began
        yield {
            "case": "kubectl get --raw, of one",
            "requests/s": _rate(load),
            "p50 ms": load.quantile(0.5) * 1000,
            "p99 ms": load.quantile(0.99) * 1000,
        }

    def _compared(self, case: str, method: str, places: list[str], body: Object | None = None) -> dict[str, Any]:
        """Measures the API, and a bare handler with the same responses."""
        answer = json.dumps(self._ask(method, places[0], body), separators=(",", ":")).encode()
        loads, bare = [], []
        with _bare_handler(answer) as port:
            for _ in range(self._options.rounds):
                bare.append(self._load(method, places, lambda: body, port))
                loads.append(self._load(method, places, lambda: body))
        rate, p99 = _median(loads, _rate), _median(loads, lambda load: load.quantile(0.99) * 1000)
        bare_p99 = _median(bare, lambda load: load.quantile(0.99) * 1000)
        return {
            "case": case,
            "bytes": len(answer),
            "requests/s": rate,
            "bare requests/s": _median(bare, _rate),
            "rate, ratio": statistics.median(map(_ratio, loads, bare)),
            "p50 ms": _median(loads, lambda load: load.quantile(0.5) * 1000),
            "p99 ms": p99,
            "bare p99 ms": bare_p99,
            "p99, ratio": statistics.median(
                one.quantile(0.99) / other.quantile(0.99) for one, other in zip(loads, bare, strict=True)
            ),
        }

    def _load(self, method: str, places: list[str], body: Callable[[], Object | None], port: int | None = None) -> Load:
        target = self._port if port is None else port
        heads = [head_of(method, place, target, self._headers) for place in places]

        def render() -> bytes:
            sent = body()
            text = b"" if sent is None else json.dumps(sent).encode()
            length = b"Content-Length: %d\r\n" % len(text) if text else b""
            return b"%s%s\r\n%s" % (random.choice(heads), length, text)

        return uvloop.run(send(target, render, self._options.connections, self._options.seconds))

    async def _create_bare(self, numbers: Iterator[int]) -> Load:
        load, path = Load(), paths.triggers(NAMESPACE)
        tls = ssl.create_default_context(cafile=str(self._cluster.kube.ca))
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        connector = aiohttp.TCPConnector(ssl=tls, limit=0)
        began = time.perf_counter()
        async with aiohttp.ClientSession(self._cluster.kube.server, connector=connector, headers=headers) as session:

            async def work() -> None:
                while time.perf_counter() - began < self._options.seconds:
                    number = next(numbers)
                    body, sent = json.dumps(_trigger(f"bare-{number}", number)), time.perf_counter()
                    async with session.post(path, data=body) as answer:
                        await answer.read()
                        load.statuses[200 if answer.status == 201 else answer.status] += 1
                        load.latencies.append(time.perf_counter() - sent)

            await asyncio.gather(*(work() for _ in range(self._options.connections)))
        load.seconds = time.perf_counter() - began
        return load

    def _ask(self, method: str, path: str, body: Object | None = None) -> Any:
        import urllib.request

        text = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}", text, self._headers, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            return json.loads(answer.read())


def _rate(load: Load) -> float:
    return load.statuses[200] / load.seconds


def _ratio(load: Load, bare: Load) -> float:
    return _rate(load) / _rate(bare)


def _median(loads: list[Load], figure: Callable[[Load], float]) -> float:
    return statistics.median(map(figure, loads))


@contextmanager
def _bare_handler(answer: bytes) -> Iterator[int]:
    """Runs a FastAPI application that always responds with these bytes, in a separate process."""
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=serve_bytes, args=(port, answer), daemon=True)
    process.start()
    try:
        eventually(lambda: _listens(port), 30)
        yield port
    finally:
        process.terminate()
        process.join()


def serve_bytes(port: int, answer: bytes) -> None:
    """Measures the maximum rate of FastAPI and uvicorn."""
    app = FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def handle(path: str) -> Response:
        return Response(answer, media_type="application/json")

    uvicorn.run(app, port=port, log_config=None, access_log=False, http="httptools", loop="uvloop", server_header=False)


def _listens(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    sys.exit(main())
