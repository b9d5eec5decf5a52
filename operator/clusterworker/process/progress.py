"""Progress as log lines: JSON, one object per line, for machines; plain text on a terminal.

| field | meaning |
|---|---|
| time, level, message | when, how bad, what, for people |
| namespace, trigger, run | whose line it is |
| phase, step, steps | what is done; the phase's number, and the number of phases |
| done | share of the phase that is done, 0 to 1; a phase that passes over the documents again begins at 0 again |
| seconds_left | until the end of the phase, at the current speed |
"""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TextIO

EVERY_SECONDS = 2.0
"""Minimum number of seconds between two reports of progress within a phase."""


class Progress:
    """Reports the progress of a run.

    Args:
        stream: Output stream.
        context: Fields on every line: namespace, trigger, run.
        clock: Returns monotonic seconds.
    """

    def __init__(
        self,
        stream: TextIO = sys.stdout,
        context: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._context = dict(context or {})
        self._phases: Sequence[str] = ()
        self._clock = clock
        self._phase = "start"
        self._reported = self._begun = clock()
        self._done = 0.0

    def plan(self, phases: Sequence[str]) -> None:
        """Sets the phases that will follow, in order."""
        self._phases = phases

    def phase(self, name: str, message: str) -> None:
        """Begins a phase, such as reading or clustering."""
        self._phase = name
        self._reported = self._begun = self._clock()
        self._done = 0.0
        self._write("info", message, done=0.0)

    def advance(self, done: float, message: str = "") -> None:
        """Reports the completed share of the phase, 0 to 1."""
        now = self._clock()
        if done < self._done:  # The phase reads the documents another time.
            self._begun = now
        self._done = done
        if now - self._reported >= EVERY_SECONDS:
            self._reported = now
            left = (
                {"seconds_left": round((now - self._begun) * (1 - done) / done)} if done and now > self._begun else {}
            )
            self._write("info", message, done=round(done, 3), **left)

    def info(self, message: str, **fields: object) -> None:
        """Reports information, such as a decision that the worker made by itself; fields are for programs."""
        self._write("info", message, **fields)

    def error(self, message: str, **fields: str) -> None:
        """Reports why the run ends."""
        self._write("error", message, **fields)

    def _write(self, level: str, message: str, **fields: object) -> None:
        if self._stream.isatty():
            share = f" {fields['done']:4.0%}" if "done" in fields else ""
            share += f" {fields['seconds_left']} s left" if "seconds_left" in fields else ""
            line = f"{self._phase:>10}{share}  {message}"
        else:
            stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            entry = {"time": stamp, "level": level, **self._context, "phase": self._phase, **self._step()}
            line = json.dumps({**entry, "message": message, **fields})
        self._stream.write(line + "\n")
        self._stream.flush()

    def _step(self) -> dict[str, int]:
        if self._phase not in self._phases:
            return {}
        return {"step": self._phases.index(self._phase) + 1, "steps": len(self._phases)}
