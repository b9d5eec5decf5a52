"""Tests of the clock: the operator uses this machine's clock, unless the API server's clock differs."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from clustertrigger.shell.clock import ClusterClock

BEGIN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC).timestamp()
HOUR, DAY = 3600.0, 86_400.0


class Times:
    """The clocks of a test; the same amount of time passes for all of them."""

    def __init__(self, ahead: float = 0.0) -> None:
        self.true = BEGIN
        self.ahead = ahead
        self.skews: list[float] = []
        self.clock = ClusterClock(self.skews.append, wall=lambda: self.true + self.ahead, steady=lambda: self.true - 7)

    def answer(self, *, times: int = 1, ahead: float = 0.0) -> None:
        """The API server answers once per second."""
        for _ in range(times):
            self.true += 1
            self.clock.hear(format_datetime(datetime.fromtimestamp(self.true + ahead, UTC), usegmt=True))

    @property
    def error(self) -> float:
        return self.clock().timestamp() - self.true


@pytest.mark.parametrize("step", [-DAY, -HOUR, -10.0, 10.0, HOUR, DAY])
def test_a_step_of_this_machines_clock_has_no_effect(step: float) -> None:
    times = Times()
    times.answer(times=5)
    assert times.error == pytest.approx(0, abs=1e-3)
    times.ahead = step
    assert times.error == pytest.approx(0, abs=1e-3), "nobody has confirmed it"
    times.answer(times=5)
    assert times.error == pytest.approx(0, abs=1e-3)
    assert times.skews[-1] == pytest.approx(step, abs=1)
    times.ahead = 0
    times.answer()
    assert times.error == pytest.approx(0, abs=1e-3)
    assert times.skews[-1] == 0


@pytest.mark.parametrize("ahead", [-DAY, -5.0, 5.0, HOUR])
def test_a_clock_that_is_wrong_from_the_start_is_not_used(ahead: float) -> None:
    times = Times(ahead)
    times.answer()
    assert abs(times.error) <= 1
    times.answer(times=100)
    assert abs(times.error) <= 2


@pytest.mark.parametrize("ahead", [-1.0, -0.4, 0.0, 0.4, 1.0])
def test_within_the_tolerance_this_machines_clock_is_used(ahead: float) -> None:
    times = Times()
    times.answer()
    times.ahead = ahead
    times.answer()
    assert times.error == pytest.approx(ahead, abs=1e-3)
    assert times.skews[-1] == 0


def test_a_wrong_clock_of_one_of_several_api_servers_is_ignored() -> None:
    times = Times()
    times.answer()
    for _ in range(20):
        times.answer(ahead=HOUR, times=2)
        assert times.error == pytest.approx(0, abs=1e-3)
        times.answer()
    assert set(times.skews) == {0.0}


def test_both_clocks_are_corrected_at_once() -> None:
    """The clocks change as on a single machine, or after a virtual machine resumes: the next answer corrects both."""
    times = Times()
    times.answer()
    times.ahead = HOUR
    times.answer(ahead=HOUR)
    assert times.error == pytest.approx(HOUR, abs=1e-3)


@pytest.mark.parametrize(
    "date",
    [
        "",
        "soon",
        "2026-11-22T12:00:00Z",
        "Sun, 22 Nov 2026 12:00:00 +9999999999999999",
        "Sun, 22 Nov 99999999999999999999 12:00:00 GMT",
        "Sun, 22 Nov 2026 12:00:9999999999999999999999 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Mon, 01 Jan 1900 00:00:00 GMT",
        "Mon, 01 Jan 1900 00:00:00 -0000",
    ],
)
def test_an_answer_without_a_usable_date_is_ignored(date: str) -> None:
    times = Times()
    for _ in range(5):
        times.clock.hear(date)
        times.true += 1
        assert times.error == pytest.approx(0, abs=1e-3)
    assert times.skews == []


def test_a_date_without_a_known_zone_is_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        times = Times(ahead=HOUR)
        times.clock.hear("Sun, 22 Nov 2026 12:00:00 -0000")
        assert abs(times.error) <= 1
    finally:
        monkeypatch.undo()
        time.tzset()


def test_near_the_tolerance_the_clock_does_not_alternate() -> None:
    times = Times()
    times.answer()
    for _ in range(10):
        times.ahead = 2.6  # the answer's second rounds it down to below the tolerance, or not
        times.answer(times=4)
    assert times.skews[-1] != 0
    times.ahead = 1.6
    times.answer(times=4)
    assert times.skews[-1] != 0, "not near enough to be trusted again"
    times.ahead = 0.5
    times.answer()
    assert times.skews[-1] == 0
