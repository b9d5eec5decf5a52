"""Finds the prose in the repository's files: the paragraphs of pages, docstrings, comments and messages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

_MESSAGES_BELOW = ("operator/", "codegen/", "harness/", "plugin/")
"""Folders whose string literals are messages to users; elsewhere they are test data."""
_FEWEST_WORDS = 3
"""A string literal with fewer words is a name or a fragment."""
_CODE_BLOCK = re.compile(r"^[ \t]*(```|~~~).*?^[ \t]*\1[^\n]*$", re.MULTILINE | re.DOTALL)
_INDENTED_CODE = re.compile(r"^(?: {4}|\t).*$", re.MULTILINE)
_HTML_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_CODE_SPAN = re.compile(r"(`+)[^`].*?\1", re.DOTALL)
_LINK_TARGET = re.compile(r"(?<=\])\([^)\s]*\)")
_BEGINS_A_PARAGRAPH = re.compile(r"\s*($|[-*+] |\d+[.)] |#+ |\||>|[\w ]+:$|\w+: \S|:?-{3,})")
_YAML_COMMENT = re.compile(r"(?:^|\s)#(?!!)[ #]*(.*)$")
_TEMPLATE_COMMENT = re.compile(r"\{\{-?\s*/\*(.*?)\*/\s*-?\}\}", re.DOTALL)
_MARKUP = re.compile(r"<(style|script)\b.*?</\1>|<[^>]*>|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_PLACEHOLDER = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_NOT_PROSE = re.compile(r"noqa|type: ignore|ruff:|fmt:|pragma|mypy:|!/")


@dataclass(frozen=True)
class Text:
    """A paragraph of prose.

    Attributes:
        place: File and line where it begins.
        words: The paragraph in one line, with code spans replaced by `…`.
        is_sentence: Whether the paragraph consists of sentences; a message or a comment can be a fragment.
    """

    place: str
    words: str
    is_sentence: bool


def texts_of(content: str, name: str) -> Iterator[Text]:
    """Yields the prose of a file.

    Args:
        content: The file's content.
        name: Path relative to the repository, with slashes.
    """
    file = PurePosixPath(name)
    if file.suffix == ".py":
        yield from _python(content, name)
    elif file.suffix == ".md":
        prose = _INDENTED_CODE.sub("", _without_code(content))
        yield from _paragraphs(prose.splitlines(), name, 1, is_sentence=True)
    elif file.suffix in (".html", ".j2"):
        yield from _paragraphs(_without_markup(content).splitlines(), name, 1, is_sentence=False)
    elif file.suffix in (".yaml", ".yml", ".tpl", ".toml") or file.name in ("Makefile", "Dockerfile"):
        for comment in _TEMPLATE_COMMENT.finditer(content):
            line = content.count("\n", 0, comment.start()) + 1
            yield from _paragraphs(comment[1].splitlines(), name, line, is_sentence=False)
        yield from _comments(enumerate(content.splitlines(), 1), name)
    else:
        yield from _paragraphs(content.splitlines(), name, 1, is_sentence=False)


def _python(content: str, name: str) -> Iterator[Text]:
    tree = ast.parse(content)
    documentation = {id(string) for string in _documentation(tree)}
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    covered: dict[int, list[tuple[int, int]]] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.JoinedStr | ast.Constant) or (message := _message(node)) is None:
            continue
        _cover(covered, node)
        if id(node) in documentation:
            yield from _paragraphs(_without_code(message).splitlines(), name, node.lineno, is_sentence=True)
        elif name.startswith(_MESSAGES_BELOW) and id(node) not in parts and len(message.split()) >= _FEWEST_WORDS:
            yield Text(f"{name}:{node.lineno}", _without_code(" ".join(message.split())), is_sentence=False)
    lines = ((number, line) for number, line in enumerate(content.splitlines(), 1) if "#" in line)
    yield from _comments(((number, _uncovered(line, covered.get(number, []))) for number, line in lines), name)


def _documentation(tree: ast.AST) -> Iterator[ast.Constant]:
    """Yields docstrings, and strings below an assignment."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for statement in node.body:
                if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                    yield statement.value


