"""Objects that anybody may have written: one that cannot be read must not keep the operator from all others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")
Raw = Mapping[str, Any]


def read_or_skip(read: Callable[[Raw], T], raw: Raw) -> T | None:
    """What is read off an object, or None where reading it fails, which is a mistake of ours and logged as one."""
    try:
        return read(raw)
    except Exception:
        metadata = raw.get("metadata") or {}
        where = f"{metadata.get('namespace')}/{metadata.get('name')}"
        logger.exception("A mistake of ours: %s %s cannot be read and is passed over", raw.get("kind", "object"), where)
        return None
