"""Stores which events have been counted, in bounded space beside the count."""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from clustertrigger.api.status import SeenEvents

MOST_SEEN = 16_384
"""Maximum number of events that are stored for each trigger: 175 KB of status. Beyond that, the oldest are dropped
early.
"""
MOST_OWN = 256
"""Maximum number of events of runs that are stored for each trigger: 3 KB of status."""
REMEMBERED_FOR = timedelta(minutes=10)
_MINUTE = 60
_BYTES = 8


def fingerprint(source: str, event_id: str) -> int:
    """Returns 64 bits that identify an event's source and id.

    A new event is taken for a known one once in 10¹⁵ times.
    """
    digest = hashlib.sha256(f"{len(source)} {source}{event_id}".encode()).digest()
    return int.from_bytes(digest[:_BYTES], "little")


class SeenMemory:
    """The events of the last ten minutes, grouped by the minute in which they are dropped."""

    def __init__(self, stored: Iterable[SeenEvents], now: datetime) -> None:
        self._until = _end_of_minute(now + REMEMBERED_FOR)
        # If the clock was ahead before, events must not be kept longer because of that.
        self._groups = [(min(group.until, self._until), _decode(group.ids)) for group in stored if group.until > now]
        self._known = {known for _, ids in self._groups for known in ids}

    def add(self, event: int) -> bool:
        """Stores an event; returns False if it is already known."""
        if event in self._known:
            return False
        self._known.add(event)
        if not self._groups or self._groups[-1][0] < self._until:
            self._groups.append((self._until, []))
        self._groups[-1][1].append(event)
        return True

    def stored(self) -> list[SeenEvents]:
        """Returns the part of the status. If there are too many events, the oldest are left out."""
        surplus = sum(len(ids) for _, ids in self._groups) - MOST_SEEN
        kept = []
        for until, ids in self._groups:
            rest = ids[max(surplus, 0) :]
            surplus -= len(ids)
            if rest:
                kept.append(SeenEvents(until=until, ids=_encode(rest)))
        return kept


class LastOwn:
    """The newest events of runs that have processed a collection, whatever their age.

    After an outage, a run is counted again as long as its Job exists; only few others come in between.
    """

    def __init__(self, stored: str | None) -> None:
        self._ids = _decode(stored or "")

    def add(self, event: int) -> bool:
        """Stores an event; returns False if it is already known."""
        if event in self._ids:
            return False
        self._ids.append(event)
        return True

    def stored(self) -> str | None:
        """Returns the part of the status."""
        return _encode(self._ids[-MOST_OWN:]) if self._ids else None


def _end_of_minute(instant: datetime) -> datetime:
    return datetime.fromtimestamp((int(instant.timestamp()) // _MINUTE + 1) * _MINUTE, UTC)


def _encode(ids: Sequence[int]) -> str:
    return base64.b64encode(struct.pack(f"<{len(ids)}Q", *ids)).decode()


def _decode(text: str) -> list[int]:
    raw = base64.b64decode(text)
    return list(struct.unpack(f"<{len(raw) // _BYTES}Q", raw[: len(raw) // _BYTES * _BYTES]))
