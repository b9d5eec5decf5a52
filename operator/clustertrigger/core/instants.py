"""Reads and writes instants as the API does: RFC 3339 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def parse_instant(text: str) -> datetime:
    """Returns the instant of an RFC 3339 time, in UTC.

    Raises:
        ValueError: not such a time, or one without an offset.
    """
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no offset: write it as 2026-01-31T02:00:00Z")
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is outside the years 1 to 9999 in UTC") from error


def instant_or_none(text: str) -> datetime | None:
    """Returns the instant; None if it is not one, or outside the years 1 to 9999, which API servers exceed."""
    try:
        return parse_instant(text)
    except ValueError:
        return None


def format_instant(instant: datetime) -> str:
    """Returns RFC 3339 in UTC, with microseconds only if they are not zero."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
