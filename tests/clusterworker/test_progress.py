"""Log lines for machines and for a terminal."""

from __future__ import annotations

import io
import json

from clusterworker.progress import Progress


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
    progress.phase("read", "reading 10 documents")
    for step in range(100):
        clock.now = step / 10
        progress.advance(step / 100)
    progress.error("it broke", traceback="line 1")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line.get("done") for line in lines] == [0.0, 0.2, 0.4, 0.6, 0.8, None]
    assert {line["trigger"] for line in lines} == {"nightly"}
    assert {line["phase"] for line in lines} == {"read"}
    assert lines[0]["time"].endswith("Z")
    assert lines[-1].items() >= {"level": "error", "message": "it broke", "traceback": "line 1"}.items()


def test_terminal() -> None:
    stream = Terminal()
    progress = Progress(stream)
    progress.phase("read", "reading 10 documents")
    progress.info("done")
    assert stream.getvalue() == "      read   0%  reading 10 documents\n      read  done\n"
