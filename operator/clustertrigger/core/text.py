"""Prepares other programs' texts for messages: on one line, and shortened."""

from __future__ import annotations

_BEGINNING = 200


def one_line(text: object) -> str:
    """A text without line breaks and repeated blanks."""
    return " ".join(str(text).split())


def cut(text: str, longest: int) -> str:
    """A text, or its beginning where it is longer than so many characters."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def beginning(answer: bytes) -> str:
    """Of an answer that is not what was expected, as much as a message has room for."""
    return answer[:_BEGINNING].decode(errors="replace").strip()


def reason(error: BaseException) -> str:
    """What an error says, in one line, or else what kind it is."""
    return one_line(error) or type(error).__name__
