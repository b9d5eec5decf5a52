"""Writes a number together with its noun, for messages of the operator, the command and the worker."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Returns a number with its noun: 1 document, 2,000 documents.

    Args:
        number: Any number that is not negative.
        noun: The noun in the singular, whose plural ends with s.
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
