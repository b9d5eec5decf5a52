"""Progress as log lines: JSON, one object per line, for machines; plain text on a terminal."""

import json
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TextIO

EVERY_SECONDS = 2.0
"""Within a phase, the share done is told at most this often."""


class Progress:
    """Tells how far a run is.

    Args:
        stream: where lines go.
        context: fields on every line: namespace, trigger, run.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        stream: TextIO = sys.stdout,
        context: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._context = dict(context or {})
        self._clock = clock
        self._phase = "start"
        self._told = clock()

    def phase(self, name: str, message: str) -> None:
        """Begin a phase, such as reading or clustering."""
        self._phase = name
        self._told = self._clock()
        self._write("info", message, done=0.0)

    def advance(self, done: float, message: str = "") -> None:
        """Tell the share of the phase that is done, 0 to 1."""
        if self._clock() - self._told >= EVERY_SECONDS:
            self._told = self._clock()
            self._write("info", message, done=round(done, 3))

    def info(self, message: str) -> None:
        """Tell something worth knowing, such as a decision the worker took by itself."""
        self._write("info", message)

    def error(self, message: str, **fields: str) -> None:
        """Tell why the run ends."""
        self._write("error", message, **fields)

    def _write(self, level: str, message: str, **fields: object) -> None:
        if self._stream.isatty():
            share = f" {fields['done']:4.0%}" if "done" in fields else ""
            line = f"{self._phase:>10}{share}  {message}"
        else:
            stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            line = json.dumps(
                {"time": stamp, "level": level, **self._context, "phase": self._phase, "message": message, **fields}
            )
        self._stream.write(line + "\n")
        self._stream.flush()
