"""Names objects that are created over the API: readably, uniquely, and in the same way for the same Idempotency-Key."""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from collections.abc import Iterator

from clustertrigger.api import GROUP

ANNOTATION_NAME = f"{GROUP}/name"
"""Annotation with the display name, if it is not the object's name."""
LABEL_IDEMPOTENCY = f"{GROUP}/idempotency-key"
"""Annotation of a trigger: a digest of the Idempotency-Key that it was created with."""
ANNOTATION_REQUEST = f"{GROUP}/request"
"""Annotation of a trigger that was created with an Idempotency-Key: a digest of the request."""

_LONGEST = 40
"""Maximum number of characters taken from a text, so that names derived from the trigger's name stay readable."""
_SUFFIX = 5
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Characters of random endings, as in Kubernetes: without vowels, so that they form no words."""


def readable(text: str) -> str:
    """Returns the part of an object's name that a text yields, truncated at a word.

    It is empty if the text has no letter and no digit.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if len(words) <= _LONGEST:
        return words
    cut = words[: _LONGEST + 1]
    return cut.rpartition("-")[0] or words[:_LONGEST]


def candidates(stem: str) -> Iterator[str]:
    """Yields names to try: the plain one, then some with random endings."""
    yield stem
    for _ in range(5):
        yield f"{stem}-{''.join(secrets.choice(_ALPHABET) for _ in range(_SUFFIX))}"


def name_by_key(stem: str, key: str) -> str:
    """Returns the only name for an Idempotency-Key."""
    return f"{stem}-{digest(key)[:10]}"


def digest(text: str) -> str:
    """Returns a digest of a text that is short enough for a label."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:40]
