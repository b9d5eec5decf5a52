"""How far a run is: the worker's log lines, as a bar on a terminal, as a few plain lines elsewhere."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TextIO

from clustertrigger.cli.terminal import printable
from clustertrigger.core.humanize import duration

_WIDTH = 24
_PLAIN_SECONDS = 10.0
"""Where there is no terminal, a phase is told when it begins, and then not more often."""


@dataclass(frozen=True)
class Progress:
    """What is known of a run's progress.

    Attributes:
        phase: what is going on, such as `cluster`.
        place: of the phase among all, such as ` 3/7`.
        message: the phase in words.
        done: share of the phase, 0 to 1.
        left: seconds until the phase's end, where the worker could tell.
    """

    phase: str
    place: str = ""
    message: str = ""
    done: float = 0.0
    left: int | None = None

    def heed(self, line: dict[str, Any]) -> Progress:
        """What is known after another line of the worker's log."""
        phase = str(line.get("phase") or self.phase)
        base = self if phase == self.phase else Progress(phase)
        place = f" {line['step']}/{line['steps']}" if "step" in line and "steps" in line else base.place
        base = replace(base, place=place, message=str(line.get("message") or "") or base.message)
        done = line.get("done")
        if not isinstance(done, int | float):
            return base
        left = line.get("seconds_left")
        return replace(base, done=min(max(done, 0.0), 1.0), left=left if isinstance(left, int) else None)


def read_line(text: str) -> dict[str, Any] | None:
    """A line of the worker's log; None where it is something else, such as a library's warning."""
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) and "phase" in line else None


def draw(progress: Progress, waited: float, elapsed: float) -> str:
    """One line with a bar.

    Args:
        progress: of the run.
        waited: seconds since the worker's last word.
        elapsed: seconds since the phase began; shown while nothing else tells that something goes on.
    """
    filled = round(progress.done * _WIDTH)
    bar = "#" * filled + "." * (_WIDTH - filled)
    share = f"{progress.done:4.0%}" if progress.done else f" {duration(round(elapsed))} so far"
    left = "" if progress.left is None else f"  {duration(max(round(progress.left - waited), 0))} left"
    return f"{progress.phase}{progress.place}  [{bar}] {share}{left}  {progress.message}"


class Display:
    """Shows one run's progress.

    Args:
        stream: where to.
        clock: monotonic seconds.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._bar = stream.isatty()
        self._progress: Progress | None = None
        self._note = ""
        self._begun = self._heard = self._told = clock()

    def waiting(self, why: str) -> None:
        """The run has not started, or is between two attempts."""
        self._progress = None
        if why != self._note:
            self._note = why
            if not self._bar:
                self._print(why)
        self.refresh()

    def line(self, text: str) -> None:
        """A line of the worker's log has come."""
        told = read_line(text)
        if told is None:
            return
        before, self._note, self._heard = self._progress, "", self._clock()
        self._progress = (before or Progress(str(told["phase"]))).heed(told)
        if before is None or before.phase != self._progress.phase:
            self._begun = self._heard
        if told.get("level") == "error":
            self.say(str(told.get("message") or ""))
        elif self._bar:
            self.refresh()
        elif before is None or before.phase != self._progress.phase:
            self._told = self._heard
            self._print(f"{self._progress.phase}{self._progress.place}  {self._progress.message}")
        elif self._heard - self._told >= _PLAIN_SECONDS and "done" in told:
            self._told = self._heard
            self._print(draw(self._progress, 0.0, self._heard - self._begun))

    def refresh(self) -> None:
        """Draw the bar anew: time has passed."""
        if not self._bar:
            return
        now, known = self._clock(), self._progress
        text = self._note if known is None else draw(known, now - self._heard, now - self._begun)
        width = shutil.get_terminal_size().columns - 1
        self._stream.write(f"\r\x1b[2K{printable(text)[:width]}")
        self._stream.flush()

    def say(self, text: str) -> None:
        """Print a line that stays."""
        if self._bar:
            self._stream.write("\r\x1b[2K")
        self._print(text)

    def _print(self, text: str) -> None:
        self._stream.write(f"{printable(text)}\n")
        self._stream.flush()
