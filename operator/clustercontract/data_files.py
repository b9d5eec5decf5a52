"""Matches paths with a source's uri: a glob, or the data files of a directory.

Volumes and buckets follow the same rules. The worker reads these files, and `kubectl clustertrigger init` reads their
columns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from clustercontract.globs import GLOB_SET, glob_problem, has_wildcard, ranges

_CODEC = r"(\.(gz|gzip|snappy|zst|zstd|br|brotli|lz4|lzo|uncompressed))?"
_PARQUET = rf"\.(parquet|parq|pq){_CODEC}"
_DATA_FILE = re.compile(rf"{_PARQUET}$", re.IGNORECASE)
"""Suffixes of data files. `.parquet.gzip` is a common name for files that pandas has compressed internally."""

_OTHER = """
    crc md5 sha1 sha256 sha512 asc sig lock pid swp part partial crdownload bak old orig backup manifest
    json jsonl ndjson geojson csv tsv psv txt text log md rst html htm xml yaml yml toml ini cfg conf properties
    avro orc arrow arrows feather ipc duckdb db sqlite sqlite3 h5 hdf5 zarr npy npz mat pkl pickle joblib
    pt pth ckpt safetensors onnx gguf faiss tfrecord pb proto
    py ipynb sql sh js java scala jar class cpp rs
    pdf doc docx odt xls xlsx ods ppt pptx rtf tex bib eml
    png jpg jpeg gif bmp tif tiff webp svg ico heic mp3 mp4 wav flac ogg avi mov mkv webm
    zip tar tgz 7z rar
"""
_OTHER_FILE = re.compile(
    rf"\.({'|'.join(_OTHER.split())}){_CODEC}$|\.(tmp|temp|inprogress)\b[^/]*$|{_PARQUET}\.[^./]*[a-z][^./]*$|~$",
    re.IGNORECASE,
)
"""Names of files that are not Parquet, or not complete: `a.parquet.6eF5b5da` is a download that is under way. They are
not opened: in a bucket, each would take a request.
"""

MAGIC = b"PAR1"
"""First and last bytes of a Parquet file that is not encrypted."""
MAGICS = (MAGIC, b"PARE")
"""First bytes of a Parquet file; the second ones mark an encrypted file."""
_READERS = 16
"""Number of files whose first bytes are read at the same time, because a bucket takes its time for each."""


class GlobError(ValueError):
    """A glob is malformed. The message says what is wrong with it, and the remedy."""


@dataclass(frozen=True)
class Chosen:
    """The files of a collection in a listing.

    Attributes:
        files: Files, sorted.
        unnamed: Files in a directory whose names do not tell what they are, as Hive, Trino and Athena write them,
            sorted: without a suffix, or with an unknown one. They belong to the collection if they are Parquet files.
    """

    files: list[str]
    unnamed: list[str]

    def parquet(self, begins: Callable[[str], bytes]) -> list[str]:
        """Returns the files, with those of the unnamed ones that are Parquet files, and not, for example, a README.

        Args:
            begins: Returns the first bytes of a file, at most as many as MAGIC has. It is called by several threads.
        """
        if not self.unnamed:
            return self.files
        with ThreadPoolExecutor(min(_READERS, len(self.unnamed))) as pool:
            firsts = list(pool.map(begins, self.unnamed))
        found = [name for name, first in zip(self.unnamed, firsts, strict=True) if first in MAGICS]
        return sorted([*self.files, *found])


def files_at(path: str, kind: Literal["file", "directory"] | None, below: Callable[[str], Iterable[str]]) -> Chosen:
    """Returns the files of a uri: that file, the data files below that directory, or the matches of a glob.

    Args:
        path: Path of the uri, with its last slash.
        kind: What exists with exactly this name. A name can contain wildcards; it is a glob only if nothing does.
        below: Yields the paths of all files below a directory; "" is the root.

    Raises:
        GlobError: The path is a malformed glob.
    """
    if kind == "file":
        return Chosen([path], [])
    if kind == "directory":
        directory = path.rstrip("/")
        return data_files(directory, below(directory))
    if not has_wildcard(path):
        return Chosen([], [])
    problem = glob_problem(path)
    if problem is not None:
        raise GlobError(problem)
    return matching(path, below(fixed_part(path)))


def fixed_part(pattern: str) -> str:
    """Returns the directory above the first wildcard, in which matches are searched."""
    parts = pattern.split("/")
    fixed = next((index for index, part in enumerate(parts) if has_wildcard(part)), len(parts))
    return "/".join(parts[:fixed])


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Returns a regular expression for a whole path.

    `*` and `?` do not match a slash, `[abc]` and `[!abc]` are sets, and `**` matches any number of directories. Each
    wildcard except the last of its kind matches as little as possible and is atomic, so that no name takes long.
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
    """Returns a test for whole paths. Hidden paths (_temporary, .part) match only if they are named as such."""
    expression = compile_pattern(pattern)
    hidden_named = {part[0] for part in pattern.split("/") if _is_hidden(part)}

    def matches(path: str) -> bool:
        hidden = {part[0] for part in path.split("/") if _is_hidden(part)}
        return hidden <= hidden_named and expression.fullmatch(path) is not None

    return matches


def matching(pattern: str, paths: Iterable[str]) -> Chosen:
    """Returns the files of a glob: those that it matches, and the data files below directories that it matches.

    Spark writes a directory with the name of a file. A glob that ends with a slash matches only directories. Hidden
    directories above its first wildcard are named, and let no other hidden path match.

    Args:
        pattern: The glob.
        paths: Paths of all files below its fixed part.
    """
    start = len(fixed_part(pattern))
    matches = matcher(pattern[start:].strip("/"))
    takes_files = not pattern.endswith("/")
    files: list[str] = []
    unnamed: list[str] = []
    directories: dict[str, bool] = {}
    for path in paths:
        relative = path[start:].lstrip("/")
        if takes_files and matches(relative):
            files.append(path)
            continue
        parts = relative.split("/")
        for depth in range(1, len(parts)):
            directory = "/".join(parts[:depth])
            if directory not in directories:
                directories[directory] = matches(directory)
            if directories[directory]:
                _add("/".join(parts[depth:]), path, files, unnamed)
                break
    return Chosen(sorted(files), sorted(unnamed))


def data_files(directory: str, paths: Iterable[str]) -> Chosen:
    """Returns the data files below a directory.

    Args:
        directory: Prefix of the paths, "" for the root.
        paths: Paths of all files below it.
    """
    files: list[str] = []
    unnamed: list[str] = []
    for path in paths:
        _add(path.removeprefix(directory).lstrip("/"), path, files, unnamed)
    return Chosen(sorted(files), sorted(unnamed))


def is_data_file(path: str) -> bool:
    """Returns whether a file found in a directory contains rows.

    Such a file is not hidden, not a marker such as _SUCCESS, and is named *.parquet.
    """
    return _DATA_FILE.search(path) is not None and not any(_is_hidden(part) for part in path.split("/"))


def hint(pattern: str) -> str:
    """Returns a hint about a uri that matches nothing: "" or a sentence that begins with "; "."""
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
    elif _OTHER_FILE.search(below) is None and not any(_is_hidden(part) for part in below.split("/")):
        unnamed.append(path)


def _is_hidden(part: str) -> bool:
    return part.startswith(("_", ".")) and part != "."
