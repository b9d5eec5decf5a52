"""Which paths a source's uri means: a glob, or the data files of a directory; the same on a volume and in a bucket."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from clustercontract.globs import GLOB_SET, has_wildcard, ranges

_CODEC = r"(\.(gz|gzip|snappy|zst|zstd|br|brotli|lz4|lzo|uncompressed))?"
_DATA_FILE = re.compile(rf"\.(parquet|parq|pq){_CODEC}$", re.IGNORECASE)
"""`.parquet.gzip` is what people name a file that pandas has compressed inside."""


@dataclass(frozen=True)
class Chosen:
    """What of a listing belongs to a collection.

    Attributes:
        files: sorted.
        unnamed: files in a directory without a suffix, as Hive, Trino and Athena write them: they belong to the
            collection if they are Parquet files. Sorted.
    """

    files: list[str]
    unnamed: list[str]


def fixed_part(pattern: str) -> str:
    """Return the directory above the first wildcard: where to look for matches."""
    parts = pattern.split("/")
    fixed = next((index for index, part in enumerate(parts) if has_wildcard(part)), len(parts))
    return "/".join(parts[:fixed])


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return a regular expression for a whole path.

    `*` and `?` stop at a slash, `[abc]` and `[!abc]` are sets, `**` stands for any number of directories. Each wildcard
    but the last of its kind takes as little as it can and keeps it (an atomic group), so that no name takes long.
    """
    chunks: list[list[str]] = [[]]
    for part in pattern.split("/"):
        if part == "**":
            chunks.append([])
        else:
            chunks[-1].append(_part(part))
    first, *others = chunks
    expression = "/".join(first)
    for index, chunk in enumerate(others):
        expression += "/" if index == 0 and first else ""
        if index + 1 < len(others):
            expression += f"(?>(?:[^/]+/)*?{'/'.join(chunk)}/)" if chunk else ""
        else:
            expression += f"(?:[^/]+/)*{'/'.join(chunk)}" if chunk else "(?:[^/]+/)*[^/]+"
    return re.compile(expression)


def _part(part: str) -> str:
    """A part of a path, between slashes."""
    pieces, position = [""], 0
    while position < len(part):
        found = GLOB_SET.match(part, position)
        if part[position] == "*":
            pieces.append("")
        elif part[position] == "?":
            pieces[-1] += "[^/]"
        elif found is not None:
            members = "".join(f"{re.escape(first)}-{re.escape(last)}" for first, last in ranges(found[2]))
            pieces[-1] += f"[{'^/' if found[1] else ''}{members}]"
        else:
            pieces[-1] += re.escape(part[position])
        position = found.end() if found is not None else position + 1
    first, *others = pieces
    if not others:
        return first
    return first + "".join(f"(?>[^/]*?{piece})" for piece in others[:-1] if piece) + f"[^/]*{others[-1]}"


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return a test for whole paths: hidden ones (_temporary, .part) match only where named as such."""
    expression = compile_pattern(pattern)
    hidden_named = {part[0] for part in pattern.split("/") if _is_hidden(part)}

    def matches(path: str) -> bool:
        hidden = {part[0] for part in path.split("/") if _is_hidden(part)}
        return hidden <= hidden_named and expression.fullmatch(path) is not None

    return matches


def matching(pattern: str, paths: Iterable[str]) -> Chosen:
    """Choose what a glob means: the files that it matches, and the data files below directories that it matches.

    Spark writes a directory where others write a file, and calls it by the file's name. A glob that ends with a slash
    means directories only.
    """
    matches = matcher(pattern.rstrip("/"))
    takes_files = not pattern.endswith("/")
    files: list[str] = []
    unnamed: list[str] = []
    directories: dict[str, bool] = {}
    for path in paths:
        if takes_files and matches(path):
            files.append(path)
            continue
        parts = path.split("/")
        for depth in range(1, len(parts)):
            directory = "/".join(parts[:depth])
            if directory not in directories:
                directories[directory] = matches(directory)
            if directories[directory]:
                _add("/".join(parts[depth:]), path, files, unnamed)
                break
    return Chosen(sorted(files), sorted(unnamed))


def data_files(directory: str, paths: Iterable[str]) -> Chosen:
    """Choose the data files below a directory.

    Args:
        directory: what its paths begin with, "" for the root.
        paths: of all files below it.
    """
    files: list[str] = []
    unnamed: list[str] = []
    for path in paths:
        _add(path.removeprefix(directory).lstrip("/"), path, files, unnamed)
    return Chosen(sorted(files), sorted(unnamed))


def is_data_file(path: str) -> bool:
    """Whether a file found in a directory holds rows: not hidden, not a marker such as _SUCCESS, named *.parquet."""
    return _DATA_FILE.search(path) is not None and not any(_is_hidden(part) for part in path.split("/"))


def hint(pattern: str) -> str:
    """What may be meant by a uri that nothing matches: "" or a sentence that begins with "; "."""
    if "\\" in pattern:
        return "; \\ is an ordinary character in a glob: write / between directories, and [*] for a character itself"
    if re.search(r"\{[^{}]*,[^{}]*\}", pattern):
        return "; {a,b} is not supported in a glob: write [ab] for characters, or ** and filters"
    if "[" in GLOB_SET.sub("", pattern):
        return "; its [ has no closing ] and is an ordinary character: close the set"
    return ""


def _add(below: str, path: str, files: list[str], unnamed: list[str]) -> None:
    if is_data_file(below):
        files.append(path)
    elif "." not in below.rpartition("/")[2] and not any(_is_hidden(part) for part in below.split("/")):
        unnamed.append(path)


def _is_hidden(part: str) -> bool:
    return part.startswith(("_", ".")) and part != "."
