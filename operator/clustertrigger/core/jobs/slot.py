"""Defines slots, which say what a Job was created for. `parse_slot` reads a slot from a Job, and `str` writes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from clustertrigger.core.instants import format_instant, instant_or_none

_ORDINAL = re.compile(r"[0-9]{1,18}")
"""Maximum number of digits of an integer in a slot. Users who can create Jobs can write any text there, and Python
refuses to parse longer integers.
"""


@dataclass(frozen=True, slots=True)
class ScheduledSlot:
    """A run is due: at an instant of the schedule, or at that of the check that found drift."""

    instant: datetime

    def __str__(self) -> str:
        return format_instant(self.instant)


@dataclass(frozen=True, slots=True)
class EventSlot:
    """The event that reached the threshold, identified by its number among all counted events."""

    ordinal: int

    def __str__(self) -> str:
        return f"event/{self.ordinal}"


@dataclass(frozen=True, slots=True)
class ManualSlot:
    """A manual request, identified by its token."""

    token: str

    def __str__(self) -> str:
        return f"manual/{self.token}"


@dataclass(frozen=True, slots=True)
class CheckSlot:
    """A check is due at an instant of the schedule."""

    instant: datetime

    def __str__(self) -> str:
        return f"check/{format_instant(self.instant)}"


RunSlot = ScheduledSlot | EventSlot | ManualSlot
Slot = RunSlot | CheckSlot


def parse_slot(text: str) -> Slot | None:
    """Returns the slot of a Job's annotation; None if it is not valid."""
    kind, separator, rest = text.partition("/")
    match kind if separator else "":
        case "manual":
            return ManualSlot(rest)
        case "event":
            return EventSlot(int(rest)) if _ORDINAL.fullmatch(rest) else None
        case "check":
            return None if (instant := instant_or_none(rest)) is None else CheckSlot(instant)
        case "":
            return None if (instant := instant_or_none(text)) is None else ScheduledSlot(instant)
    return None
