"""How long ago, and how soon, as kubectl writes it."""

from __future__ import annotations

from datetime import datetime

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def coarse(seconds: float) -> str:
    """Return a duration to the precision that people want: 90s, 5m, 3h20m, 14h, 6d."""
    whole = max(round(seconds), 0)
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    if whole < 2 * _HOUR:
        return f"{whole // _MINUTE}m"
    if whole >= 2 * _DAY:
        return f"{whole // _DAY}d"
    hours, minutes = divmod(whole // _MINUTE, 60)
    return f"{hours}h{minutes}m" if minutes and hours < 8 else f"{hours}h"


def ago(then: datetime, now: datetime) -> str:
    """Return how long ago an instant was."""
    return f"{coarse((now - then).total_seconds())} ago"


def until(then: datetime, now: datetime) -> str:
    """Return how soon an instant comes; `now` where it has come."""
    seconds = (then - now).total_seconds()
    return f"in {coarse(seconds)}" if seconds >= 1 else "now"
