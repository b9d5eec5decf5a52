"""Measures many triggers that are due in one second: ``python -m bench.burst [--triggers N]``.

It measures the time until the last Job exists. The references in the same run, on the same control plane, are as many
CronJobs of the cluster's own controller, and the same POSTs from one bare aiohttp client. The controller has a raised
limit of requests, and once the limit with which it is shipped. A watch records when each Job is created.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvloop

from clustertrigger.core.kube import paths
from clustertrigger.shell.kube.api_server import ApiServer
from harness.cluster.progress import say
from harness.cluster.versions import Version
from harness.control_plane import fleet
from harness.control_plane.cluster import Cluster
from harness.control_plane.fleet import Object
from harness.control_plane.operator_process import OperatorProcess
from harness.outcome import Goal, finish

TRIGGERS, CRON_JOBS, SHIPPED, BARE = "triggers", "CronJobs", "CronJobs as shipped", "bare client"
Row = dict[str, Any]
_AHEAD = 20
"""Minimum number of seconds for the operator to settle before the measured minute."""
_LAST_ARRIVAL = 600.0
"""Maximum number of seconds until all Jobs or their Pods exist; 20 requests a second take most of it."""
OVER_BARE = 1.10
"""The goal: the bare client does only what every program that creates Jobs has to do."""


def main() -> int:
    """Measures, prints, and writes bench/out/burst.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--triggers", type=int, default=1000, help="due in one second (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of all three, one after another (default: %(default)s)")
    options = parser.parse_args()
    with fleet.stage() as (cluster, directory):
        rows = uvloop.run(measure(cluster, directory, options.triggers, options.rounds))
    ratio = statistics.median(row["over the bare client"] for row in rows if row["case"] == TRIGGERS)
    over = Goal("last Job, over the bare client's", ratio, OVER_BARE, at_least=False, unit="times")
    return finish("burst", rows, [over])


async def measure(cluster: Cluster, directory: Path, number: int, rounds: int) -> list[Row]:
    """Measures the three sides in turn, each time in new namespaces, because the speed of a machine varies."""
    rows: list[Row] = []
    async with fleet.administrator(cluster) as api:
        for turn in range(1, rounds + 1):
            say(f"round {turn}: {number} triggers")
            with fleet.operator(cluster, directory) as process:
                seconds, job = await fire_at_once(api, process, f"triggers-{turn}", number, turn * number)
            rows.append(_row(turn, TRIGGERS, seconds))
            say(f"round {turn}: {number} CronJobs")
            rows.append(_row(turn, CRON_JOBS, await _cron_jobs(api, cluster.kubernetes, f"cronjobs-{turn}", number)))
            say(f"round {turn}: {number} Jobs of a bare client")
            rows.append(_row(turn, BARE, await _bare_client(api, f"bare-{turn}", job, number)))
        say(f"{number} CronJobs of the controller as it is shipped, which sends 20 requests a second")
        cluster.plane.stop_controller_manager()
        cluster.plane.start_controller_manager(as_shipped=True)
        rows.append(_row(rounds + 1, SHIPPED, await _cron_jobs(api, cluster.kubernetes, "cronjobs-shipped", number)))
    return [{**row, **_over_bare(row, rows)} for row in rows]


async def fire_at_once(
    api: ApiServer, process: OperatorProcess, name: str, number: int, known: int
) -> tuple[list[float], Object]:
    """Measures triggers that are all due in one second of a future minute.

    Args:
        api: Creates the triggers.
        process: The operator.
        name: Name of the namespace.
        number: Number of triggers.
        known: Number of triggers that the operator knows, including these.

    Returns:
        Seconds from the slot until each Job was seen, sorted; and one of the Jobs.
    """
    place = await fleet.namespace(api, name)
    due = _coming_minute(number)
    schedule = {"cron_expression": f"{due.minute} {due.hour} {due.day} {due.month} *"}
    bodies = (fleet.trigger(f"t{n:05d}", "cron", schedule) for n in range(number))
    await fleet.create_all(api, paths.custom("clustertriggers", place), bodies)
    await fleet.until_settled(process, known)
    _require_early(due)
    async with fleet.arrivals(api, place) as seen:
        await seen.until(number, (due - datetime.now(UTC)).total_seconds() + _LAST_ARRIVAL)
    await fleet.until_settled(process, known)
    await until_quiet(api, place, number)
    return seen.seconds_after(due), seen.jobs[0][1]


async def _cron_jobs(api: ApiServer, kubernetes: Version, name: str, number: int) -> list[float]:
    place = await fleet.namespace(api, name)
    due = _coming_minute(number)
    schedule = f"{due.minute} {due.hour} {due.day} {due.month} *"
    bodies = (fleet.cron_job(kubernetes, f"t{n:05d}", schedule) for n in range(number))
    await fleet.create_all(api, fleet.cron_jobs(kubernetes, place), bodies)
    _require_early(due)
    async with fleet.arrivals(api, place) as seen:
        await seen.until(number, (due - datetime.now(UTC)).total_seconds() + _LAST_ARRIVAL)
    await until_quiet(api, place, number)
    return seen.seconds_after(due)


async def _bare_client(api: ApiServer, name: str, job: Object, number: int) -> list[float]:
    place = await fleet.namespace(api, name)
    bodies = fleet.bare_jobs(job, (f"t{n:05d}" for n in range(number)))
    async with fleet.arrivals(api, place) as seen:
        await asyncio.sleep(1)
        began = datetime.now(UTC)
        await fleet.create_all(api, paths.jobs(place), bodies)
        await seen.until(number, _LAST_ARRIVAL)
    await until_quiet(api, place, number)
    return seen.seconds_after(began)


async def until_quiet(api: ApiServer, place: str, number: int) -> None:
    """Waits for the Job controller, so that the next side is not slowed down.

    It creates Pods long after the last Job.
    """
    async with asyncio.timeout(_LAST_ARRIVAL):
        while True:
            jobs, _ = await api.list(paths.jobs(place), resourceVersion="0")
            if sum(bool((job.get("status") or {}).get("active")) for job in jobs) >= number:
                return
            await asyncio.sleep(2)


def _coming_minute(number: int) -> datetime:
    """Returns a whole minute that leaves time to create this number of objects."""
    earliest = datetime.now(UTC) + timedelta(seconds=_AHEAD + number / 50)
    return earliest.replace(second=0, microsecond=0) + timedelta(minutes=1)


def _require_early(due: datetime) -> None:
    if datetime.now(UTC) >= due:
        raise SystemExit(f"the stage was set after {due:%H:%M:%S}: this machine is too busy, try again")


def _row(turn: int, case: str, seconds: list[float]) -> Row:
    return {
        "round": turn,
        "case": case,
        "Jobs": len(seconds),
        "first s": seconds[0],
        "p50 s": fleet.quantile(seconds, 0.5),
        "p99 s": fleet.quantile(seconds, 0.99),
        "last s": seconds[-1],
    }


def _over_bare(row: Row, rows: list[Row]) -> Row:
    """Returns the ratio of a last Job to the bare client's in the same round, if both were measured in it."""
    bare = [other["last s"] for other in rows if other["case"] == BARE and other["round"] == row["round"]]
    return {"over the bare client": row["last s"] / bare[0]} if bare else {}


if __name__ == "__main__":
    sys.exit(main())
