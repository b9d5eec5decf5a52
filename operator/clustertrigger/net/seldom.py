"""Logs what other programs can cause as often as they like."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

_LONGEST = 300


class SeldomLine:
    """Logs a line at most once in a period. The next one says how many were left out.

    Args:
        logger: Where it is logged, as a warning.
        period: Seconds between two lines.
        clock: Returns the time in seconds.
    """

    def __init__(
        self, logger: logging.Logger, period: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._logger = logger
        self._period = period
        self._clock = clock
        self._next = float("-inf")
        self._left_out = 0

    def log(self, message: str) -> None:
        """Logs a message, in one line of limited length, or counts it."""
        now = self._clock()
        if now < self._next:
            self._left_out += 1
            return
        line = " ".join(message[:_LONGEST].split())
        if self._left_out:
            line = f"{line} (and {self._left_out:,} more since the last such line)"
        self._logger.warning("%s", line)
        self._next = now + self._period
        self._left_out = 0
