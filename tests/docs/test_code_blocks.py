"""Tests of code in pages: YAML, JSON and shell lines parse, manifests are valid, commands and options exist."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from clustertrigger.api import API_VERSION
from clustertrigger.cli.main import program
from clustertrigger.core.resources.validation import Problem, parse_collection, parse_definition, parse_trigger
from harness.cluster.files import REPOSITORY

PARSE: dict[str, Callable[[Any], tuple[object | None, list[Problem]]]] = {
    "ClusterTrigger": parse_trigger,
    "ClusterDefinition": parse_definition,
    "Collection": parse_collection,
}
SHELL = ("sh", "bash", "console")
_FENCE = re.compile(r"^( *)```([\w-]*)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_TYPED = re.compile(r"^\$? ?(kubectl[ -]clustertrigger .*)$", re.MULTILINE)
_ELLIPSIS = re.compile(r"…|\.\.\.")


@dataclass(frozen=True)
class Block:
    """A block of code in a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(REPOSITORY)}:{self.line}"


def blocks() -> Iterator[Block]:
    pages = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md"), *(REPOSITORY / "charts").rglob("*.md")]
    for page in sorted(pages):
        text = page.read_text()
        for match in _FENCE.finditer(text):
            indent, language, code = match.groups()
            inner = re.sub(rf"^{indent}", "", code, flags=re.MULTILINE)
            yield Block(page, text[: match.start()].count("\n") + 1, language, inner)


BLOCKS = list(blocks())
MANIFESTS = [block for block in BLOCKS if block.language == "yaml"]
TYPED = [
    pytest.param(command.replace("\\\n", " "), id=f"{block}-{number}")
    for block in BLOCKS
    for number, command in enumerate(_TYPED.findall(re.sub(r"\\\n\s*", "", block.text)))
]


def test_pages_have_blocks_of_every_kind() -> None:
    assert len(MANIFESTS) > 20
    assert len(TYPED) > 10


@pytest.mark.parametrize("block", MANIFESTS, ids=str)
def test_yaml_parses_and_manifests_are_valid(block: Block) -> None:
    for document in yaml.safe_load_all(block.text):
        if not isinstance(document, dict) or document.get("apiVersion") != API_VERSION or "spec" not in document:
            continue
        if parse := PARSE.get(document.get("kind", "")):
            problems = parse(document["spec"])[1]
            assert problems == [], f"{block}: {document['kind']} {document['metadata']['name']}"


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "json"], ids=str)
def test_json_parses(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language in SHELL], ids=str)
def test_shell_lines_parse(block: Block) -> None:
    done = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", TYPED)
def test_commands_and_their_options_exist(command: str) -> None:
    if _ELLIPSIS.search(command) or "COMMAND" in command:
        return  # a pattern, and nothing that is typed
    words = shlex.split(re.split(r"\s[|>]|;|&&|\s#", command)[0])
    words = words[2:] if words[0] == "kubectl" else words[1:]
    names = [word for word in words if not word.startswith("-")]
    options = [word.partition("=")[0] for word in words if word.startswith("-")]
    name = next(word for word in names if word in program.commands)
    known = {
        option
        for declared in (*program.commands[name].params, *program.params)
        if isinstance(declared, click.Option)
        for option in (*declared.opts, *declared.secondary_opts)
    }
    assert set(options) <= known | {"-h", "--help", "--version"}
