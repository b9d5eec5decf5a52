"""Formats times, tones and numbers for the templates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from clustertrigger.core.humanize import ago, coarse, until
from clustertrigger.core.instants import format_instant

Tone = Literal["good", "busy", "off", "bad", "unsure"]
"""The colour of a state. A text always says the same."""

TONES: dict[str, Tone] = {
    "active": "good",
    "running": "busy",
    "pending": "busy",
    "completed": "good",
    "paused": "off",
    "disabled": "off",
    "failed": "bad",
    "not ready": "bad",
    "not seen": "unsure",
}
"""Tones by a trigger's or a run's state."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant.

    Attributes:
        iso: RFC 3339 in UTC, to the second.
        utc: Text for readers without scripts.
        words: How long ago it was, or how soon it is.
    """

    iso: str
    utc: str
    words: str


def moment(instant: datetime | None, now: datetime) -> Moment | None:
    """Returns an instant as it is shown; None if there is none."""
    if instant is None:
        return None
    whole = instant.astimezone(UTC).replace(microsecond=0)
    words = ago(instant, now) if instant < now else until(instant, now)
    return Moment(format_instant(whole), f"{whole:%a %d %b %Y %H:%M:%S} UTC", words)


def took(milliseconds: int | None) -> str:
    """Returns a run's duration; empty if unknown."""
    if milliseconds is None:
        return ""
    return f"{milliseconds / 1000:.1f}s" if milliseconds < 10_000 else coarse(milliseconds / 1000)
