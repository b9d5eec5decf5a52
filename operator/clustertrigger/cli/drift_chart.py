"""Draws measurements with characters: one column for each measurement, and a line for the threshold."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple, TextIO

from clustertrigger.core.drift.drift_series import Point

HEIGHT = 10
_LABEL = 9


class Marks(NamedTuple):
    """The characters of the chart."""

    quiet: str
    fires: str
    threshold: str
    axis: str


UNICODE = Marks("●", "▲", "┄", "│")
ASCII = Marks("o", "^", "-", "|")


def marks_for(stream: TextIO | None = None) -> Marks:
    """Returns the characters that the stream can show."""
    encoding = getattr(stream or sys.stdout, "encoding", None) or "ascii"
    try:
        "".join(UNICODE).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def chart(points: Sequence[Point], threshold: float | None, width: int, marks: Marks) -> list[str]:
    """Draws measurements over time, the newest at the right. If there is no room, the oldest are left out.

    Args:
        points: Measurements, oldest first.
        threshold: The threshold, which is drawn as a line; None draws none.
        width: Width of the chart in characters, including labels.
        marks: Characters of the chart.
    """
    room = max(width - _LABEL - 2, 1)
    step = max(min(room // max(len(points), 1), 4), 1)
    shown = points[-(room // step) :]
    highest = max([point.value for point in shown] + ([threshold] if threshold is not None else [])) or 1.0
    lowest = min(0.0, *(point.value for point in shown))

    def row(value: float) -> int:
        return round((value - lowest) / (highest - lowest) * (HEIGHT - 1))

    lines = []
    for level in reversed(range(HEIGHT)):
        is_threshold = threshold is not None and row(threshold) == level
        blank = marks.threshold if is_threshold else " "
        cells = [blank] * (len(shown) * step)
        for number, point in enumerate(shown):
            if row(point.value) == level:
                cells[number * step] = marks.fires if point.fires else marks.quiet
        label = _label(level, lowest, highest, threshold if is_threshold else None)
        lines.append(f"{label:>{_LABEL}} {marks.axis}{''.join(cells)}".rstrip())
    return lines


def _label(level: int, lowest: float, highest: float, threshold: float | None) -> str:
    if threshold is not None:
        return f"{threshold:.3g}"
    if level == 0:
        return f"{lowest:.3g}"
    return f"{highest:.3g}" if level == HEIGHT - 1 else ""
