"""Tests of lines that other programs can cause as often as they like."""

from __future__ import annotations

import logging

import pytest

from clustertrigger.net.seldom import SeldomLine


def test_one_line_in_a_period_with_the_number_of_those_left_out(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    line = SeldomLine(logging.getLogger("clustertrigger.x"), clock=lambda: now)
    for number in range(6_000):
        now = number / 100
        line.log(f"Bad: {number}")
    assert caplog.messages == ["Bad: 0"]
    now = 61.0
    line.log("Bad:\nworse " + "x" * 1_000_000)
    line.log("Bad again")
    assert len(caplog.messages) == 2
    assert caplog.messages[1].startswith("Bad: worse xxx")
    assert caplog.messages[1].endswith("x (and 5,999 more since the last such line)")
    now = 122.0
    line.log("Bad, too")
    assert caplog.messages[2:] == ["Bad, too (and 1 more since the last such line)"]
