"""Tests of how times and numbers are shown."""

from __future__ import annotations

from datetime import timedelta

import pytest

from clustertrigger.rest.page.views.words import Moment, moment, took
from tests.rest.page.objects import NOW


def test_moments() -> None:
    iso, utc = "2026-11-28T11:07:30Z", "Sat 28 Nov 2026 11:07:30 UTC"
    assert moment(NOW + timedelta(hours=1, microseconds=5), NOW) == Moment(iso, utc, "in 60m")
    past = moment(NOW - timedelta(days=3), NOW)
    assert past is not None
    assert past.words == "3d ago"
    assert moment(None, NOW) is None


@pytest.mark.parametrize(
    ("milliseconds", "words"), [(None, ""), (0, "0.0s"), (9_949, "9.9s"), (64_000, "64s"), (400_000, "6m")]
)
def test_durations_of_runs(milliseconds: int | None, words: str) -> None:
    assert took(milliseconds) == words
