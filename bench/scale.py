"""Measures many triggers: ``python -m bench.scale [--triggers 1000 10000 50000]``.

For each number of triggers, it measures how long the operator takes to start, and what it writes and uses while nothing
is due. Then a thousand other triggers are due in the same second, followed by a steady stream, and it measures the
lateness of both.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop

from bench.burst import fire_at_once
from clustertrigger.core.kube import paths
from clustertrigger.shell.kube.api_server import ApiServer
from harness.cluster.progress import say
from harness.control_plane import fleet
from harness.control_plane.cluster import Cluster
from harness.control_plane.fleet import Object
from harness.control_plane.operator_process import OperatorProcess
from harness.outcome import Goal, finish, table

NEVER = 10 * 86_400
"""An interval in seconds that does not end during the measurement."""
LEAD = 90
"""Seconds from the creation of a trigger of the stream until it is due."""
WRITTEN = ("clustertriggers", "events", "jobs")


def main() -> int:
    """Measures, prints, and writes bench/out/scale.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--triggers", type=int, nargs="+", default=[1_000, 10_000, 50_000], help="(default: %(default)s)"
    )
    parser.add_argument("--idle", type=float, default=600, help="seconds without anything due (default: %(default)s)")
    parser.add_argument("--burst", type=int, default=1000, help="due in one second (default: %(default)s)")
    parser.add_argument("--rate", type=int, default=50, help="triggers due in each second (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=60, help="of the steady stream (default: %(default)s)")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for number in options.triggers:
        if rows:
            print("\n".join(table(rows)), flush=True)  # The next size may take half an hour.
        rows.append(_measure(number, options))
    return finish("scale", rows, _goals(rows))


def _measure(number: int, options: argparse.Namespace) -> dict[str, Any]:
    with fleet.stage() as (cluster, directory):
        return uvloop.run(_one_size(cluster, directory, number, options))


async def _one_size(cluster: Cluster, directory: Path, number: int, options: argparse.Namespace) -> dict[str, Any]:
    async with fleet.administrator(cluster) as api:
        place = await fleet.namespace(api, "scale")
        say(f"creating {number} triggers")
        bodies = (fleet.trigger(f"t{n:05d}", "interval", {"interval_seconds": NEVER}) for n in range(number))
        await fleet.create_all(api, paths.custom("clustertriggers", place), bodies)
        say("first start: every status is written")
        with fleet.operator(cluster, directory) as process:
            await fleet.until_settled(process, number)
            await _until_still(cluster)
        say("second start: nothing has changed")
        written, began = cluster.kube.written(*WRITTEN), time.perf_counter()
        with fleet.operator(cluster, directory) as process:
            await fleet.until_settled(process, number)
            start = time.perf_counter() - began
            start_writes = cluster.kube.written(*WRITTEN) - written
            idle = await _idle(cluster, process, options.idle)
            say(f"{options.burst} more, due in one second")
            burst, _ = await fire_at_once(api, process, "burst", options.burst, number + options.burst)
            lateness, job = await _stream(api, place, options)
        bare = await _bare_stream(api, job, options)
        late, floor = _percentiles_ms(lateness), _percentiles_ms(bare)
        return {
            "triggers": number,
            "start s": start,
            "writes at start": start_writes,
            **idle,
            f"{options.burst:,} at once: last s": burst[-1],
            **{f"late {name} ms": value for name, value in late.items()},
            "late max ms": lateness[-1] * 1000,
            **{f"bare {name} ms": value for name, value in floor.items()},
            **{f"{name} over bare": value / floor[name] for name, value in late.items()},
        }


def _percentiles_ms(seconds: list[float]) -> dict[str, float]:
    return {"p50": fleet.quantile(seconds, 0.5) * 1000, "p99": fleet.quantile(seconds, 0.99) * 1000}


async def _until_still(cluster: Cluster) -> None:
    """Waits until nothing more is written, because work in progress is in no queue."""
    before = -1
    while (written := cluster.kube.written(*WRITTEN)) != before:
        before = written
        await asyncio.sleep(2)


async def _idle(cluster: Cluster, process: OperatorProcess, seconds: float) -> dict[str, Any]:
    say(f"{seconds:.0f} s with nothing due")
    written, used = cluster.kube.written(*WRITTEN), process.cpu_seconds()
    await asyncio.sleep(seconds)
    return {
        "idle writes": cluster.kube.written(*WRITTEN) - written,
        "idle % of a core": 100 * (process.cpu_seconds() - used) / seconds,
        "MiB": fleet.resident_mib(process),
    }


async def _stream(api: ApiServer, place: str, options: argparse.Namespace) -> tuple[list[float], Object]:
    """Returns the seconds from each slot until its Job was observed, sorted; and one of the Jobs."""
    total = options.rate * options.seconds
    say(f"{options.rate} due in each second, for {options.seconds} s")
    path = paths.custom("clustertriggers", place)
    async with fleet.arrivals(api, place) as seen:
        async for second in fleet.every_second(options.seconds):
            names = (f"s{second:03d}-{n:03d}" for n in range(options.rate))
            bodies = (fleet.trigger(name, "interval", {"interval_seconds": LEAD}) for name in names)
            await fleet.create_all(api, path, bodies, at_once=8)
        await seen.until(total, LEAD + 120)
        # Triggers that are due again are not waited for.
        jobs = seen.jobs[:total]
        return sorted((at - fleet.slot_of(job)).total_seconds() for at, job in jobs), jobs[0][1]


async def _bare_stream(api: ApiServer, job: Object, options: argparse.Namespace) -> list[float]:
    """Returns the seconds from the beginning of each second until its Jobs were observed, sorted.

    It lasts as long as the triggers' stream, because a short one may have no slow second. As there, a late second
    delays the next one.
    """
    place = await fleet.namespace(api, "bare")
    say(f"{options.rate} Jobs of a bare client in each second, for {options.seconds} s")
    path = paths.jobs(place)
    async with fleet.arrivals(api, place) as seen:
        began = datetime.now(UTC)
        async for second in fleet.every_second(options.seconds):
            names = (f"s{second:03d}-{n:03d}" for n in range(options.rate))
            await fleet.create_all(api, path, fleet.bare_jobs(job, names))
        await seen.until(options.rate * options.seconds, 120)
        return sorted((at - began).total_seconds() - int(made["metadata"]["name"][1:4]) for at, made in seen.jobs)


def _goals(rows: list[dict[str, Any]]) -> list[Goal]:
    first, last = rows[0], rows[-1]
    goals = []
    for row in rows:
        case = f"{row['triggers']:,} triggers: "
        goals += [
            Goal(f"{case}writes at start", row["writes at start"], 0, at_least=False, unit=""),
            Goal(f"{case}writes while idle", row["idle writes"], 0, at_least=False, unit=""),
            Goal(f"{case}lateness p50, over bare", row["p50 over bare"], 1.10, at_least=False, unit="times"),
            Goal(f"{case}lateness p99, over bare", row["p99 over bare"], 1.25, at_least=False, unit="times"),
        ]
        if row["triggers"] == 10_000:
            goals += [
                Goal(f"{case}start", row["start s"], 6, at_least=False, unit="s"),
                Goal(f"{case}processor while idle", row["idle % of a core"], 1, at_least=False, unit="%"),
                Goal(f"{case}memory", row["MiB"], 250 / 1.048576, at_least=False, unit="MiB"),
            ]
    if len(rows) > 1:
        for figure, name in (("start s", "start time"), ("MiB", "memory")):
            growth = (last[figure] / last["triggers"]) / (first[figure] / first["triggers"])
            goals.append(Goal(f"{name} for each trigger, last over first", growth, 1.2, at_least=False, unit="times"))
    return goals


if __name__ == "__main__":
    sys.exit(main())
