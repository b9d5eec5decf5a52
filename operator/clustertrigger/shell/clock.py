"""Reads the clock; no other module does. Design record: docs/design/clock.md."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]

TOLERANCE = 2.0
"""Maximum difference in seconds to the API server's clock that is ignored, because responses are dated to the
second.
"""
_EARLIEST = 0.0
_LATEST = datetime(9000, 1, 1, tzinfo=UTC).timestamp()
"""Dates between which durations can be added. A proxy can send any date."""
_IN_A_ROW = 3
"""Number of responses that must contradict this machine's clock, because one of several API servers can be wrong."""


def _steady() -> float:
    """A clock that cannot be set and that includes the time in sleep mode, if the system has one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()


@lru_cache(maxsize=1)
def _middle_of(date: str) -> float | None:
    """Returns the middle of a response's second, since the Unix epoch; None if the date cannot be used.

    A thousand responses can have the same date.
    """
    try:
        found = parsedate_to_datetime(date)
        at = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return at + 0.5 if _EARLIEST <= at < _LATEST else None


class ClusterClock:
    """This machine's clock, as long as the API server's agrees with it.

    Setting the clock of a node must neither skip slots nor fire them twice. Between two responses of the API server, a
    steady clock measures the time. If responses contradict the machine's clock, the responses count.

    Args:
        show_skew: called with the number of seconds by which this machine's clock is ahead; 0 if it agrees.
        wall: this machine's clock, in seconds since the Unix epoch.
        steady: seconds since any instant.
    """

    def __init__(
        self,
        show_skew: Callable[[float], None] = lambda _: None,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = _steady,
    ) -> None:
        self._show_skew = show_skew
        self._wall = wall
        self._steady = steady
        self._offset = wall() - steady()
        self._agrees: bool | None = None
        self._contradicted = 0

    def __call__(self) -> datetime:
        """Returns the current time, in UTC."""
        return datetime.fromtimestamp(self._steady() + self._offset, UTC)

    def hear(self, date: str) -> None:
        """Takes the Date of a response that was just received into account.

        Args:
            date: The Date header (RFC 9110, 5.6.7), in whole seconds.
        """
        server_time = _middle_of(date)
        if server_time is None:
            return
        ahead = self._wall() - server_time
        # Near the limit, the source of the time must not alternate.
        if abs(ahead) <= (TOLERANCE / 2 if self._agrees is False else TOLERANCE):
            self._offset = self._wall() - self._steady()
            self._contradicted = 0
            self._judge(agrees=True, ahead=ahead)
            return
        self._contradicted += 1
        if self._agrees is None or self._contradicted >= _IN_A_ROW:
            if abs(self._steady() + self._offset - server_time) > TOLERANCE:
                self._offset = server_time - self._steady()
            self._judge(agrees=False, ahead=ahead)

    def _judge(self, *, agrees: bool, ahead: float) -> None:
        self._show_skew(0.0 if agrees else round(ahead, 1))
        if agrees and self._agrees is False:
            logger.info("This machine's clock agrees with the API server's again")
        elif not agrees and self._agrees is not False:
            behind = "ahead of" if ahead > 0 else "behind"
            logger.warning(
                "This machine's clock is %.0f s %s the API server's clock. The operator uses the API server's time "
                "until they agree: check this node's time synchronisation",
                abs(ahead),
                behind,
            )
        self._agrees = agrees
