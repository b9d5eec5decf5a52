"""Formats and reads durations as people write them."""

from __future__ import annotations

import re
from datetime import datetime
from math import isfinite

_SECONDS = {
    **dict.fromkeys(("ns", "us", "µs", "μs"), 0.0),
    **dict.fromkeys(("ms", "millisecond"), 0.001),
    **dict.fromkeys(("s", "sec", "second"), 1.0),
    **dict.fromkeys(("m", "min", "minute"), 60.0),
    **dict.fromkeys(("h", "hr", "hour"), 3600.0),
    **dict.fromkeys(("d", "day"), 86_400.0),
    **dict.fromkeys(("w", "week"), 604_800.0),
}
_PART = re.compile(r"(\d+(?:\.\d+)?|\.\d+)?[ _]*([a-zµμ]+)[ ,_]*")
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_ISO = re.compile(r"p(?:(\d+)w)?(?:(\d+)d)?(?:t(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?)?")


def duration(seconds: int) -> str:
    """Returns seconds in the shortest exact units: 90s, 5m, 1h30m, 6h, 1d."""
    if seconds < 120 and seconds % 60:
        return f"{seconds}s"
    parts = []
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def read_duration(text: str) -> float | None:
    """Returns the seconds of a duration such as 1h30m, 1.5h, 5 minutes, hour or PT1H30M; None for any other text."""
    folded = text.strip().lower()
    if (iso := _ISO.fullmatch(folded)) is not None and any(iso.groups()):
        lengths = (604_800.0, 86_400.0, 3600.0, 60.0, 1.0)
        return _finite(
            sum(float(count) * length for count, length in zip(iso.groups(default="0"), lengths, strict=True))
        )
    total, at = 0.0, 0
    while at < len(folded):
        part = _PART.match(folded, at)
        if part is None:
            return None
        length = _SECONDS.get(part[2], _SECONDS.get(part[2].removesuffix("s")))
        if length is None or (part[1] is None and (at > 0 or len(part[2]) < 3)):
            return None
        total += float(part[1] or 1) * length
        at = part.end()
    return _finite(total) if at else None


def _finite(seconds: float) -> float | None:
    return seconds if isfinite(seconds) else None


def coarse(seconds: float) -> str:
    """Returns a duration rounded as kubectl rounds ages: 90s, 5m, 3h20m, 14h, 6d."""
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
    """Returns how long ago an instant was."""
    return f"{coarse((now - then).total_seconds())} ago"


def until(then: datetime, now: datetime) -> str:
    """Returns the time until an instant; `now` if it has passed."""
    seconds = (then - now).total_seconds()
    return f"in {coarse(seconds)}" if seconds >= 1 else "now"
