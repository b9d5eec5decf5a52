"""Prints tables with colour and width by rich on a terminal, and plain, complete lines without colour elsewhere."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_GAP = "   "
_UNLIMITED = 1_000_000
STYLES = {
    "completed": "green",
    "active": "green",
    "running": "cyan",
    "pending": "cyan",
    "paused": "yellow",
    "disabled": "yellow",
    "failed": "red",
    "not ready": "red",
    "invalid": "red",
}
"""Colours of the states of triggers and runs."""


def printable(text: str) -> str:
    """Returns the text with invisible characters replaced: escapes, line feeds, changes of direction.

    Texts of documents and errors are untrusted, and must not control the reader's terminal.
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else _REPLACEMENT for c in text)


class _Console(Console):
    """A console that leaves a closed pipe to `main`: rich would end the command with exit code 1."""

    def on_broken_pipe(self) -> None:
        """Raises the error that rich has caught."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def console(stream: TextIO | None = None) -> Console:
    """Returns rich's console for a stream (default: standard output), which determines colour and width."""
    stream = stream or sys.stdout
    width = None if stream.isatty() else _UNLIMITED
    return _Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def styled(text: str, style: str | None = None) -> Text:
    """Returns a text from another source in a style; by default in that of the state that it names."""
    shown = printable(text)
    return Text(shown, style=STYLES.get(shown, "") if style is None else style)


def say(*lines: str | Text, stream: TextIO | None = None) -> None:
    """Prints lines. Strings are made printable; a Text is already."""
    out = console(stream)
    for line in lines:
        text = line if isinstance(line, Text) else Text(printable(line))
        out.print(text, soft_wrap=True)


def warn(line: str) -> None:
    """Prints a line on standard error."""
    say(line, stream=sys.stderr)


def is_terminal() -> bool:
    """Returns whether standard output is a terminal."""
    return sys.stdout.isatty()


def width() -> int:
    """Returns the number of columns of the terminal; 80 if there is no terminal."""
    return Console(file=sys.stdout).width


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Iterator[Text]:
    """Yields aligned lines, the header first. On a terminal, the last column is truncated at the edge.

    Args:
        columns: Names of the columns. A name that begins with > aligns its column to the right.
        rows: Their cells.
    """
    header = [Text(column.lstrip(">"), style="bold") for column in columns]
    body = [[cell if isinstance(cell, Text) else styled(cell) for cell in row] for row in rows]
    widths = [max(cell_len(cell.plain) for cell in cells) for cells in zip(header, *body, strict=True)]
    edge = width() if is_terminal() else None
    for row in (header, *body):
        line = Text(no_wrap=True)
        for column, cell, wide in zip(columns, row, widths, strict=True):
            padding = " " * (wide - cell_len(cell.plain))
            line.append_text(Text.assemble(padding, cell) if column.startswith(">") else Text.assemble(cell, padding))
            line.append(_GAP)
        line.rstrip()
        if edge:
            line.truncate(edge, overflow="ellipsis")
        yield line
