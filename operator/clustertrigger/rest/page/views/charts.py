"""Computes the coordinates of charts, which the server renders as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clustercontract.counted import counted
from clustercontract.drift import NOISE_FACTOR
from clustertrigger.api.status import Execution
from clustertrigger.core.drift.drift_series import Point
from clustertrigger.core.instants import format_instant
from clustertrigger.rest.page.views.words import TONES, Tone, took

BAR = 10
"""Width of a bar with its gap; a chart is 100 high."""
MOST_BARS = 60
MOST_POINTS = 120
WIDTH, HEIGHT = 720, 180
_LEAST = 3
"""Minimum height of a bar."""
_ROOM = 1.1
"""Height of a chart in relation to its highest value."""


@dataclass(frozen=True, slots=True)
class Bar:
    """The bar of a run.

    Attributes:
        x: Its left edge.
        height: Duration of the run, 0 to 100.
        documents: Height for the number of documents, 0 to 100; None if unknown.
        label: Description of the bar.
    """

    x: int
    height: int
    documents: int | None
    tone: Tone
    label: str


@dataclass(frozen=True, slots=True)
class Bars:
    """Runs, oldest first.

    Attributes:
        width: Width of the whole chart.
        longest: Duration of the longest run as text; empty if none has ended.
        most: The largest number of documents; 0 if none is known.
        label: Description of the chart.
    """

    bars: Sequence[Bar]
    width: int
    longest: str
    most: int
    label: str


@dataclass(frozen=True, slots=True)
class Dot:
    """The dot of a measurement."""

    x: float
    y: float
    fires: bool
    label: str


@dataclass(frozen=True, slots=True)
class DriftChart:
    """Measurements over time, oldest first.

    Attributes:
        dots: The measurements.
        line: The line through them, as the points of a polyline.
        threshold: Distance of the threshold from the top; None if there is none.
        floor: Distance of twice the noise floor from the top, which a value must exceed; None if unknown.
        highest: The value at the top.
        label: Description of the chart.
    """

    dots: Sequence[Dot]
    line: str
    threshold: float | None
    floor: float | None
    highest: float
    label: str


def bars(history: Sequence[Execution]) -> Bars | None:
    """Returns runs as bars.

    Args:
        history: Runs, newest first.
    """
    runs = list(reversed(history[:MOST_BARS]))
    if not runs:
        return None
    longest = max((run.execution_time_ms or 0 for run in runs), default=0)
    most = max((run.num_documents or 0 for run in runs), default=0)
    drawn = [
        Bar(
            x=number * BAR,
            height=_share(run.execution_time_ms or 0, longest),
            documents=None if run.num_documents is None else _share(run.num_documents, most),
            tone=TONES.get(run.status, "unsure"),
            label=_run_in_words(run),
        )
        for number, run in enumerate(runs)
    ]
    failed = sum(run.status == "failed" for run in runs)
    known = took(longest) if any(run.execution_time_ms is not None for run in runs) else ""
    label = f"{counted(len(runs), 'run')}, oldest first, {failed} failed; "
    label += f"the longest took {known}" if known else "none has ended"
    return Bars(drawn, BAR * len(runs), known, most, label)


def drift_chart(points: Sequence[Point], threshold: float | None) -> DriftChart | None:
    """Returns measurements as a line.

    Args:
        points: Measurements, oldest first.
        threshold: Current threshold of the trigger.
    """
    shown = points[-MOST_POINTS:]
    if not shown:
        return None
    newest = next((point.noise_floor for point in reversed(shown) if point.noise_floor is not None), None)
    floor = newest * NOISE_FACTOR if newest else None
    values = [point.value for point in shown]
    highest = max([*values, threshold or 0.0, floor or 0.0]) * _ROOM or 1.0
    first, last = shown[0].checked_at, shown[-1].checked_at
    span = (last - first).total_seconds() or 1.0

    def y(value: float) -> float:
        return round(HEIGHT * (1 - min(max(value / highest, 0.0), 1.0)), 1)

    dots = [
        Dot(
            x=round(WIDTH * (0.02 + 0.96 * (point.checked_at - first).total_seconds() / span), 1)
            if len(shown) > 1
            else WIDTH / 2,
            y=y(point.value),
            fires=bool(point.fires),
            label=f"{format_instant(point.checked_at.replace(microsecond=0))}: {point.value:.4g}"
            + (", fires" if point.fires else ""),
        )
        for point in shown
    ]
    fired = sum(dot.fires for dot in dots)
    against = "" if threshold is None else f", threshold {threshold:g}"
    return DriftChart(
        dots=dots,
        line=" ".join(f"{dot.x},{dot.y}" for dot in dots),
        threshold=None if threshold is None else y(threshold),
        floor=None if floor is None else y(floor),
        highest=highest,
        label=f"{counted(len(dots), 'measurement')} from {min(values):.3g} to {max(values):.3g}{against}, "
        f"{fired} fired",
    )


def _share(value: float, largest: float) -> int:
    return max(round(100 * value / largest), _LEAST) if largest else _LEAST


def _run_in_words(run: Execution) -> str:
    parts = [f"{format_instant(run.triggered_at.replace(microsecond=0))}: {run.status}"]
    if run.execution_time_ms is not None:
        parts.append(took(run.execution_time_ms))
    if run.num_documents is not None:
        parts.append(counted(run.num_documents, "document"))
    return ", ".join(parts)
