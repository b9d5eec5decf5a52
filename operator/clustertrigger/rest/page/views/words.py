"""Times, tones and numbers, as the templates take them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from clustertrigger.core.humanize import ago, coarse, until
from clustertrigger.core.instants import format_instant

Tone = Literal["good", "busy", "off", "bad", "unsure"]
"""How a state is coloured. A word always says the same."""

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
"""By a trigger's or a run's state in words."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant.

    Attributes:
        iso: RFC 3339 in UTC, to the second.
        utc: for people who read no script.
        words: how long ago it was, or how soon it comes.
    """

    iso: str
    utc: str
    words: str


def moment(instant: datetime | None, now: datetime) -> Moment | None:
    """An instant as it is shown; None where there is none."""
    if instant is None:
        return None
    whole = instant.astimezone(UTC).replace(microsecond=0)
    words = ago(instant, now) if instant < now else until(instant, now)
    return Moment(format_instant(whole), f"{whole:%a %d %b %Y %H:%M:%S} UTC", words)


def took(milliseconds: int | None) -> str:
    """A run's time; empty where it is not known."""
    if milliseconds is None:
        return ""
    return f"{milliseconds / 1000:.1f}s" if milliseconds < 10_000 else coarse(milliseconds / 1000)
