"""Names of what is created over the API: readable, unique, and the same again for the same Idempotency-Key."""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from collections.abc import Iterator

from clustertrigger.api import GROUP

ANNOTATION_NAME = f"{GROUP}/name"
"""The name for people, where it is not the object's."""
LABEL_IDEMPOTENCY = f"{GROUP}/idempotency-key"
"""On a trigger: a digest of the Idempotency-Key that it was created with."""
ANNOTATION_REQUEST = f"{GROUP}/request"
"""On a trigger that was created with an Idempotency-Key: a digest of the request."""

_LONGEST = 40
"""Characters taken from a text; what is named after a trigger shall still be readable."""
_SUFFIX = 5
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""As in names that Kubernetes makes: without vowels, so that no words come out."""


def readable(text: str) -> str:
    """The part of an object's name that a text gives, cut at a word; empty where it has no letter and no digit."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if len(words) <= _LONGEST:
        return words
    cut = words[: _LONGEST + 1]
    return cut.rpartition("-")[0] or words[:_LONGEST]


def candidates(stem: str) -> Iterator[str]:
    """Names to try, one after the other: the plain one, then some with random endings."""
    yield stem
    for _ in range(5):
        yield f"{stem}-{''.join(secrets.choice(_ALPHABET) for _ in range(_SUFFIX))}"


def name_by_key(stem: str, key: str) -> str:
    """The one name for an Idempotency-Key."""
    return f"{stem}-{digest(key)[:10]}"


def digest(text: str) -> str:
    """A text's digest, short enough for a label."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:40]
