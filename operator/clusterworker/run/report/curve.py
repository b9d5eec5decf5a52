"""Draws the recorded measurements on the page: a curve with the threshold and the noise floor."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from clustercontract.drift import METRICS, NOISE_FACTOR, why_not
from clusterworker.drift.record import RecordedMeasurement

WIDTH, HEIGHT = 1000, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 20, 16, 40
_TICKS = 4

Point = tuple[float, float]


@dataclass(frozen=True)
class Dot:
    """The dot of a check.

    Attributes:
        x: Position in units of the view box.
        y: Position in units of the view box.
        fires: Whether it exceeds the threshold and twice the noise floor, with enough documents on both sides.
        tooltip: Text that is shown when the pointer is over it.
    """

    x: float
    y: float
    fires: bool
    tooltip: str


@dataclass(frozen=True)
class Tick:
    """A line of the grid, or a time below it."""

    at: float
    text: str


@dataclass(frozen=True)
class Curve:
    """Measurements in units of the view box.

    Attributes:
        metric: Metric of all measurements.
        is_volume: Whether the metric counts documents, and has no noise floor.
        dots: One dot per check, oldest first.
        line: Line through the dots, as an SVG path.
        threshold: The threshold, as an SVG path.
        noise: Area up to twice the noise floor, as an SVG path.
        renewals: Positions at which the baseline was renewed.
        values: Lines of the grid.
        times: Times of the first and the last check.
        earlier: Number of measurements with another metric, which are not drawn.
    """

    metric: str
    is_volume: bool
    dots: Sequence[Dot]
    line: str
    threshold: str
    noise: str
    renewals: Sequence[float]
    values: Sequence[Tick]
    times: Sequence[Tick]
    earlier: int
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM


def curve(recorded: Sequence[RecordedMeasurement]) -> Curve | None:
    """Lays out the measurements with the metric of the newest one; None if there is no measurement.

    Args:
        recorded: Measurements, oldest first.
    """
    if not recorded:
        return None
    shown = [one for one in recorded if one.metric == recorded[-1].metric]
    across, up = _time_scale(shown), _value_scale(shown)
    xs = [across(one) for one in shown]
    dots = [Dot(x, up(one.value), _fires(one), _tooltip(one)) for x, one in zip(xs, shown, strict=True)]
    edges = [_LEFT, *((a + b) / 2 for a, b in pairwise(xs)), WIDTH - _RIGHT]
    spans = list(pairwise(edges))
    ground = up(0)
    noise = [(x, up(NOISE_FACTOR * one.noise_floor)) for span, one in zip(spans, shown, strict=True) for x in span]
    return Curve(
        metric=recorded[-1].metric,
        is_volume=recorded[-1].metric in METRICS["volume"],
        dots=dots,
        line=_path([(dot.x, dot.y) for dot in dots]),
        threshold=_path([(x, up(one.threshold)) for span, one in zip(spans, shown, strict=True) for x in span]),
        noise=f"{_path([(_LEFT, ground), *noise, (WIDTH - _RIGHT, ground)])}Z",
        renewals=[
            edge
            for edge, before, after in zip(edges[1:], shown, shown[1:], strict=False)
            if before.baseline_run != after.baseline_run
        ],
        values=[Tick(round(up(value), 1), f"{value:g}") for value in _round_values(_highest(shown))],
        times=[Tick(xs[index], f"{shown[index].checked_at:%Y-%m-%d %H:%M}") for index in dict.fromkeys((0, -1))]
        if len(shown) > 1
        else [Tick(xs[0], f"{shown[0].checked_at:%Y-%m-%d %H:%M}")],
        earlier=len(recorded) - len(shown),
    )


def _time_scale(shown: Sequence[RecordedMeasurement]) -> Callable[[RecordedMeasurement], float]:
    first, last = shown[0].checked_at, shown[-1].checked_at
    seconds = (last - first).total_seconds()
    begin, width = _LEFT + 12, WIDTH - _LEFT - _RIGHT - 24

    def across(measurement: RecordedMeasurement) -> float:
        share = (measurement.checked_at - first).total_seconds() / seconds if seconds > 0 else 0.5
        return round(begin + width * min(max(share, 0.0), 1.0), 1)

    return across


def _value_scale(shown: Sequence[RecordedMeasurement]) -> Callable[[float], float]:
    highest = _highest(shown)

    def up(value: float) -> float:
        share = min(max(value / highest, 0.0), 1.0)  # mmd_rbf can be slightly below 0.
        return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * share, 1)

    return up


def _highest(shown: Sequence[RecordedMeasurement]) -> float:
    top = max(max(one.value, one.threshold, NOISE_FACTOR * one.noise_floor) for one in shown)
    return 1.1 * top if top > 0 else 1.0


def _round_values(highest: float) -> list[float]:
    """Returns about four values between 0 and the highest, in steps of 1, 2 or 5 times a power of ten."""
    magnitude = 10.0 ** math.floor(math.log10(highest / _TICKS))
    step = next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude * _TICKS >= highest * 0.8)
    return [number * step for number in range(math.floor(highest / step) + 1)]


def _fires(measurement: RecordedMeasurement) -> bool:
    obstacle = why_not(
        value=measurement.value,
        threshold=measurement.threshold,
        noise_floor=measurement.noise_floor,
        baseline_documents=measurement.baseline_documents,
        current_documents=measurement.current_documents,
        min_documents=measurement.min_documents,
    )
    return obstacle is None


def _tooltip(measurement: RecordedMeasurement) -> str:
    sign = ">" if measurement.value > measurement.threshold else "≤"
    details = [f"{measurement.baseline_documents:,} → {measurement.current_documents:,} documents"]
    if measurement.metric not in METRICS["volume"]:
        details.insert(0, f"floor {measurement.noise_floor:.2g}")
    if measurement.assignment_js is not None:
        details.append(f"assignment_js {measurement.assignment_js:.2g}")
    return (
        f"{measurement.checked_at:%Y-%m-%d %H:%M:%S} UTC: "
        f"{measurement.metric} {measurement.value:.3g} {sign} {measurement.threshold:g} "
        f"({', '.join(details)}), since {measurement.baseline_run}"
    )


def _path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
