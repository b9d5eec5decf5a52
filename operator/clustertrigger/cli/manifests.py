"""Reads Kubernetes objects from YAML and JSON files as kubectl does."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from clustertrigger.cli import kubectl_yaml
from clustertrigger.core.text import one_line

SUFFIXES = (".yaml", ".yml", ".json")
_TEMPLATE = "{{"
_NO_BREAK_SPACE = "\u00a0"
_JOINED = re.compile(r"\s*[A-Za-z_]+:[^\s:/]+\s*$")
"""Matches a field and its value without a space between them, which YAML reads as text."""
_UNQUOTED = re.compile(r":\s+([*@].*?),?\s*(?=$|[}\]]|,\s*[\w\"']+:)")
"""Matches a cron expression without quotes: `*` begins an alias in YAML, and `@` is not allowed."""
_COMMENT = re.compile(r"(?:^|\s)#.*$")


class UnreadableFileError(Exception):
    """A file does not exist or cannot be read; the message names it and the remedy."""


class MalformedFileError(Exception):
    """A file is not YAML of Kubernetes objects; the message names the place and the remedy."""


@dataclass(frozen=True)
class Manifest:
    """One object of a file.

    Attributes:
        file: The file's name as given, `stdin` for `-`.
        line: The line at which the object's document begins, from 1.
        content: The object.
    """

    file: str
    line: int
    content: dict[str, Any]

    @property
    def api_version(self) -> str:
        """apiVersion; empty if absent."""
        return _text(self.content.get("apiVersion"))

    @property
    def kind(self) -> str:
        """The kind; empty if absent."""
        return _text(self.content.get("kind"))

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata; empty if absent."""
        metadata = self.content.get("metadata")
        return metadata if isinstance(metadata, dict) else {}

    @property
    def name(self) -> str:
        """metadata.name; empty if absent."""
        return _text(self.metadata.get("name"))

    @property
    def namespace(self) -> str:
        """metadata.namespace; `default` if it is not set."""
        return _text(self.metadata.get("namespace")) or "default"

    @property
    def place(self) -> str:
        """File and line, for messages."""
        return f"{self.file}:{self.line}"

    @property
    def title(self) -> str:
        """Kind, namespace and name, for messages."""
        return f"{self.kind or '(no kind)'} {self.namespace}/{self.name or '(no name)'}"


def read(names: Iterable[str]) -> list[Manifest]:
    """Returns all objects of files, of the YAML and JSON files of folders, and of standard input (`-`).

    Raises:
        UnreadableFileError: A file does not exist or cannot be read.
        MalformedFileError: A file is not YAML, or contains something other than objects.
    """
    return [manifest for name in names for file, text in _texts(name) for manifest in _manifests(file, text)]


def _texts(name: str) -> Iterator[tuple[str, str]]:
    if name == "-":
        yield "stdin", sys.stdin.read()
        return
    if not name:  # Path would take it for the working directory.
        raise UnreadableFileError("--filename: '': must not be empty: name a readable file, or -")
    path = Path(name)
    try:
        files = sorted(file for file in path.iterdir() if _is_manifest(file)) if path.is_dir() else [path]
        for file in files:
            yield str(file), file.read_text(encoding="utf-8")
    except OSError as error:
        raise UnreadableFileError(f"--filename: {name!r}: {error.strerror}: name a readable file, or -") from error
    except UnicodeDecodeError as error:
        raise MalformedFileError(f"{name}: not UTF-8 at byte {error.start}: save it as UTF-8") from error


def _is_manifest(file: Path) -> bool:
    """Whether kubectl reads a file of a folder; of the folders in it, it reads none."""
    return file.suffix in SUFFIXES and not file.is_dir()


def _manifests(file: str, text: str) -> Iterator[Manifest]:
    try:
        for line, content in kubectl_yaml.documents(text):
            yield from _objects(file, line + 1, content)
    except yaml.MarkedYAMLError as error:
        raise MalformedFileError(_malformed(file, text, error)) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise MalformedFileError(f"{file}: not valid YAML: {one_line(error)}: correct it") from error


def _objects(file: str, line: int, content: object) -> Iterator[Manifest]:
    """Yields the object, or the objects of a List."""
    document = _object(file, line, content)
    if not _is_list(document.content):
        yield document
        return
    for content_of_item in document.content["items"]:
        item = _object(file, line, content_of_item)
        if _is_list(item.content):
            raise MalformedFileError(f"{file}:{line}: a list is in a list: move its items to the outer one")
        kind = document.kind.removesuffix("List")
        if kind and not item.kind and not item.api_version:  # An API server leaves both out, and kubectl adds them.
            item = replace(item, content={**item.content, "apiVersion": document.api_version, "kind": kind})
        yield item


def _object(file: str, line: int, content: object) -> Manifest:
    if not isinstance(content, dict):
        raise MalformedFileError(f"{file}:{line}: not an object: write apiVersion, kind, metadata and spec")
    return Manifest(file, line, content)


def _is_list(content: dict[str, Any]) -> bool:
    return _text(content.get("kind")).endswith("List") and isinstance(content.get("items"), list)


def _malformed(file: str, text: str, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return f"{file}: not valid YAML: {error.problem}: correct it"
    lines = [_COMMENT.sub("", line) for line in text.splitlines()[: mark.line + 1]]
    line = lines[mark.line] if mark.line < len(lines) else ""
    unquoted = [found[1] for found in _UNQUOTED.finditer(line) if found.start(1) <= mark.column]
    joined = next((number for number in _last_two(lines) if _JOINED.match(lines[number])), None)
    blank = next((number for number in _last_two(lines) if _NO_BREAK_SPACE in lines[number]), None)
    remedy = "correct it"
    if _TEMPLATE in line:
        remedy = "render the template first, such as with helm template, and validate its output"
    elif unquoted:
        remedy = f'put it in quotes: "{unquoted[-1]}"'
    elif line.lstrip(" ").startswith("\t"):
        remedy = "indent with spaces"
    elif line.startswith("---"):
        remedy = "write it in the next line"
    elif line.startswith("%"):
        remedy = "remove this line"
    elif blank is not None:
        remedy = f"line {blank + 1} contains a no-break space: write an ordinary space"
    elif joined is not None:
        remedy = f"write a space after the colon in line {joined + 1}"
    return f"{file}:{mark.line + 1}: {error.problem}: {remedy}"


def _last_two(lines: Sequence[str]) -> range:
    """Returns the numbers of the last lines: many mistakes are noticed one line later."""
    return range(max(len(lines) - 2, 0), len(lines))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
