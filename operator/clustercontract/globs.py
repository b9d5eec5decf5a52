"""Globs as `source.uri` takes them: what is a set of characters, and which patterns can never be meant.

The operator refuses a malformed glob when a Collection is applied, the worker when it runs: both ask here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

GLOB_SET = re.compile(r"\[([!^]?+)(\]?+[^\]/]*+)\]")
"""`[abc]`, `[a-z]`, `[!abc]` or `[^abc]`. A `]` right after the opening is a member, as in a shell. A `[` that no `]`
closes within its part of the path stands for itself."""
DOUBLE_STAR = "** beside other characters: write it between slashes, as in a/**/b, or write *"
_WILDCARDS = re.compile(r"[*?\[]")


def has_wildcard(path: str) -> bool:
    """Whether the path is a glob."""
    return _WILDCARDS.search(path) is not None


def ranges(members: str) -> Iterator[tuple[str, str]]:
    """Yield the first and last character of each range in a set; a single character is a range of its own."""
    position = 0
    while position < len(members):
        length = 3 if members[position + 1 : position + 2] == "-" and position + 2 < len(members) else 1
        yield members[position], members[position + length - 1]
        position += length


def glob_problem(uri: str) -> str | None:
    """Return what a glob must not hold, and the way out; None where nothing is wrong with it."""
    for part in uri.split("/"):
        if "**" in part and part != "**":
            return DOUBLE_STAR
        for found in GLOB_SET.finditer(part):
            for first, last in ranges(found[2]):
                if first > last:
                    return f"{found[0]}, whose range runs backwards: write {last}-{first} for {first}-{last}"
    return None
