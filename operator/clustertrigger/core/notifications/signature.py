"""Signs messages by Standard Webhooks, so that a receiver can verify the sender, the content and the time.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

_PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64


class KeyFormatError(Exception):
    """A key does not have the format that receivers' libraries require."""


def read_keys(text: str) -> list[bytes]:
    """Returns the keys in a file: one, or several while a key is being replaced.

    Raises:
        KeyFormatError: one of them is not `whsec_` and the base64 of 24 to 64 bytes. The message does not contain it.
    """
    return [_read_key(written) for written in text.split()]


def sign(keys: Iterable[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """Returns the header webhook-signature, with one signature for each key.

    Args:
        keys: Keys from `read_keys`.
        message_id: The header webhook-id.
        timestamp: The header webhook-timestamp, in seconds since the Unix epoch.
        body: The body as it is sent.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}" for key in keys)


def _read_key(written: str) -> bytes:
    remedy = "create a key with: echo whsec_$(openssl rand -base64 32)"
    if not written.startswith(_PREFIX):
        raise KeyFormatError(f"the key must begin with {_PREFIX}: {remedy}")
    try:
        key = base64.b64decode(written.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise KeyFormatError(f"the part after {_PREFIX} is not base64: {remedy}") from None
    if not _SHORTEST <= len(key) <= _LONGEST:
        raise KeyFormatError(f"the key has {len(key)} bytes, but must have {_SHORTEST} to {_LONGEST}: {remedy}")
    return key
