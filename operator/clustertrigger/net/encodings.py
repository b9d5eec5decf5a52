"""Tells whether the body of a request is compressed, in which a small one can expand to gigabytes."""

from __future__ import annotations

import string
from collections.abc import Iterable

_UNCOMPRESSED = ("", "identity", "utf-8", "utf8")
"""Content encodings of bodies as they are. The last two are charsets, which some clients write there."""


def compression(headers: Iterable[str]) -> str | None:
    """Returns the first content encoding that compresses; None if there is none.

    Args:
        headers: Values of the Content-Encoding headers of a request.
    """
    encodings = (encoding.strip(string.whitespace) for encoding in ",".join(headers).split(","))
    return next((encoding for encoding in encodings if encoding.lower() not in _UNCOMPRESSED), None)
