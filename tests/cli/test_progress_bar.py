"""Tests of how `watch` shows the worker's log."""

from __future__ import annotations

import io
import json
import re

import pytest

from clustertrigger.cli.progress_bar import Display, Progress, read_line


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def line(phase: str, step: int, message: str = "", **fields: object) -> str:
    return json.dumps({"level": "info", "phase": phase, "step": step, "steps": 7, "message": message, **fields})


@pytest.mark.parametrize(
    ("progress", "waited", "words"),
    [
        (Progress("open"), 0, " 75s so far"),
        (Progress("cluster", " 3/7", "clustering by kmeans", 0.5, 90), 0, " 50%  90s left"),
        (Progress("read", " 2/7", "reading", 0.5, 10), 4, " 50%  6s left"),
        (Progress("read", " 2/7", "reading", 0.5, 10), 99, " 50%  0s left"),
        (Progress("read", " 2/7", "reading", 1.0, 0), 0, "100%  0s left"),
    ],
)
def test_progress_says_share_and_time_left(progress: Progress, waited: float, words: str) -> None:
    assert progress.share(waited, elapsed=75) == words


def test_a_phase_keeps_its_message_and_starts_without_progress() -> None:
    progress = Progress("read").heed({"phase": "read", "step": 2, "steps": 7, "message": "reading 9 documents"})
    progress = progress.heed({"phase": "read", "message": "", "done": 0.25, "seconds_left": 6})
    assert progress == Progress("read", " 2/7", "reading 9 documents", 0.25, 6)
    assert progress.heed({"phase": "cluster", "message": "by kmeans", "done": 0.0}) == Progress(
        "cluster", "", "by kmeans"
    )


@pytest.mark.parametrize(
    "text", ["", "Traceback (most recent call last):", "[1, 2]", "{}", '{"level": "info"}', '{"phase": "re']
)
def test_other_lines_are_omitted(text: str) -> None:
    assert read_line(text) is None
    stream = io.StringIO()
    with Display(stream, Clock()) as display:
        display.line(text)
    assert stream.getvalue() == ""


@pytest.mark.parametrize("line", [{"phase": "read", "done": "half"}, {"phase": "read", "done": None, "step": 1}])
def test_lines_of_other_versions_are_accepted(line: dict[str, object]) -> None:
    assert Progress("read").heed(line) == Progress("read")


def test_without_a_terminal_progress_is_printed_every_ten_seconds() -> None:
    stream, clock = io.StringIO(), Clock()
    display = Display(stream, clock)
    display.waiting("waiting for the Pod: ContainerCreating")
    display.waiting("waiting for the Pod: ContainerCreating")
    display.line(line("read", 2, "reading 9 documents", done=0.0))
    for second in range(2, 26, 2):
        clock.now = second
        display.line(line("read", 2, done=second / 26, seconds_left=26 - second))
        display.refresh()
    display.line(line("assign", 4, "writing members", done=0.0))
    display.line(line("assign", 4, "2 documents are noise"))
    assert stream.getvalue().splitlines() == [
        "waiting for the Pod: ContainerCreating",
        "read 2/7  reading 9 documents",
        "read 2/7  38%  16s left  reading 9 documents",
        "read 2/7  77%  6s left  reading 9 documents",
        "assign 4/7  writing members",
    ]


def test_on_a_terminal_one_line_is_updated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "61")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    stream, clock = Terminal(), Clock()
    with Display(stream, clock) as display:
        display.line(line("read", 2, "reading 9 documents", done=0.5, seconds_left=10))
        clock.now = 3
        display.refresh()
        display.line(json.dumps({"level": "error", "phase": "read", "message": "no column 'embedding'"}))
        display.say("failed")
    bar = "━" * 12 + " " * 12
    plain = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    drawn = [part.rstrip() for part in re.split(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]", plain) if part.strip()]
    assert f"read 2/7 {bar}  50%  10s left reading 9 d…" in drawn, drawn
    assert f"read 2/7 {bar}  50%  7s left reading 9 do…" in drawn, drawn
    lines = [text for text in drawn if not text.startswith("read 2/7")]
    assert lines == ["no column 'embedding'", "failed"]
    assert all(len(text) <= 61 for text in drawn)
    assert "\x1b[?25h" in stream.getvalue(), "the cursor is back"
