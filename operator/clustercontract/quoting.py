"""Quotes names of columns and files, which can be any text, as YAML reads them."""

from __future__ import annotations

_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}


def quoted(text: str) -> str:
    """Returns a text in double quotes. What a line cannot show is escaped; JSON's pairs of escapes are not YAML."""
    return '"' + "".join(_character(one) for one in text) + '"'


def _character(character: str) -> str:
    if (short := _SHORT.get(character)) is not None:
        return short
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 1 << 8 else f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}"
