"""Reads what users request by annotations: runs and resets, as the status and Jobs identify them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from clustertrigger.api.names import ANNOTATION_RESET_REQUESTED, ANNOTATION_RUN_REQUESTED

_LONGEST_TOKEN = 200


def run_requested(raw: Mapping[str, Any]) -> str | None:
    """Returns the token of the requested run; None if there is none.

    Args:
        raw: A trigger, as the API server returns it.
    """
    return _token(raw, ANNOTATION_RUN_REQUESTED)


def reset_requested(raw: Mapping[str, Any]) -> str | None:
    """Returns the token of the requested reset; None if there is none.

    Args:
        raw: A trigger, as the API server returns it.
    """
    return _token(raw, ANNOTATION_RESET_REQUESTED)


def _token(raw: Mapping[str, Any], annotation: str) -> str | None:
    """Returns a short form of a request's token: if it is long, its beginning and a digest.

    The status and Jobs repeat the token. An annotation can have a quarter of a megabyte, and a status with several of
    them would exceed the API server's limit.
    """
    text = (raw["metadata"].get("annotations") or {}).get(annotation)
    if not text or len(text) <= _LONGEST_TOKEN:
        return text or None
    return f"{text[:_LONGEST_TOKEN]}…{hashlib.sha256(text.encode()).hexdigest()[:16]}"
