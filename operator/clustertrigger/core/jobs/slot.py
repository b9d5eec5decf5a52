"""Slots: what a Job is for. Each is read from a Job once, by `parse_slot`, and written on one once, by `str`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from clustertrigger.core.instants import format_instant, parse_instant

_ORDINAL = re.compile(r"[0-9]{1,18}")
"""Any user who can create Jobs can write any text as the slot. Python does not parse integers with more digits."""


@dataclass(frozen=True, slots=True)
class ScheduledSlot:
    """An instant of the schedule, or that of the check that found drift: a run is due."""

    instant: datetime

    def __str__(self) -> str:
        return format_instant(self.instant)


@dataclass(frozen=True, slots=True)
class EventSlot:
    """The event that reached the threshold, by its number among all that were counted."""

    ordinal: int

    def __str__(self) -> str:
        return f"event/{self.ordinal}"


@dataclass(frozen=True, slots=True)
class ManualSlot:
    """A request by hand, by its token."""

    token: str

    def __str__(self) -> str:
        return f"manual/{self.token}"


@dataclass(frozen=True, slots=True)
class CheckSlot:
    """An instant of the schedule for which a check is due."""

    instant: datetime

    def __str__(self) -> str:
        return f"check/{format_instant(self.instant)}"


RunSlot = ScheduledSlot | EventSlot | ManualSlot
Slot = RunSlot | CheckSlot


def parse_slot(text: str) -> Slot | None:
    """The slot that a Job's annotation names; None where it names none."""
    kind, separator, rest = text.partition("/")
    match kind if separator else "":
        case "manual":
            return ManualSlot(rest)
        case "event":
            return EventSlot(int(rest)) if _ORDINAL.fullmatch(rest) else None
        case "check":
            return None if (instant := _instant(rest)) is None else CheckSlot(instant)
        case "":
            return None if (instant := _instant(text)) is None else ScheduledSlot(instant)
    return None


def _instant(text: str) -> datetime | None:
    try:
        return parse_instant(text)
    except ValueError:
        return None
