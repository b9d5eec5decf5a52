"""Measures a change of leaders: ``python -m bench.takeover``.

There are two replicas and a steady stream of due triggers, and the leader ends: killed, and then orderly.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import uvloop

from clustertrigger.core.kube import paths
from clustertrigger.shell.kube.api_server import ApiServer
from harness.cluster.progress import say
from harness.control_plane import fleet
from harness.control_plane.cluster import Cluster
from harness.control_plane.operator_process import OperatorProcess
from harness.outcome import Goal, finish

LEASE = 15
"""The default duration of the Lease, in seconds."""
LEAD = 60
Ending = Literal["killed", "in order"]


def main() -> int:
    """Measures, prints, and writes bench/out/takeover.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=20, help="triggers due in each second (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=50, help="of the stream (default: %(default)s)")
    options = parser.parse_args()
    endings: tuple[Ending, ...] = ("killed", "in order")
    rows = [_measure(ending, options) for ending in endings]
    killed, in_order = rows
    return finish(
        "takeover",
        rows,
        [
            Goal("latest slot after SIGKILL", killed["latest s"], LEASE + 2, at_least=False, unit="s"),
            Goal("latest slot after SIGTERM", in_order["latest s"], 1, at_least=False, unit="s"),
            Goal("slots lost", float(sum(row["lost"] for row in rows)), 0, at_least=False, unit=""),
            Goal("slots fired twice", float(sum(row["doubled"] for row in rows)), 0, at_least=False, unit=""),
        ],
    )


def _measure(ending: Ending, options: argparse.Namespace) -> dict[str, Any]:
    with fleet.stage() as (cluster, directory):
        return uvloop.run(_one_ending(ending, cluster, directory, options))


async def _one_ending(ending: Ending, cluster: Cluster, directory: Path, options: argparse.Namespace) -> dict[str, Any]:
    async with fleet.administrator(cluster) as api:
        place = await fleet.namespace(api, "takeover")
        with ExitStack() as replicas:
            (directory / "one").mkdir()
            (directory / "two").mkdir()
            leader = replicas.enter_context(fleet.operator(cluster, directory / "one", identity="one"))
            replicas.enter_context(fleet.replica(cluster, directory / "two", identity="two"))
            say(f"{options.rate} due in each second, for {options.seconds} s; the leader is {ending}")
            async with fleet.arrivals(api, place) as seen:
                expected = await _create(api, place, options)
                due = set(expected.values())
                await seen.until(len(expected) // 3, LEAD + 60)
                _end(leader, ending)
                await seen.until(len(expected), LEAD + 120)
                await asyncio.sleep(2)
                found = Counter((job["metadata"]["ownerReferences"][0]["name"], fleet.slot_of(job))
                                for _, job in seen.jobs)  # fmt: skip
                late = [(at - slot).total_seconds() for at, job in seen.jobs if (slot := fleet.slot_of(job)) in due]
    return {
        "leader": ending,
        "slots": len(expected),
        "latest s": max(late),
        "lost": sum((name, slot) not in found for name, slot in expected.items()),
        "doubled": sum(number > 1 for number in found.values()),
    }


async def _create(api: ApiServer, place: str, options: argparse.Namespace) -> dict[str, datetime]:
    """Creates triggers that are due one second after another; returns the first slot of each."""
    path, slots = paths.custom("clustertriggers", place), {}
    async for second in fleet.every_second(options.seconds):
        bodies = [
            fleet.trigger(f"s{second:03d}-{n:03d}", "interval", {"interval_seconds": LEAD}) for n in range(options.rate)
        ]
        for made in await asyncio.gather(*(api.create(path, body) for body in bodies)):
            created = datetime.fromisoformat(made["metadata"]["creationTimestamp"])
            slots[made["metadata"]["name"]] = created + timedelta(seconds=LEAD)
    return slots


def _end(leader: OperatorProcess, ending: Ending) -> None:
    if ending == "killed":
        leader.kill()
    else:
        leader.ask_to_end()


if __name__ == "__main__":
    sys.exit(main())
