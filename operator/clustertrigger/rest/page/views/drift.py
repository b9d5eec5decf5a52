"""Shows the measurements of a trigger's checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from clustercontract.counted import counted
from clustercontract.drift import NOISE_FACTOR
from clustertrigger.core.drift.drift_series import from_status, of_metric
from clustertrigger.core.instants import format_instant, parse_instant
from clustertrigger.core.trigger_state import TriggerState
from clustertrigger.rest.page.views.charts import DriftChart, drift_chart
from clustertrigger.rest.page.views.words import Moment, moment


@dataclass(frozen=True, slots=True)
class MeasurementView:
    """A row in the table of measurements."""

    at: Moment | None
    value: str
    threshold: str
    floor: str
    verdict: str


@dataclass(frozen=True, slots=True)
class DriftView:
    """Measurements of checks, newest first."""

    title: Literal["Drift", "Volume"]
    summary: str
    error: str
    baseline: str
    threshold: str
    floor: str
    chart: DriftChart | None
    measurements: Sequence[MeasurementView]


def drift_view(state: TriggerState, now: datetime) -> DriftView | None:
    """Returns the measurements of a trigger; None if it has none and makes none."""
    status, schedule = state.status, state.raw["spec"].get("schedule_config") or {}
    last = status.last_measurement or {}
    if state.raw["spec"].get("trigger_type") != "conditional" and not last:
        return None
    points = of_metric(from_status(state.raw.get("status") or {}), schedule.get("metric"))
    threshold = schedule.get("threshold")
    floor = next((point.noise_floor for point in reversed(points) if point.noise_floor is not None), None)
    return DriftView(
        title="Volume" if schedule.get("condition_type") == "volume" else "Drift",
        summary=str(last.get("summary") or ""),
        error=status.last_check_error or "",
        baseline=_baseline(status.baseline_snapshot),
        threshold="" if threshold is None else f"{threshold:g}",
        floor="" if not floor else f"{floor * NOISE_FACTOR:.2g}",
        chart=drift_chart(points, threshold),
        measurements=[
            MeasurementView(
                at=moment(point.checked_at, now),
                value=f"{point.value:.4g}",
                threshold="" if point.threshold is None else f"{point.threshold:g}",
                floor="" if point.noise_floor is None else f"{point.noise_floor:.2g}",
                verdict={True: "fires", False: "does not fire", None: ""}[point.fires],
            )
            for point in reversed(points)
        ],
    )


def _baseline(snapshot: Mapping[str, Any] | None) -> str:
    if not snapshot:
        return "There is no baseline yet. The next slot starts a run, which writes one."
    try:
        captured = format_instant(parse_instant(str(snapshot["captured_at"])).replace(microsecond=0))
        documents = counted(snapshot["documents"], "document")
        return f"The baseline was computed from {documents} by run {snapshot['run']}, {captured}."
    except (KeyError, TypeError, ValueError):
        return "There is a baseline."