def _message(node: ast.JoinedStr | ast.Constant) -> str | None:
    """Returns the text of a string, with `…` for each expression in it; None for other constants."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return node.value if isinstance(node.value, str) else None


def _cover(covered: dict[int, list[tuple[int, int]]], node: ast.expr) -> None:
    last = node.end_lineno or node.lineno
    for number in range(node.lineno, last + 1):
        begin = node.col_offset if number == node.lineno else 0
        end = node.end_col_offset or 0 if number == last else 1_000_000
        covered.setdefault(number, []).append((begin, end))


def _uncovered(line: str, strings: list[tuple[int, int]]) -> str:
    """Returns the line from its first # outside of strings; columns count bytes, as in the syntax tree."""
    encoded = line.encode()
    for position, byte in enumerate(encoded):
        if byte == ord("#") and not any(begin <= position < end for begin, end in strings):
            return encoded[position:].decode()
    return ""


def _comments(lines: Iterator[tuple[int, str]], name: str) -> Iterator[Text]:
    """Yields comments of consecutive lines as paragraphs."""
    block: list[str] = []
    first = last = 0
    for number, line in lines:
        found = _YAML_COMMENT.search(line)
        if found is None or _NOT_PROSE.match(found[1]):
            continue
        is_alone = line.lstrip().startswith("#")
        if block and (number != last + 1 or not is_alone):
            yield from _paragraphs(block, name, first, is_sentence=False)
            block = []
        first = first if block else number
        block.append(found[1])
        last = number
    yield from _paragraphs(block, name, first, is_sentence=False)


def wide_lines(page: str, most_columns: int) -> Iterator[tuple[int, int]]:
    """Yields the number and the columns of each line of a page that can be wrapped and is too wide.

    Code, tables and headings cannot be wrapped, and neither can a single word, such as a link.

    Args:
        page: Text in Markdown.
        most_columns: Maximum number of characters of a line.
    """
    for number, line in enumerate(_INDENTED_CODE.sub("", _without_blocks(page)).splitlines(), 1):
        is_wrappable = len(line.split()) > 1 and not line.lstrip().startswith(("|", "#"))
        if len(line) > most_columns and is_wrappable:
            yield number, len(line)


def _without_blocks(text: str) -> str:
    """Returns the text without blocks of code and comments; the number of lines stays the same."""
    text = _CODE_BLOCK.sub(lambda found: "\n" * found[0].count("\n"), text)
    return _HTML_COMMENT.sub(lambda found: "\n" * found[0].count("\n"), text)


def _without_code(text: str) -> str:
    """Returns the text without code; the number of lines stays the same."""
    text = _without_blocks(text)
    text = _CODE_SPAN.sub(lambda found: "…" + "\n" * found[0].count("\n"), text)
    return _LINK_TARGET.sub("", text)


def _without_markup(text: str) -> str:
    """Returns a template's text without markup and with `…` for its values; the number of lines stays the same."""
    text = _PLACEHOLDER.sub(lambda found: "…" + "\n" * found[0].count("\n"), text)
    return _MARKUP.sub(lambda found: " " + "\n" * found[0].count("\n"), text)


def _paragraphs(lines: list[str], name: str, first: int, *, is_sentence: bool) -> Iterator[Text]:
    paragraph: list[str] = []
    begin = first
    for number, line in enumerate(lines, first):
        if paragraph and _BEGINS_A_PARAGRAPH.match(line):
            yield Text(f"{name}:{begin}", " ".join(paragraph), is_sentence)
            paragraph = []
        if line.lstrip().startswith("|"):
            cells = map(str.strip, line.strip().strip("|").split("|"))
            yield from (Text(f"{name}:{number}", cell, is_sentence=False) for cell in cells if cell)
        elif line.strip():
            begin = begin if paragraph else number
            paragraph.append(line.strip())
    if paragraph:
        yield Text(f"{name}:{begin}", " ".join(paragraph), is_sentence)
