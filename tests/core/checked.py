"""A conditional trigger with a baseline, and its checks, for the tables of tests."""

from __future__ import annotations

from typing import Any

from clustercontract.baseline import Baseline
from clustercontract.check import CheckResult
from clustertrigger.core.actions.work import collections_digest
from tests.core.builders import HOURLY_CHECK, World, at, observed, spec
from tests.core.drift.test_drift_rule import measured

BASELINE = Baseline(
    uri="/results/b.npz", sha256="0" * 64, run="r", documents=6000, dimensions=384, captured_at=at(minutes=1)
)
COLLECTIONS = collections_digest(observed().work)  # type: ignore[arg-type]
SUMMARY = "cosine_drift {} 0.3 (floor 0.002, 6000 → 3000 documents, assignment_js 0.32)"
QUIET, DRIFTED = SUMMARY.format("0.084 ≤"), SUMMARY.format("0.42 >")


def conditional(**changes: Any) -> dict[str, Any]:
    """A conditional trigger's spec; keywords change its schedule, `run` and `status` the spec itself."""
    top = {name: changes.pop(name) for name in ("run", "status") if name in changes}
    return spec(HOURLY_CHECK, schedule_config={**HOURLY_CHECK["schedule_config"], **changes}, **top)  # type: ignore[dict-item]


def world(**changes: Any) -> World:
    """A conditional trigger with a baseline, observed at its creation."""
    snapshot = {**BASELINE.model_dump(mode="json"), "collections": COLLECTIONS}
    made = World(conditional(**changes), status={"baseline_snapshot": snapshot})
    made.step(at(1))
    return made


def check(it: World, hour: float, result: CheckResult | None = None, phase: str = "completed", **fields: Any) -> None:
    """The slot at this hour is checked, and the check ends half a minute later."""
    it.step(at(hours=hour))
    it.end(phase, check=result, **fields)
    it.step(at(hours=hour, seconds=30))


def found(value: float, **fields: Any) -> CheckResult:
    """A check that measured."""
    return CheckResult(status="completed", measurement=measured(value, **fields))


def in_the_way(obstacle: Any, error: str) -> CheckResult:
    """A check that could not compare."""
    return CheckResult(status="completed", obstacle=obstacle, error=error)


def reasons(it: World) -> list[str]:
    """The reasons of the events, without their messages."""
    return [event.split(":")[0] for event in it.events]
