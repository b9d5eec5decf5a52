"""Reads objects that any user can have written: an unreadable object must not block all others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")
Raw = Mapping[str, Any]


def read_or_skip(read: Callable[[Raw], T], raw: Raw) -> T | None:
    """Returns what `read` reads from an object. If it fails, logs an internal error and returns None."""
    try:
        return read(raw)
    except Exception:
        metadata = raw.get("metadata") or {}
        where = f"{metadata.get('namespace')}/{metadata.get('name')}"
        logger.exception("Internal error: %s %s cannot be read and is skipped", raw.get("kind", "object"), where)
        return None
