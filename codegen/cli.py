"""Generates the reference of `kubectl clustertrigger` from its own help: docs/reference/cli.md."""

from __future__ import annotations

from collections.abc import Iterator

import click

from clustertrigger.cli.command import PROG, SECTIONS, Command
from clustertrigger.cli.main import program

_COLUMNS = 80


def cli_reference() -> str:
    """Returns the page."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    yield "# Command reference"
    yield ""
    yield f"<!-- Generated from the help of `{PROG}` by `make generate`: edit operator/clustertrigger/cli instead. -->"
    yield ""
    yield f"This is what `{PROG} COMMAND --help` prints on a terminal of {_COLUMNS} columns."
    yield "[The command](command.md) says how to install it, and which rights each command needs."
    context = _context(program, PROG)
    yield from _help(program, context)
    commands = [command for command in program.commands.values() if isinstance(command, Command)]
    for section in SECTIONS:
        of_section = [command for command in commands if command.section == section]
        if of_section:
            yield f"## {section}"
            yield ""
        for command in of_section:
            yield f"### `{command.name}`"
            yield from _help(command, _context(command, command.name, context))


def _context(command: click.Command, name: str | None, parent: click.Context | None = None) -> click.Context:
    return click.Context(
        command, info_name=name, parent=parent, terminal_width=_COLUMNS, max_content_width=_COLUMNS,
        help_option_names=program.context_settings["help_option_names"],
    )  # fmt: skip


def _help(command: click.Command, context: click.Context) -> Iterator[str]:
    yield ""
    yield "```text"
    yield from (line.rstrip() for line in command.get_help(context).strip().splitlines())
    yield "```"
    yield ""
