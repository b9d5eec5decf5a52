"""Finds the word that was probably meant by a misspelt one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LETTERS_PER_SLIP = 4
"""A word of as many letters can have one wrong letter; trigger_name is not trigger_type."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Returns the known word that was probably meant; None if all of them are other words."""
    by_folded = {folded(name): name for name in known}
    written = folded(word)
    begun = [name for name in by_folded if len(written) > 2 and name.startswith(written)]
    near = begun if len(begun) == 1 else difflib.get_close_matches(written, by_folded, n=3, cutoff=0.7)
    slips = max(1, len(written) // _LETTERS_PER_SLIP)
    for name in near:
        is_part = name.startswith(written) or name.rstrip("s").endswith(written.rstrip("s"))
        if is_part or edits(written, name) <= slips:
            return by_folded[name]
    return None


def folded(name: str) -> str:
    """Returns a name without capitals, _ and -."""
    return name.replace("_", "").replace("-", "").casefold()


def edits(one: str, other: str) -> int:
    """Returns the number of letters to insert, remove, replace or swap with the next (optimal string alignment)."""
    earlier: list[int] = []
    before = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        current = [row]
        for column, wanted in enumerate(other, 1):
            replaced = before[column - 1] + (letter != wanted)
            current.append(min(before[column] + 1, current[column - 1] + 1, replaced))
            if row > 1 and column > 1 and (letter, one[row - 2]) == (other[column - 2], wanted):
                current[column] = min(current[column], earlier[column - 2] + 1)
        earlier, before = before, current
    return before[-1]
