"""JSON as the API server speaks it: by pydantic's parser in half the time, and by Python's where that one gives up.

It gives up on what is nested deeper than 200 levels and on half a surrogate pair; an API server stores both.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic_core import from_json, to_json

_LEVELS = 10_000
"""Of JSON, one inside the other: what an API server takes where no schema says what is allowed, as in managedFields."""
_FRAMES = 2_000
"""Calls that lead to where JSON is read, and more."""


def read_deep_objects() -> None:
    """Makes Python read whatever an API server may show; by itself it stops after 1,000 levels.

    One such object in the answer to a list or a watch would otherwise hide all others from this process. Skipping it is
    not a solution: its trigger must fire, because the deep part can be the managedFields. In addition, Kopf itself
    reads the lines of a watch, where nothing can be skipped. A level takes 260 bytes of the stack: the main thread has
    room for that, and other threads need 16 MiB.
    """
    sys.setrecursionlimit(_LEVELS + _FRAMES)


def read_json(text: bytes) -> Any:
    """The value that the text stands for.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return from_json(text)
    except ValueError:
        return json.loads(text)


def write_json(value: Any) -> bytes:
    """The shortest text for a value of dicts, lists, strings, numbers, booleans and None."""
    try:
        return to_json(value)
    except ValueError:
        return json.dumps(value, separators=(",", ":")).encode()
