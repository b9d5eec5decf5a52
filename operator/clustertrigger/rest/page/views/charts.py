"""Charts as numbers: where the server-made SVG draws what."""

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
"""Width of a bar and its gap; a chart is 100 high."""
MOST_BARS = 60
MOST_POINTS = 120
WIDTH, HEIGHT = 720, 180
_LEAST = 3
"""Height of a bar that stands for next to nothing."""
_ROOM = 1.1
"""How much higher than its highest value a chart is."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One run.

    Attributes:
        x: its left edge.
        height: of how long it took, 0 to 100.
        documents: height of how many documents it had, 0 to 100; None where that is not known.
        label: all of it in words.
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
        width: of the whole chart.
        longest: the time of the longest run in words; empty if none has ended.
        most: the largest number of documents; 0 where none is known.
        label: all of it in a sentence.
    """

    bars: Sequence[Bar]
    width: int
    longest: str
    most: int
    label: str


@dataclass(frozen=True, slots=True)
class Dot:
    """One measurement."""

    x: float
    y: float
    fires: bool
    label: str


@dataclass(frozen=True, slots=True)
class DriftChart:
    """Measurements over time, oldest first.

    Attributes:
        dots: the measurements.
        line: they joined, as the points of a polyline.
        threshold: its height from the top; None where there is none.
        floor: height of what chance alone does, which a value must exceed; None where that is not known.
        highest: the value at the top.
        label: all of it in a sentence.
    """

    dots: Sequence[Dot]
    line: str
    threshold: float | None
    floor: float | None
    highest: float
    label: str


def bars(history: Sequence[Execution]) -> Bars | None:
    """Runs as bars.

    Args:
        history: newest first.
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
    """Measurements as a line.

    Args:
        points: oldest first.
        threshold: of the trigger now.
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
