"""Shell patterns for paths, the same on a volume and in S3."""

import re
from collections.abc import Callable

_WILDCARDS = re.compile(r"[*?\[]")


def has_wildcard(path: str) -> bool:
    """Whether the path is a pattern."""
    return _WILDCARDS.search(path) is not None


def fixed_part(pattern: str) -> str:
    """Return the directory above the first wildcard: where to look for matches."""
    parts = pattern.split("/")
    fixed = next((index for index, part in enumerate(parts) if has_wildcard(part)), len(parts))
    return "/".join(parts[:fixed])


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return a regular expression for a whole path.

    `*` and `?` stop at a slash, `[abc]` and `[!abc]` are sets, `**` stands for any number of directories.
    """
    expression, position = "", 0
    while position < len(pattern):
        rest = pattern[position:]
        if rest.startswith("**/"):
            piece, length = "(?:[^/]+/)*", 3
        elif rest.startswith("**"):
            piece, length = ".*", 2
        elif rest[0] == "*":
            piece, length = "[^/]*", 1
        elif rest[0] == "?":
            piece, length = "[^/]", 1
        elif (set_ := re.match(r"\[(!?)(\]?[^\]/]*)\]", rest)) is not None:
            members = set_[2].replace("\\", r"\\").replace("[", r"\[").replace("]", r"\]")
            piece, length = f"[{'^/' if set_[1] else ''}{members}]", set_.end()
        else:
            piece, length = re.escape(rest[0]), 1
        expression += piece
        position += length
    return re.compile(expression)


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return a test for whole paths: hidden ones (_temporary, .part) match only where named as such."""
    expression = compile_pattern(pattern)
    hidden_named = {part[0] for part in pattern.split("/") if _is_hidden(part)}

    def matches(path: str) -> bool:
        hidden = {part[0] for part in path.split("/") if _is_hidden(part)}
        return hidden <= hidden_named and expression.fullmatch(path) is not None

    return matches


def is_data_file(path: str) -> bool:
    """Whether a file found in a directory holds rows: not hidden, not a marker such as _SUCCESS, named *.parquet."""
    return path.endswith((".parquet", ".parq", ".pq")) and not any(_is_hidden(part) for part in path.split("/"))


def _is_hidden(part: str) -> bool:
    return part.startswith(("_", ".")) and part != "."
