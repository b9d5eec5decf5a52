"""Prepares other programs' texts for messages: on one line, and shortened."""

from __future__ import annotations

_BEGINNING = 200


def one_line(text: object) -> str:
    """Returns a text without line breaks and repeated blanks."""
    return " ".join(str(text).split())


def cut(text: str, longest: int) -> str:
    """Returns a text, or its beginning if it is longer than this number of characters."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def beginning(answer: bytes) -> str:
    """Returns the beginning of an unexpected response, for a message."""
    return answer[:_BEGINNING].decode(errors="replace").strip()


def reason(error: BaseException) -> str:
    """Returns the text of an error in one line, or the name of its type if it has none."""
    return one_line(error) or type(error).__name__
