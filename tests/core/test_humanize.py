"""Tests of durations and ages in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clustertrigger.core.humanize import ago, coarse, until

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0s"), (0.4, "0s"), (119, "119s"), (120, "2m"), (7199, "119m"), (7200, "2h"), (7260, "2h1m"),
     (8 * 3600 + 120, "8h"), (172_799, "47h"), (172_800, "2d"), (86_400 * 400, "400d")],
)  # fmt: skip
def test_durations(seconds: float, words: str) -> None:
    assert coarse(seconds) == words
    assert ago(NOW, NOW + timedelta(seconds=max(seconds, 0))) == f"{words} ago"


def test_coming_slots() -> None:
    assert until(NOW + timedelta(hours=5), NOW) == "in 5h"
    assert until(NOW, NOW) == until(NOW - timedelta(hours=1), NOW) == "now"
