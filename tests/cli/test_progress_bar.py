"""What `watch` shows of the worker's log."""

from __future__ import annotations

import io
import json

import pytest

from clustertrigger.cli.progress_bar import Display, Progress, draw, read_line


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
    ("progress", "waited", "drawn"),
    [
        (Progress("open"), 0, "open  [........................]  75s so far  "),
        (
            Progress("cluster", " 3/7", "clustering by kmeans", 0.5, 90),
            0,
            "cluster 3/7  [############............]  50%  90s left  clustering by kmeans",
        ),
        (
            Progress("read", " 2/7", "reading", 0.5, 10),
            4,
            "read 2/7  [############............]  50%  6s left  reading",
        ),
        (
            Progress("read", " 2/7", "reading", 0.5, 10),
            99,
            "read 2/7  [############............]  50%  0s left  reading",
        ),
        (Progress("read", " 2/7", "reading", 1.0, 0), 0, "read 2/7  [########################] 100%  0s left  reading"),
    ],
)
def test_a_bar_says_phase_share_and_time_left(progress: Progress, waited: float, drawn: str) -> None:
    assert draw(progress, waited, elapsed=75) == drawn


def test_a_phase_keeps_its_message_and_begins_without_the_last_ones_share() -> None:
    progress = Progress("read").heed({"phase": "read", "step": 2, "steps": 7, "message": "reading 9 documents"})
    progress = progress.heed({"phase": "read", "message": "", "done": 0.25, "seconds_left": 6})
    assert progress == Progress("read", " 2/7", "reading 9 documents", 0.25, 6)
    assert progress.heed({"phase": "cluster", "message": "by kmeans", "done": 0.0}) == Progress(
        "cluster", "", "by kmeans"
    )


@pytest.mark.parametrize(
    "text", ["", "Traceback (most recent call last):", "[1, 2]", "{}", '{"level": "info"}', '{"phase": "re']
)
def test_what_is_no_line_of_the_worker_is_left_out(text: str) -> None:
    assert read_line(text) is None
    stream = io.StringIO()
    Display(stream, Clock()).line(text)
    assert stream.getvalue() == ""


@pytest.mark.parametrize("line", [{"phase": "read", "done": "half"}, {"phase": "read", "done": None, "step": 1}])
def test_a_line_of_another_version_breaks_nothing(line: dict[str, object]) -> None:
    assert Progress("read").heed(line) == Progress("read")


def test_without_a_terminal_a_phase_is_told_once_and_then_every_ten_seconds() -> None:
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
        "read 2/7  [#########...............]  38%  16s left  reading 9 documents",
        "read 2/7  [##################......]  77%  6s left  reading 9 documents",
        "assign 4/7  writing members",
    ]


def test_on_a_terminal_one_line_is_drawn_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "61")
    stream, clock = Terminal(), Clock()
    display = Display(stream, clock)
    display.line(line("read", 2, "reading 9 documents", done=0.5, seconds_left=10))
    clock.now = 3
    display.refresh()
    display.line(json.dumps({"level": "error", "phase": "read", "message": "no column 'embedding'"}))
    display.say("failed")
    erase = "\r\x1b[2K"
    assert stream.getvalue().split(erase) == [
        "",
        "read 2/7  [############............]  50%  10s left  reading",
        "read 2/7  [############............]  50%  7s left  reading ",
        "no column 'embedding'\n",
        "failed\n",
    ]
