"""Defines the globs that `source.uri` accepts, and finds the malformed ones.

The operator rejects a malformed glob when a Collection is applied; the worker rejects it when it runs. Both use this
module.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

GLOB_SET = re.compile(r"\[([!^]?+)(\]?+[^\]/]*+)\]")
"""Matches `[abc]`, `[a-z]`, `[!abc]` or `[^abc]`. A `]` right after the opening bracket is a member of the set, as in a
shell. A `[` without a `]` in the same part of the path is a literal character.
"""
DOUBLE_STAR = "** beside other characters: write it between slashes, as in a/**/b, or write *"
_POSIX_CLASS = re.compile(r"\[[!^]?[^\]/]*(\[:[a-z]+:\]|\[([.=])[^/]+?\2\](?=[^/]*\]))")
"""Matches `[:digit:]` in a set, and `[.a.]` and `[=a=]`."""
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
    """Returns what is wrong with a glob, and the remedy; None if the glob is valid."""
    for part in uri.split("/"):
        if "**" in part and part != "**":
            return DOUBLE_STAR
        named = _POSIX_CLASS.search(part)
        if named is not None:
            return f"{named[1]}, and sets have no POSIX classes: write the characters, as in [0-9] or [a-z]"
        for found in GLOB_SET.finditer(part):
            for first, last in ranges(found[2]):
                if first > last:
                    both_cases = "a" <= first <= "z" and "A" <= last <= "Z"
                    meant = f"{first}-zA-{last}" if both_cases else f"{last}-{first}"
                    return f"{found[0]}, whose range is reversed: write {meant} instead of {first}-{last}"
    return None
