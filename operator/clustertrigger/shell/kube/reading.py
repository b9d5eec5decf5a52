"""Reads objects that any user can have written: an unreadable object must not block all others."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")
Raw = Mapping[str, Any]

_LEVELS = 10_000
"""Of JSON, one inside the other: what an API server takes where no schema says what is allowed, as in managedFields."""
_FRAMES = 2_000
"""Calls that lead to where JSON is read, and more."""


def read_deep_objects() -> None:
    """Makes Python read whatever an API server may show; by itself it stops after 1,000 levels.

    One such object in the answer to a list or a watch would otherwise keep the operator from all others. Skipping it is
    not a solution: its trigger must fire, because the deep part can be the managedFields. In addition, Kopf itself
    reads the lines of a watch, where nothing can be skipped. A level takes 260 bytes of the stack; see `main` for how
    much a thread has.
    """
    sys.setrecursionlimit(_LEVELS + _FRAMES)


def read_or_skip(read: Callable[[Raw], T], raw: Raw) -> T | None:
    """What is read off an object, or None where reading it fails, which is an internal error and logged as one."""
    try:
        return read(raw)
    except Exception:
        metadata = raw.get("metadata") or {}
        where = f"{metadata.get('namespace')}/{metadata.get('name')}"
        logger.exception("Internal error: %s %s cannot be read and is skipped", raw.get("kind", "object"), where)
        return None
