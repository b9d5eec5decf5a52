"""Tests invalid and odd triggers: each is rejected or reported with its field, and none delays others."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from clustertrigger.core.json_text import read_deep_objects
from e2e.chaos import canaries
from e2e.chaos.applying import Applied, applier
from e2e.chaos.busy_node import busy_node
from e2e.chaos.hostile_objects import Case, generated, naughty, special
from harness.control_plane import fleet
from harness.control_plane.cluster import Cluster
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.operator_process import OperatorProcess
from harness.control_plane.sandbox import Sandbox

SEED = 20261122
AT_ONCE = 24
STAY = 200
"""Maximum number of objects that exist at the same time; some of them are due every second."""
LATEST, LATEST_OF_FEW = 2.0, 15.0
"""Seconds: maximum lateness of 99 of 100 canaries; and of all of them, if too few fire to leave one out. The API server
and other tests on the same two cores cost an unlucky canary seconds. An object that delays others costs all of them
more."""


@pytest.fixture
def canary_sandbox(cluster: Cluster) -> Iterator[Sandbox]:
    """A separate namespace for the canaries."""
    sandbox = Sandbox(cluster.kube)
    yield sandbox
    sandbox.close()


@pytest.mark.timeout(3600)
def test_each_is_judged_and_none_delays_others(
    cluster: Cluster, operator: StartOperator, sandbox: Sandbox, canary_sandbox: Sandbox, full: bool
) -> None:
    read_deep_objects()
    cases = [
        *special(),
        *naughty(everywhere=full, seeded=SEED),
        *generated(10_000 if full else 200, SEED),
    ]
    # The operator permits all that a spec can request, so that only odd values cause errors.
    process = operator(
        watch_namespaces=f"{sandbox.namespace},{canary_sandbox.namespace}",
        worker_priority_classes="batch-low",
        spark_image="spark:test",
    )

    applied = asyncio.run(_apply_all(cluster, sandbox.namespace, canary_sandbox.namespace, cases))

    _print_counts(applied)
    broken = [result.broken for result in applied if result.broken]
    assert not broken, f"{len(broken)} of {len(applied)}:\n" + "\n".join(broken[:20])
    _assert_sound(process)


async def _apply_all(cluster: Cluster, hostile: str, canary_sandbox: str, cases: list[Case]) -> list[Applied]:
    left, applied = iter(cases), []
    async with (
        fleet.administrator(cluster) as api,
        busy_node(api, canary_sandbox),
        fleet.arrivals(api, canary_sandbox) as seen,
        applier(api, hostile, STAY) as applying,
    ):
        fired = await canaries.settle(api, canary_sandbox, seen)

        async def work() -> None:
            for case in left:
                applied.append(await applying.apply(case))
                await applying.delete_oldest()

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        late = fired.lateness()
        print(
            f"hostile: canaries fired {len(late)} times, late by p50 {fleet.quantile(late, 0.5) * 1000:.0f} ms, "
            f"p99 {fleet.quantile(late, 0.99) * 1000:.0f} ms, at most {late[-1] * 1000:.0f} ms"
        )
        if len(late) >= 1_000:
            fired.assert_in_time(LATEST)
        else:
            fired.assert_in_time(LATEST_OF_FEW, grace=LATEST_OF_FEW)
    return applied


def _assert_sound(process: OperatorProcess) -> None:
    """Verifies that the operator runs, has logged no error, and has forgotten the deleted triggers."""
    assert process.running()
    eventually(
        lambda: process.metric("clustertrigger_triggers") == len(canaries.STEPS), 60, what="the others forgotten"
    )
    errors = [line["message"] for line in process.log_lines() if line["level"] == "ERROR"]
    assert not errors
    assert process.metric("clustertrigger_events_dropped_total") == 0
    refused = {line["message"] for line in process.log_lines() if "The API server refused the Job" in line["message"]}
    assert not refused, "a trigger that is Ready has Jobs that Kubernetes takes"


def _print_counts(applied: list[Applied]) -> None:
    answers = Counter(result.answer for result in applied)
    print(f"hostile: {len(applied)} triggers, " + ", ".join(f"{n} {answer}" for answer, n in answers.most_common()))
    kinds = Counter((result.what, result.answer) for result in applied)
    for what in sorted({what for what, _ in kinds}):
        print(f"  {what}: " + ", ".join(f"{n} {answer}" for (kind, answer), n in kinds.items() if kind == what))
