"""Tests of the positions and sizes of what charts draw."""

from __future__ import annotations

from datetime import timedelta

import pytest

from clustertrigger.api.status import Execution
from clustertrigger.api.stored import read_part
from clustertrigger.core.drift.drift_series import Point
from clustertrigger.rest.page.views.charts import MOST_BARS, MOST_POINTS, bars, drift_chart
from tests.rest.page.objects import NOW, run


def execution(status: str, took: int | None, documents: int | None = None) -> Execution:
    found = run("a", status, execution_time_ms=took, num_documents=documents)
    return read_part(Execution, {name: value for name, value in found.items() if value is not None})


def test_runs_as_bars_oldest_first() -> None:
    newest_first = [execution("running", None), execution("failed", 1_000), execution("completed", 4_000, 500),
                    execution("completed", 2_000, 1_000)]  # fmt: skip
    shown = bars(newest_first)
    assert shown is not None
    assert [(bar.x, bar.height, bar.documents, bar.tone) for bar in shown.bars] == [
        (0, 50, 100, "good"), (10, 100, 50, "good"), (20, 25, None, "bad"), (30, 3, None, "busy"),
    ]  # fmt: skip
    assert (shown.width, shown.longest, shown.most) == (40, "4.0s", 1000)
    assert shown.label == "4 runs, oldest first, 1 failed; the longest took 4.0s"
    assert shown.bars[0].label == "2026-11-28T09:07:30Z: completed, 2.0s, 1,000 documents"


def test_no_runs_and_many() -> None:
    assert bars([]) is None
    many = bars([execution("completed", n) for n in range(MOST_BARS + 9)])
    assert many is not None
    assert len(many.bars) == MOST_BARS
    assert many.bars[-1].height == 3, "the newest, which took no time"


def test_no_run_has_ended() -> None:
    shown = bars([execution("pending", None), execution("running", None)])
    assert shown is not None
    assert (shown.longest, shown.label) == ("", "2 runs, oldest first, 0 failed; none has ended")
    at_once = bars([execution("completed", 0)])
    assert at_once is not None
    assert at_once.longest == "0.0s"


def point(value: float, hour: float, fires: bool | None = False, floor: float | None = None) -> Point:
    return Point(NOW + timedelta(hours=hour), value, noise_floor=floor, fires=fires)


def test_drift_as_a_line() -> None:
    shown = drift_chart([point(0.0, 0), point(0.15, 1), point(0.6, 4, fires=True, floor=0.03)], 0.3)
    assert shown is not None
    assert [(dot.x, dot.y, dot.fires) for dot in shown.dots] == [
        (14.4, 180.0, False), (187.2, 139.1, False), (705.6, 16.4, True),
    ]  # fmt: skip
    assert shown.line == "14.4,180.0 187.2,139.1 705.6,16.4"
    assert (shown.threshold, shown.floor) == (98.2, 163.6)
    assert shown.label == "3 measurements from 0 to 0.6, threshold 0.3, 1 fired"
    assert shown.dots[-1].label == "2026-11-28T14:07:30Z: 0.6, fires"


@pytest.mark.parametrize(
    ("points", "threshold"), [([point(0.0, 0)], None), ([point(-1.0, 0)], 0.0), ([point(1e9, 0)], 0.3)]
)
def test_unusual_measurements_stay_on_the_chart(points: list[Point], threshold: float | None) -> None:
    shown = drift_chart(points, threshold)
    assert shown is not None
    assert shown.floor is None
    assert shown.dots[0].x == 360
    for y in (shown.dots[0].y, shown.threshold or 0.0):
        assert 0 <= y <= 180


def test_no_measurements_and_many() -> None:
    assert drift_chart([], 0.3) is None
    many = drift_chart([point(n, n) for n in range(MOST_POINTS + 9)], 0.3)
    assert many is not None
    assert len(many.dots) == MOST_POINTS
