"""Many triggers due in one second, until the last Job exists: ``python -m bench.burst [--triggers N]``.

Beside it, on the same control plane in the same run: as many CronJobs of the cluster's own controller, and the same
POSTs from one bare aiohttp client. A watch notes when each Job arrives.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvloop

from bench import fleet
from bench.fleet import Object
from bench.outcome import Goal, finish
from clustertrigger.shell import paths
from clustertrigger.shell.api_server import ApiServer
from e2e.cluster.progress import say
from tests.control_plane.cluster import Cluster, running_cluster
from tests.control_plane.manifests import NOWHERE
from tests.control_plane.operator_process import OperatorProcess

_AHEAD = 20
"""Seconds that the operator gets, at least, to settle before the minute that is measured."""
_LAST_ARRIVAL = 300.0
_BARE_CONNECTIONS = 32


def main() -> int:
    """Measures, prints, writes bench/out/burst.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--triggers", type=int, default=1000, help="due in one second (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clustertrigger-bench-") as name, running_cluster(Path(name)) as cluster:
        rows = uvloop.run(measure(cluster, Path(name), options.triggers))
    ours, theirs, bare = (row["last s"] for row in rows)
    return finish(
        "burst",
        rows,
        [
            Goal("last Job, as a share of CronJob's", ours / theirs, 1 / 5, at_least=False, unit="times"),
            Goal("last Job, over the bare client's", ours / bare, 1.5, at_least=False, unit="times"),
        ],
    )


async def measure(cluster: Cluster, directory: Path, number: int) -> list[dict[str, Any]]:
    """The three arms, one after another, each in a namespace of its own."""
    async with fleet.administrator(cluster) as api:
        with fleet.operator(cluster, directory) as process:
            say(f"{number} triggers")
            ours, job = await _triggers(api, process, number)
        say(f"{number} CronJobs")
        theirs = await _cron_jobs(api, number)
        say(f"{number} Jobs of a bare client")
        bare = await _bare_client(api, job, number)
    return [_row("triggers", ours), _row("CronJobs", theirs), _row("bare client", bare)]


async def _triggers(api: ApiServer, process: OperatorProcess, number: int) -> tuple[list[float], Object]:
    place = await fleet.namespace(api, "burst-triggers")
    due = _coming_minute(number)
    schedule = {"cron_expression": f"{due.minute} {due.hour} {due.day} {due.month} *"}
    bodies = (fleet.trigger(f"t{n:05d}", "cron", schedule) for n in range(number))
    await fleet.create_all(api, paths.custom("clustertriggers", place), bodies)
    await fleet.until_settled(process, number)
    _require_early(due)
    async with fleet.arrivals(api, place) as seen:
        await seen.until(number, (due - datetime.now(UTC)).total_seconds() + _LAST_ARRIVAL)
    await fleet.until_settled(process, number)
    return seen.seconds_after(due), seen.jobs[0][1]


async def _cron_jobs(api: ApiServer, number: int) -> list[float]:
    place = await fleet.namespace(api, "burst-cronjobs")
    due = _coming_minute(number)
    pod = {
        "restartPolicy": "Never",
        "nodeSelector": NOWHERE,
        "containers": [{"name": "worker", "image": "worker:bench"}],
    }
    spec = {
        "schedule": f"{due.minute} {due.hour} {due.day} {due.month} *",
        "jobTemplate": {"spec": {"backoffLimit": 0, "template": {"spec": pod}}},
    }
    bodies: list[Object] = [
        {"apiVersion": "batch/v1beta1", "kind": "CronJob", "metadata": {"name": f"t{n:05d}"}, "spec": spec}
        for n in range(number)
    ]
    await fleet.create_all(api, f"/apis/batch/v1beta1/namespaces/{place}/cronjobs", bodies)
    _require_early(due)
    async with fleet.arrivals(api, place) as seen:
        await seen.until(number, (due - datetime.now(UTC)).total_seconds() + _LAST_ARRIVAL)
    return seen.seconds_after(due)


async def _bare_client(api: ApiServer, job: Object, number: int) -> list[float]:
    place = await fleet.namespace(api, "burst-bare")
    template = {"labels": job["metadata"]["labels"], "annotations": job["metadata"]["annotations"]}
    spec = copy.deepcopy(job["spec"])
    spec.pop("selector")
    for label in ("controller-uid", "job-name"):
        spec["template"]["metadata"]["labels"].pop(label, None)
    bodies = (
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": f"t{n:05d}", **template}, "spec": spec}
        for n in range(number)
    )
    async with fleet.arrivals(api, place) as seen:
        await asyncio.sleep(1)
        began = datetime.now(UTC)
        await fleet.create_all(api, paths.jobs(place), bodies, at_once=_BARE_CONNECTIONS)
        await seen.until(number, _LAST_ARRIVAL)
    return seen.seconds_after(began)


def _coming_minute(number: int) -> datetime:
    """A whole minute that leaves time to create so many objects."""
    earliest = datetime.now(UTC) + timedelta(seconds=_AHEAD + number / 50)
    return earliest.replace(second=0, microsecond=0) + timedelta(minutes=1)


def _require_early(due: datetime) -> None:
    if datetime.now(UTC) >= due:
        raise SystemExit(f"the stage was set after {due:%H:%M:%S}: this machine is too busy, try again")


def _row(case: str, seconds: list[float]) -> dict[str, Any]:
    return {
        "case": case,
        "Jobs": len(seconds),
        "first s": seconds[0],
        "p50 s": fleet.quantile(seconds, 0.5),
        "p99 s": fleet.quantile(seconds, 0.99),
        "last s": seconds[-1],
    }


if __name__ == "__main__":
    sys.exit(main())
