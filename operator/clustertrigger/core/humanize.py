"""Durations and numbers as people read them."""

from __future__ import annotations


def duration(seconds: int) -> str:
    """Seconds in the shortest exact units: 90s, 5m, 1h30m, 6h, 1d."""
    if seconds < 120 and seconds % 60:
        return f"{seconds}s"
    parts = []
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
