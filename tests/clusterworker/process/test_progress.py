"""Tests of log lines for machines and for a terminal."""

from __future__ import annotations

import io
import json

from clusterworker.process.progress import Progress


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_json_lines() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(stream, {"trigger": "nightly"}, clock)
    progress.plan(("open", "read"))
    progress.phase("read", "reading 10 documents")
    for step in range(100):
        clock.now = step / 10
        progress.advance(step / 100)
    progress.error("it broke", traceback="line 1")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line.get("done") for line in lines] == [0.0, 0.2, 0.4, 0.6, 0.8, None]
    assert {line["trigger"] for line in lines} == {"nightly"}
    assert {line["phase"] for line in lines} == {"read"}
    assert [(line["step"], line["steps"]) for line in lines] == [(2, 2)] * len(lines)
    assert [line.get("seconds_left") for line in lines] == [None, 8, 6, 4, 2, None]
    assert lines[0]["time"].endswith("Z")
    assert lines[-1].items() >= {"level": "error", "message": "it broke", "traceback": "line 1"}.items()


def test_time_left_is_of_the_pass_that_is_going_on() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(stream, clock=clock)
    progress.phase("cluster", "two passes")
    for clock.now, done in [(50, 0.5), (100, 1.0), (101, 0.01), (103, 0.21), (106, 0.51)]:
        progress.advance(done)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line.get("seconds_left") for line in lines] == [None, 50, 0, 8, 5]
    assert all("step" not in line for line in lines), "the phases are not known beforehand"


def test_terminal() -> None:
    stream = Terminal()
    progress = Progress(stream)
    progress.phase("read", "reading 10 documents")
    progress.info("done")
    assert stream.getvalue() == "      read   0%  reading 10 documents\n      read  done\n"
