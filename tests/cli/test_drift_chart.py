"""Tests of the chart of measurements, in the characters of the terminal's encoding."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clustertrigger.cli.drift_chart import ASCII, HEIGHT, UNICODE, chart, marks_for
from clustertrigger.core.drift.drift_series import Point

START = datetime(2026, 3, 2, 12, tzinfo=UTC)


def points(*values: float, threshold: float = 0.3) -> list[Point]:
    """Hourly measurements."""
    return [Point(START + timedelta(hours=hour), value, fires=value > threshold) for hour, value in enumerate(values)]


def test_the_chart_of_measurements() -> None:
    assert chart(points(0.0, 0.1, 0.1, 0.2, 0.45), 0.3, 32, UNICODE) == [
        "     0.45 │                ▲",
        "          │",
        "          │",
        "      0.3 │┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄",
        "          │",
        "          │            ●",
        "          │",
        "          │    ●   ●",
        "          │",
        "        0 │●",
    ]


@pytest.mark.parametrize("values", [(0.0,), (0.3,), (-0.1, 0.2), (1e-9, 1e-9), tuple(n / 300 for n in range(300))])
@pytest.mark.parametrize("width", [1, 20, 80])
@pytest.mark.parametrize("threshold", [None, 0.0, 0.3])
def test_any_chart_fits_the_width(values: tuple[float, ...], width: int, threshold: float | None) -> None:
    drawn = chart(points(*values), threshold, width, UNICODE)
    assert len(drawn) == HEIGHT
    assert max(map(len, drawn)) <= max(width, 12)
    marks = sum(line.count(UNICODE.quiet) + line.count(UNICODE.fires) for line in drawn)
    assert 1 <= marks <= len(values)
    assert threshold is None or any(UNICODE.threshold in line or marks == 1 for line in drawn)


def test_a_terminal_without_those_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        encoding = "latin-1"

    assert marks_for(Terminal()) == ASCII  # type: ignore[arg-type]
    assert all(line.isascii() for line in chart(points(0.1, 0.5), 0.3, 40, ASCII))
