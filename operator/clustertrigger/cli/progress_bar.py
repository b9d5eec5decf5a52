"""Shows the progress of a run from the worker's log lines: as a bar on a terminal, as a few plain lines elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self, TextIO

from rich.console import RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from clustertrigger.cli.terminal import console, printable
from clustertrigger.core.humanize import duration

_WIDTH = 24
_PLAIN_SECONDS = 10.0
"""Without a terminal, a phase is reported when it begins, and later at most once in this interval."""


@dataclass(frozen=True)
class Progress:
    """The known progress of a run.

    Attributes:
        phase: The current phase, such as `cluster`.
        place: Number of the phase among all, such as ` 3/7`.
        message: Description of the phase.
        done: Completed share of the phase, 0 to 1.
        left: Seconds until the phase's end, if the worker has estimated them.
    """

    phase: str
    place: str = ""
    message: str = ""
    done: float = 0.0
    left: int | None = None

    def heed(self, line: dict[str, Any]) -> Progress:
        """Returns the progress after another line of the worker's log."""
        phase = str(line.get("phase") or self.phase)
        base = self if phase == self.phase else Progress(phase)
        place = f" {line['step']}/{line['steps']}" if "step" in line and "steps" in line else base.place
        base = replace(base, place=place, message=str(line.get("message") or "") or base.message)
        done = line.get("done")
        if not isinstance(done, int | float):
            return base
        left = line.get("seconds_left")
        return replace(base, done=min(max(done, 0.0), 1.0), left=left if isinstance(left, int) else None)

    def share(self, waited: float, elapsed: float) -> str:
        """Returns the completed share and the remaining time as text.

        Args:
            waited: Seconds since the worker's last line.
            elapsed: Seconds since the phase began, which are shown if nothing else indicates progress.
        """
        share = f"{self.done:4.0%}" if self.done else f" {duration(round(elapsed))} so far"
        return share + ("" if self.left is None else f"  {duration(max(round(self.left - waited), 0))} left")


def read_line(text: str) -> dict[str, Any] | None:
    """Parses a line of the worker's log; returns None for other lines, such as a library's warning."""
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) and "phase" in line else None


class Display:
    """Shows one run's progress while the context lasts.

    Args:
        stream: Output stream.
        clock: Returns monotonic seconds.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._console = console(stream)
        self._clock = clock
        self._live = (
            Live(
                console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
            )
            if stream.isatty()
            else None
        )
        self._progress: Progress | None = None
        self._note = ""
        self._begun = self._last_line = self._printed = clock()

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def waiting(self, why: str) -> None:
        """Shows that the run has not started, or is between two attempts."""
        self._progress = None
        if why != self._note:
            self._note = why
            if not self._live:
                self.say(why)
        self.refresh()

    def line(self, text: str) -> None:
        """Handles a line of the worker's log."""
        entry = read_line(text)
        if entry is None:
            return
        before, self._note, self._last_line = self._progress, "", self._clock()
        self._progress = (before or Progress(str(entry["phase"]))).heed(entry)
        if before is None or before.phase != self._progress.phase:
            self._begun = self._last_line
        if entry.get("level") == "error":
            self.say(str(entry.get("message") or ""))
        elif self._live:
            self.refresh()
        elif before is None or before.phase != self._progress.phase:
            self._printed = self._last_line
            self._say_plainly(self._progress, "")
        elif self._last_line - self._printed >= _PLAIN_SECONDS and "done" in entry:
            self._printed = self._last_line
            self._say_plainly(self._progress, f"{self._progress.share(0.0, self._last_line - self._begun).strip()}  ")

    def refresh(self) -> None:
        """Redraws the bar, because time has passed."""
        if self._live:
            self._live.update(self._drawn(), refresh=True)

    def say(self, text: str) -> None:
        """Prints a permanent line."""
        self._console.print(Text(printable(text)), soft_wrap=True)

    def _say_plainly(self, progress: Progress, share: str) -> None:
        self.say(f"{progress.phase}{progress.place}  {share}{progress.message}")

    def _drawn(self) -> RenderableType:
        known = self._progress
        if known is None:
            return Text(printable(self._note), no_wrap=True, overflow="ellipsis")
        now = self._clock()
        where = Text(printable(f"{known.phase}{known.place}"), style="bold")
        share = Text(known.share(now - self._last_line, now - self._begun))
        message = Text(printable(known.message), style="dim")
        # On a narrow terminal, only the message is shortened.
        message.truncate(
            max(self._console.width - where.cell_len - _WIDTH - share.cell_len - 3, 0), overflow="ellipsis"
        )
        row = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=1.0, completed=known.done, width=_WIDTH, pulse=not known.done, animation_time=now)
        row.add_row(where, bar, share, message)
        return row
