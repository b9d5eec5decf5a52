"""How a command is declared: its help, and what carries it out."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeAlias

PROG = "kubectl clustertrigger"
"""kubectl runs the plugin kubectl-clustertrigger under this name."""

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
CarryOut = Callable[[argparse.Namespace], int]


class CommandError(Exception):
    """Why a command could not do what was asked, in one line that names the way out. Exit code 1."""


def add_command(
    commands: Commands, name: str, carry_out: CarryOut, *, summary: str, about: str, example: str
) -> argparse.ArgumentParser:
    """Declare a command and return its parser, for options of its own.

    Args:
        commands: of the program.
        name: of the command.
        carry_out: gets the parsed options and returns the exit code.
        summary: a few words, for the list of commands.
        about: a few sentences.
        example: ends the command's help; it must parse.
    """
    parser = commands.add_parser(
        name,
        help=summary,
        description=about,
        epilog=f"Example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(carry_out=carry_out)
    return parser


def add_filename_option(parser: argparse.ArgumentParser) -> None:
    """-f, as kubectl has it."""
    parser.add_argument(
        "-f",
        "--filename",
        action="append",
        required=True,
        metavar="FILE",
        help="YAML or JSON file, a folder of them, or - for standard input; may be repeated",
    )
