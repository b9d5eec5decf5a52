"""Reads and writes JSON as the API server does.

pydantic's parser takes half the time of Python's, which is used where pydantic's fails: on more than 200 levels, and on
half a surrogate pair. An API server stores both.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic_core import from_json, to_json

_LEVELS = 10_000
"""Maximum nesting depth of JSON that an API server accepts without a schema, as in managedFields."""
_FRAMES = 2_000
"""Depth of calls that lead to the parser, with a margin."""


def read_deep_objects() -> None:
    """Makes Python read all JSON of an API server; by default, it stops after 1,000 levels.

    One such object in the answer to a list or a watch would otherwise hide all others from this process. Skipping it is
    not a solution: its trigger must fire, because the deep part can be the managedFields. In addition, Kopf itself
    reads the lines of a watch, where nothing can be skipped. A level takes 260 bytes of the stack: the main thread has
    room for that, and other threads need 16 MiB.
    """
    sys.setrecursionlimit(_LEVELS + _FRAMES)


def read_json(text: bytes) -> Any:
    """Returns the value of a JSON text.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return from_json(text)
    except ValueError:
        try:
            return json.loads(text)
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error


def write_json(value: Any) -> bytes:
    """Returns the shortest JSON text of a value of dicts, lists, strings, numbers, booleans and None."""
    try:
        return to_json(value)
    except ValueError:
        return json.dumps(value, separators=(",", ":")).encode()
