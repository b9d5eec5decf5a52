"""Tests that triggers that are created, fire and are deleted do not increase the operator's memory."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from dataclasses import dataclass

import pytest
import uvloop

from e2e.chaos.churn import NAME, Churn, churning
from harness.control_plane import fleet
from harness.control_plane.cluster import Cluster
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.operator_process import OperatorProcess
from harness.control_plane.sandbox import Sandbox

RATE = float(os.environ.get("CHAOS_RATE", "100"))
"""Intended number of triggers per second; the test prints the actual number."""
MINUTES = float(os.environ.get("CHAOS_MINUTES", "30"))
"""Duration of the full test in minutes."""
MOST_MIB, MOST_SHARE = 10.0, 0.05
"""Maximum growth of the process from the second to the last fifth of the time, in MiB and as a share."""


@dataclass(frozen=True)
class Lasting:
    """Durations of the phases, and the interval of samples, in seconds."""

    warm_up: float
    measured: float
    sample: float


@pytest.mark.timeout(7200)
def test_memory_does_not_grow(cluster: Cluster, operator: StartOperator, sandbox: Sandbox, full: bool) -> None:
    lasting = Lasting(120, 60 * MINUTES, 5) if full else Lasting(8, 25, 0.5)
    process = operator()

    samples = uvloop.run(_churn(cluster, sandbox.namespace, process, lasting))

    fifth = len(samples) // 5
    second, last = statistics.median(samples[fifth : 2 * fifth]), statistics.median(samples[-fifth:])
    print(f"churn: {second:.1f} MiB in the second fifth, {last:.1f} MiB in the last, {max(samples):.1f} MiB at most")
    assert last <= second + max(MOST_MIB, MOST_SHARE * second)
    _assert_forgotten(process)


async def _churn(cluster: Cluster, namespace: str, process: OperatorProcess, lasting: Lasting) -> list[float]:
    """Returns the operator's resident memory in MiB, at equal intervals after the warm-up."""
    samples: list[float] = []
    async with fleet.administrator(cluster) as api, churning(api, namespace, RATE) as churn:
        await churn.one()
        began, used = time.monotonic(), process.cpu_seconds()
        running = asyncio.create_task(churn.run(lasting.warm_up + lasting.measured))
        await asyncio.sleep(lasting.warm_up)
        while time.monotonic() - began < lasting.warm_up + lasting.measured:
            samples.append(fleet.resident_mib(process))
            await asyncio.sleep(lasting.sample)
        _print_rate(churn, time.monotonic() - began, process.cpu_seconds() - used)
        await running
        assert churn.gone == churn.completed == churn.created, "each fired once and was deleted"
    return samples


def _print_rate(churn: Churn, elapsed: float, used: float) -> None:
    print(
        f"churn: {churn.gone / elapsed:.1f} triggers a second came, fired and went for {elapsed:.0f} s; "
        f"the operator used {100 * used / elapsed:.0f} % of a core"
    )


def _assert_forgotten(process: OperatorProcess) -> None:
    """Verifies that the operator's metrics mention no deleted trigger."""
    for gauge in ("clustertrigger_triggers", "clustertrigger_queue_depth"):
        eventually(lambda gauge=gauge: process.metric(gauge) == 0, 60, what=f"{gauge} back at 0")  # type: ignore[misc]
    shown = process.fetch("/metrics")[1]
    assert NAME not in shown, [line for line in shown.splitlines() if NAME in line][:5]
    assert process.running()
