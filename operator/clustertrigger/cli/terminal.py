"""What may be shown on a terminal: texts of documents and errors come from others, and must not steer it."""

from __future__ import annotations

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def printable(text: str) -> str:
    """The text with every character replaced that no one can see: escapes, line feeds, changes of direction."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _REPLACEMENT for c in text)
